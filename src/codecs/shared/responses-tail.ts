import type { TailReason } from "../../core/codec.ts";
import { DENIALS } from "../../core/denials.ts";
import { field, type Json } from "../../core/json.ts";
import type { Delta } from "../../core/view.ts";
import { listField, sseEvent, textField } from "./answer-tally.ts";
import { responsesUsageOf } from "./responses-usage.ts";

/** An output item as far as it is known. */
export interface OutputItem {
  /** As the last event with the whole item had it; undefined when none came. */
  json: Json | undefined;
  done: boolean;
  /** Its tool call is counted. */
  named: boolean;
  readonly slots: Map<string, { readonly channel: Delta["channel"]; text: string; chars: number }>;
  /** Content parts as the last event with the whole part had them. */
  readonly parts: Map<string, Json>;
  /** What has had its `.done` event: `c0.text` the text of a part, `c0` the part; `s` for summaries, `a.text` for arguments. */
  readonly ended: Set<string>;
}

export interface StreamState {
  /** The last response object; undefined when the stream had not begun. */
  readonly response: Json | undefined;
  readonly items: ReadonlyMap<number, OutputItem>;
  readonly nextSequence: number;
  /** As the caller asked for it. */
  readonly model: string;
}

/**
 * Ends a stream with an error. OpenAI documents the flat fields; its SDKs raise on the nested `error` (Python reads only that,
 * `_streaming.py`; JavaScript takes either, `core/streaming.mjs`), so both are there.
 */
export function errorTail(reason: Extract<TailReason, { kind: "error" }>, sequence: number): string {
  const { code, detail } = reason.denial;
  const message = detail ?? DENIALS[code].text;
  const error = { type: DENIALS[code].openai, code, message, param: null };
  return sseEvent("error", { type: "error", code, message, param: null, sequence_number: sequence, error, request_id: reason.requestId });
}

/**
 * Ends a stream as the provider does at `max_output_tokens` or for its content filter: a `.done` event for every text, part and item that
 * is open, then `response.incomplete` with the output so far. Items that no `response.output_item.added` announced are left out: no client
 * could know them. What is said instead of the rest goes into the open text of a message, or a message of its own.
 */
export function incompleteTail(state: StreamState, reason: Exclude<TailReason, { kind: "error" }>): string {
  const writer = new TailWriter(state.nextSequence);
  const response = state.response ?? emptyResponse(state.model);
  if (state.response === undefined) writer.write("response.created", { response });
  const items = new Map(state.items);
  const said = reason.kind === "filtered" ? (reason.text ?? "") : "";
  if (said !== "") say(writer, items, said);
  const output: Json[] = [];
  for (const [index, item] of [...items].sort(([a], [b]) => a - b)) {
    if (item.json === undefined) continue;
    const json = item.done ? item.json : closeItem(writer, index, item, item.json);
    output.push(json);
  }
  const why = reason.kind === "filtered" ? "content_filter" : "max_output_tokens";
  const ended = {
    ...objectOf(response),
    status: "incomplete",
    incomplete_details: { reason: why },
    output,
    usage: field(response, "usage") ?? responsesUsageOf(reason.usage),
  };
  writer.write("response.incomplete", { response: ended });
  return writer.text;
}

/** Says a text in the last open message, or in a new one; what it opens is open in `items`. */
function say(writer: TailWriter, items: Map<number, OutputItem>, text: string): void {
  const open = [...items].filter(([, item]) => item.json !== undefined && !item.done && textField(item.json, "type") === "message");
  let [at, item] = open.sort(([a], [b]) => a - b).at(-1) ?? [];
  if (at === undefined || item?.json === undefined) {
    at = Math.max(-1, ...[...items].flatMap(([index, { json }]) => (json === undefined ? [] : [index]))) + 1;
    const json = { id: "msg_said", type: "message", status: "in_progress", role: "assistant", content: [] };
    item = { json, done: false, named: false, slots: new Map(), parts: new Map(), ended: new Set() };
    writer.write("response.output_item.added", { output_index: at, item: json });
  }
  const known = Math.max(listField(item.json, "content").length, slotCount(item, "c"));
  const isOpen = (slot: string): boolean =>
    !item.ended.has(`${slot}.text`) &&
    !item.ended.has(slot) &&
    item.parts.has(slot) &&
    textField(item.parts.get(slot), "type") === "output_text";
  const index = known > 0 && isOpen(`c${known - 1}`) ? known - 1 : known;
  const slot = `c${index}`;
  const place = { item_id: textField(item.json, "id"), output_index: at, content_index: index };
  const parts = new Map(item.parts);
  if (index === known) {
    const part = { type: "output_text", text: "", annotations: [], logprobs: [] };
    writer.write("response.content_part.added", { ...place, part });
    parts.set(slot, part);
  }
  writer.write("response.output_text.delta", { ...place, delta: text, logprobs: [] });
  const before = item.slots.get(slot)?.text ?? "";
  const whole = { channel: "content", text: before + text, chars: before.length + text.length } as const;
  items.set(at, { ...item, parts, slots: new Map([...item.slots, [slot, whole]]) });
}

class TailWriter {
  text = "";
  #sequence: number;

  constructor(sequence: number) {
    this.#sequence = sequence;
  }
  write(type: string, members: Readonly<Record<string, Json>>): void {
    this.text += sseEvent(type, { type, ...members, sequence_number: this.#sequence });
    this.#sequence++;
  }
}

/** Closes what is open in an item, in the order of the API, and gives the item as far as it came. */
function closeItem(writer: TailWriter, index: number, item: OutputItem, json: Json): Json {
  const type = textField(json, "type");
  const at = { item_id: textField(json, "id"), output_index: index };
  const closed = { ...objectOf(json), ...closedStatus(type, json) };
  switch (type) {
    case "message":
      Object.assign(closed, { content: closeContent(writer, item, json, at) });
      break;
    case "reasoning": {
      Object.assign(closed, { summary: closeSummary(writer, item, json, at) });
      const content = closeContent(writer, item, json, at);
      if (content.length > 0) Object.assign(closed, { content });
      break;
    }
    default: {
      const rule = ARGUMENT_EVENTS.get(type);
      const text = item.slots.get("a")?.text ?? "";
      if (rule === undefined) break;
      if (!item.ended.has("a.text")) writer.write(rule.event, { ...at, [rule.member]: text });
      Object.assign(closed, { [rule.member]: text });
    }
  }
  writer.write("response.output_item.done", { output_index: index, item: closed });
  return closed;
}

/** How a tool call's own text is closed, and where its item keeps it. */
const ARGUMENT_EVENTS: ReadonlyMap<string, { readonly event: string; readonly member: string }> = new Map([
  ["function_call", { event: "response.function_call_arguments.done", member: "arguments" }],
  ["mcp_call", { event: "response.mcp_call_arguments.done", member: "arguments" }],
  ["custom_tool_call", { event: "response.custom_tool_call_input.done", member: "input" }],
  ["code_interpreter_call", { event: "response.code_interpreter_call_code.done", member: "code" }],
]);
/** These items know no status `incomplete`. */
const FAILING_TYPES: ReadonlySet<string> = new Set(["web_search_call", "image_generation_call"]);

/** Only items that have a status get one. */
function closedStatus(type: string, json: Json): { readonly status?: string } {
  if (field(json, "status") === undefined) return {};
  return { status: FAILING_TYPES.has(type) ? "failed" : "incomplete" };
}

interface ItemPlace {
  readonly item_id: string;
  readonly output_index: number;
}

type Part = Readonly<Record<string, Json>> & { readonly type: string };

/** Closes the content parts of a message or of reasoning. */
function closeContent(writer: TailWriter, item: OutputItem, json: Json, at: ItemPlace): Json[] {
  const before = listField(json, "content");
  const content: Json[] = [];
  for (let index = 0; index < Math.max(before.length, slotCount(item, "c")); index++) {
    const slot = `c${index}`;
    const part = partSoFar(item.parts.get(slot) ?? before[index], item.slots.get(slot));
    const place = { ...at, content_index: index };
    const name = part.type === "refusal" ? "refusal" : "text";
    if (!item.ended.has(`${slot}.text`)) {
      const logprobs = part.type === "output_text" ? { logprobs: [] } : {};
      writer.write(`response.${part.type}.done`, { ...place, [name]: part[name] ?? "", ...logprobs });
    }
    if (!item.ended.has(slot)) writer.write("response.content_part.done", { ...place, part });
    content.push(part);
  }
  return content;
}

/** A content part with the text that has come. Parts of an unknown kind stay as they are announced. */
function partSoFar(known: Json | undefined, slot: { readonly channel: Delta["channel"]; readonly text: string } | undefined): Part {
  const type = known === undefined ? PART_TYPES[slot?.channel ?? "content"] : textField(known, "type");
  const text = slot?.text ?? "";
  if (type === "refusal") return { ...objectOf(known), type, refusal: text };
  if (type === "output_text") return { annotations: [], logprobs: [], ...objectOf(known), type, text };
  return { ...objectOf(known), type, text };
}
const PART_TYPES: Readonly<Record<Delta["channel"], string>> = {
  content: "output_text",
  refusal: "refusal",
  reasoning: "reasoning_text",
  tool_arguments: "output_text",
  echo: "output_text",
  address: "output_text",
};

/** Closes the summary parts of a reasoning item. */
function closeSummary(writer: TailWriter, item: OutputItem, json: Json, at: ItemPlace): Json[] {
  const count = Math.max(listField(json, "summary").length, slotCount(item, "s"));
  const summary: Json[] = [];
  for (let index = 0; index < count; index++) {
    const slot = `s${index}`;
    const text = item.slots.get(slot)?.text ?? "";
    const place = { ...at, summary_index: index };
    const part = { type: "summary_text", text };
    if (!item.ended.has(`${slot}.text`)) writer.write("response.reasoning_summary_text.done", { ...place, text });
    if (!item.ended.has(slot)) writer.write("response.reasoning_summary_part.done", { ...place, part });
    summary.push(part);
  }
  return summary;
}

/** How many parts of one kind were announced or written to: one more than the largest index, where indexes are without gaps. */
function slotCount(item: OutputItem, letter: "c" | "s"): number {
  let count = 0;
  while (item.slots.has(`${letter}${count}`) || item.parts.has(`${letter}${count}`)) count++;
  return count;
}

function objectOf(json: Json | undefined): { readonly [key: string]: Json } {
  if (typeof json !== "object" || json === null || Array.isArray(json)) return {};
  return Object.fromEntries(Object.entries(json));
}

/** The response of a stream that was ended before it began. */
function emptyResponse(model: string): Json {
  return {
    id: "resp_not_begun",
    object: "response",
    created_at: 0,
    status: "in_progress",
    error: null,
    incomplete_details: null,
    instructions: null,
    metadata: {},
    model,
    output: [],
    parallel_tool_calls: true,
    temperature: null,
    tool_choice: "auto",
    tools: [],
    top_p: null,
    usage: null,
  };
}
