import type { AnswerContext, TailReason } from "../../core/codec.ts";
import { field, type Json } from "../../core/json.ts";
import type { Usage } from "../../core/usage.ts";
import type { Delta } from "../../core/view.ts";
import type { AnswerMapper } from "./answer-reader.ts";
import { AnswerTally, isRewritable, listField, textField } from "./answer-tally.ts";
import { AnswerTexts, beginEvent, silentAnd, textAt } from "./answer-texts.ts";
import {
  blockOf,
  calledAs,
  calledTool,
  type DeltaRule,
  type ItemText,
  itemTexts,
  PLAIN_EVENTS,
  readItemRest,
  readPartRest,
  TEXT_EVENTS,
} from "./responses-items.ts";
import { errorTail, incompleteTail, type OutputItem } from "./responses-tail.ts";
import { responsesUsage } from "./responses-usage.ts";
import { isSameArguments } from "./stray-calls.ts";

/** Most output items followed; real answers have tens. Later ones pass on unread and count as unknown. */
const ITEMS_MAX = 10_000;
/** Characters of output kept so that a stream can be ended with the output so far; about twice the longest real answer. */
const KEPT_CHARS_MAX = 4_000_000;
/** Most texts followed in one item; real ones have a handful. */
const SLOTS_MAX = 1000;
/** Members that are read, or hold no text, by where they stand. */
const KEYS = {
  event: silentAnd("response", "item", "part", "obfuscation", "partial_image_b64"),
  part: silentAnd("text", "refusal", "logprobs"),
  /** What a response repeats of its request is the caller's own; what of it is text is an echo. */
  response: silentAnd(
    ...["created_at", "completed_at", "model", "output", "usage", "parallel_tool_calls", "temperature", "tool_choice", "tools", "top_p"],
    ...["truncation", "store", "service_tier", "user", "safety_identifier", "prompt_cache_key", "prompt_cache_retention"],
    ...["previous_response_id", "reasoning", "text", "max_output_tokens", "max_tool_calls", "background", "top_logprobs", "billing"],
    ...["instructions", "metadata", "prompt", "conversation", "context_management", "content_filters"],
  ),
};

/** The same of events with a text, by the member that it stands in. */
const TEXT_KEYS: Readonly<Record<"delta" | DeltaRule["whole"], ReadonlySet<string>>> = {
  delta: silentAnd("delta", "logprobs", "obfuscation", "name", "agent"),
  text: silentAnd("text", "logprobs", "obfuscation", "name", "agent"),
  refusal: silentAnd("refusal", "name", "agent"),
  arguments: silentAnd("arguments", "name", "agent"),
  input: silentAnd("input", "name", "agent"),
  code: silentAnd("code", "name", "agent"),
  command: silentAnd("command", "name", "agent"),
  diff: silentAnd("diff", "name", "agent"),
};
const KNOWN_STATES: ReadonlySet<string> = new Set([
  ...["response.created", "response.queued", "response.in_progress", "response.completed"],
  ...["response.incomplete", "response.failed", "response.cancelled"],
]);
/** Members of an event with more in them. */
const STRUCTURES = ["response", "item", "part"] as const;

/** Texts of the request that a response repeats. */
const ECHOES = ["instructions", "metadata", "user", "safety_identifier", "prompt_cache_key", "prompt"];

/**
 * Reads a response of the Responses API, whole or as events.
 *
 * `Delta.block` is the `output_index`; of an item with several parts (`content_index`, `summary_index`) each has a block of its own, further
 * apart than items are. Text that comes without deltas (in a `.done` event, a finished item or the final response only) becomes a delta
 * where it first appears, so nothing that the caller gets is left out; where it comes once more, guards see it as a repeat.
 */
export class ResponsesAnswer implements AnswerMapper {
  readonly tally = new AnswerTally();
  readonly texts: AnswerTexts;
  readonly #context: AnswerContext;
  /** The provider keeps this response, so its items can be referred to. */
  readonly #kept: boolean;
  readonly #items = new Map<number, OutputItem>();
  #response: Json | undefined;
  #usage: Usage | undefined;
  #sequence = -1;
  #keptChars = 0;

  constructor(context: AnswerContext) {
    this.#context = context;
    this.texts = new AnswerTexts(context);
    this.#kept = context.view.providerState.some(({ kind }) => kind === "store" || kind === "background");
  }

  usage(): Usage | undefined {
    return this.#usage;
  }

  body(json: Json): void {
    this.tally.complete = true;
    if (this.tally.readError(json) && field(json, "object") !== "response") {
      this.texts.walk(0, 0, json);
      return;
    }
    this.#finish(json);
  }

  event(name: string | undefined, data: string): void {
    if (data === "[DONE]") {
      this.tally.complete = true;
      this.texts.endAll();
      return;
    }
    const event = beginEvent(this, data);
    if (event === undefined) return;
    const sequence = field(event, "sequence_number");
    if (typeof sequence === "number" && Number.isSafeInteger(sequence)) this.#sequence = Math.max(this.#sequence, sequence);
    const type = textField(event, "type") || (name ?? "");
    const dot = type.lastIndexOf(".");
    const rule = TEXT_EVENTS.get(type.slice(0, dot));
    const step = type.slice(dot + 1);
    if (rule !== undefined && (step === "delta" || step === "done")) this.#text(event, rule, step);
    else if (type === "response.audio.transcript.delta")
      this.texts.add(0, index(event, "output_index") ?? 0, "content", event, "delta", "spoken");
    else this.#structure(type, event);
  }

  tail(reason: TailReason): string {
    if (this.tally.complete) return "";
    if (reason.kind === "error") return errorTail(reason, this.#sequence + 1);
    const state = { response: this.#response, items: this.#items, nextSequence: this.#sequence + 1, model: this.#context.view.model ?? "" };
    return incompleteTail(state, reason);
  }

  #text(event: Json, rule: DeltaRule, step: "delta" | "done"): void {
    const slotIndex = rule.index === undefined ? undefined : index(event, rule.index);
    const slot = rule.index === undefined ? rule.slot : `${rule.slot}${slotIndex ?? 0}`;
    const at = index(event, "output_index") ?? 0;
    const item = this.#item(at);
    if (item === undefined) {
      this.texts.walk(0, at, event);
      return;
    }
    const block = blockOf(at, slot, rule.channel);
    if (step === "delta") this.#take(item, slot, { block, channel: rule.channel, holder: event, key: "delta" });
    else {
      this.#takeWhole(item, slot, { block, channel: rule.channel, holder: event, key: rule.whole });
      this.#ended(item, `${slot}.text`);
      this.texts.end(0, block, rule.channel);
    }
    this.texts.walk(0, block, event, TEXT_KEYS[step === "delta" ? "delta" : rule.whole]);
    this.texts.erase(0, event, "logprobs", "[]", block);
  }

  #structure(type: string, event: Json): void {
    const at = index(event, "output_index") ?? 0;
    this.texts.walk(0, at, event, KEYS.event);
    this.texts.file(field(event, "partial_image_b64"));
    const read = type.includes("_item.") ? "item" : type.includes("_part.") ? "part" : KNOWN_STATES.has(type) ? "response" : "";
    for (const key of STRUCTURES) if (key !== read) this.texts.other(0, at, event, key);
    switch (type) {
      case "response.created":
      case "response.queued":
      case "response.in_progress":
        this.#see(field(event, "response"));
        return;
      case "response.completed":
      case "response.incomplete":
      case "response.failed":
      case "response.cancelled":
        this.tally.complete = true;
        this.#finish(field(event, "response"));
        this.texts.endAll();
        return;
      case "response.output_item.added":
      case "response.output_item.done":
        this.#outputItem(event, at, type === "response.output_item.done");
        return;
      case "response.content_part.added":
      case "response.content_part.done":
      // vLLM's and gpt-oss's name for parts of reasoning.
      case "response.reasoning_part.added":
      case "response.reasoning_part.done":
        this.#part(event, at, `c${index(event, "content_index") ?? 0}`, type.endsWith(".done"));
        return;
      case "response.reasoning_summary_part.added":
      case "response.reasoning_summary_part.done":
        this.#part(event, at, `s${index(event, "summary_index") ?? 0}`, type === "response.reasoning_summary_part.done");
        return;
      case "error":
        if (!this.tally.readError(event)) this.tally.failed(field(event, "code") ?? "error");
        this.texts.endAll();
        return;
      default:
        if (!PLAIN_EVENTS.has(type)) this.tally.unknownEvents++;
    }
  }

  /** What every response object says beside its output. */
  #readHead(response: Json): void {
    this.tally.answeredBy(field(response, "model"), field(response, "id"));
    this.tally.servedIn(field(response, "service_tier"));
    this.#usage = responsesUsage(response) ?? this.#usage;
    this.texts.walk(0, 0, response, KEYS.response);
    for (const key of ECHOES) this.texts.echo(response, key);
    this.texts.opaque(field(response, "tools"));
  }

  /** A response object that is not the last one. */
  #see(response: Json | undefined): void {
    if (response === undefined) return;
    this.#readHead(response);
    // A response begins without output; what a server puts there nevertheless is seen.
    this.texts.walk(0, 0, field(response, "output"));
    if (isRewritable(response)) this.#response = response;
    else this.tally.invalidEvents++;
  }

  /** The final response object, of a stream or as a whole body. */
  #finish(response: Json | undefined): void {
    if (response === undefined) return;
    this.#readHead(response);
    this.tally.readError(response);
    const reason = field(field(response, "incomplete_details"), "reason");
    this.tally.finished(typeof reason === "string" ? reason : field(response, "status"));
    const known = new Map<string, number>();
    for (const [at, { json }] of this.#items) known.set(textField(json, "id"), at);
    for (const [position, json] of listField(response, "output").entries()) {
      const id = textField(json, "id");
      const seen = id === "" ? (this.#items.has(position) ? position : undefined) : known.get(id);
      if (seen !== undefined && !this.texts.guarded) continue;
      const at = seen ?? position;
      const item = this.#item(at);
      if (item !== undefined) this.#takeItem(item, at, json, true);
      else this.texts.walk(0, at, json);
    }
  }

  #outputItem(event: Json, at: number, done: boolean): void {
    const json = field(event, "item");
    const item = json === undefined ? undefined : this.#item(at);
    if (json === undefined || item === undefined) {
      this.texts.walk(0, at, json);
      return;
    }
    this.#takeItem(item, at, json, done);
    item.done = done;
    if (!done) return;
    for (const [slot, { channel }] of item.slots) this.texts.end(0, blockOf(at, slot, channel), channel);
    this.texts.end(0, at, "tool_arguments");
  }

  /** `whole`: it is not just announced, with arguments that may be to come. */
  #takeItem(item: OutputItem, at: number, json: Json, whole: boolean): void {
    const read = itemTexts(json);
    this.texts.readAsCall(json);
    if (!item.named) this.#takeCall(item, at, json, read);
    else if (calledTool(json) !== calledTool(item.json ?? json)) this.texts.doubt();
    if (this.#kept) this.tally.made("item", field(json, "id"));
    this.tally.made("container", field(json, "container_id"));
    for (const { slot, channel, holder, key, raw } of read) {
      const place = { block: blockOf(at, slot, channel), channel, holder, key };
      if (raw === true && whole) this.#takeValue(item, slot, place);
      else if (raw === true) this.texts.besideValue(0, place.block, channel, holder, String(key));
      else this.#takeWhole(item, slot, place);
    }
    readItemRest(this.texts, json, at, read);
    if (isRewritable(json)) item.json = json;
    else this.tally.invalidEvents++;
  }

  /** The call that an item is, once its name is there. Each command of a shell is one. */
  #takeCall(item: OutputItem, at: number, json: Json, read: readonly ItemText[]): void {
    const name = calledTool(json);
    const asked = name ?? (textField(json, "type") === "mcp_approval_request" ? textField(json, "name") : undefined);
    if (name !== undefined) {
      item.named = true;
      this.tally.calledTool(name);
    }
    if (asked === undefined || !this.texts.guarded) return;
    const id = textField(json, "call_id") || textField(json, "id");
    const more = calledAs(json);
    this.texts.call(0, at, asked, id, more);
    for (const { slot, channel } of read)
      if (slot !== "a" && slot !== "x0") this.texts.call(0, blockOf(at, slot, channel), asked, id, more);
  }

  #part(event: Json, at: number, slot: string, done: boolean): void {
    const item = this.#item(at);
    const part = field(event, "part");
    if (item === undefined || part === undefined) {
      this.texts.walk(0, at, part);
      return;
    }
    const type = textField(part, "type");
    if (isRewritable(part) && item.parts.size < SLOTS_MAX) item.parts.set(slot, part);
    if (done) this.#ended(item, slot);
    const isReasoning = slot.startsWith("s") || type === "reasoning_text";
    const channel = type === "refusal" ? "refusal" : isReasoning ? "reasoning" : "content";
    const block = blockOf(at, slot, channel);
    this.#takeWhole(item, slot, { block, channel, holder: part, key: type === "refusal" ? "refusal" : "text" });
    if (this.texts.guarded) readPartRest(this.texts, part, block, KEYS.part);
    if (done) this.texts.end(0, block, channel);
  }

  #ended(item: OutputItem, what: string): void {
    if (item.ended.size < 2 * SLOTS_MAX) item.ended.add(what);
  }

  #item(block: number): OutputItem | undefined {
    let item = this.#items.get(block);
    if (item === undefined) {
      if (this.#items.size >= ITEMS_MAX) {
        this.tally.unknownEvents++;
        return undefined;
      }
      item = { json: undefined, done: false, named: false, slots: new Map(), parts: new Map(), ended: new Set() };
      this.#items.set(block, item);
    }
    return item;
  }

  #take(item: OutputItem, slot: string, { block, channel, holder, key }: TextAt): void {
    const text = textAt(holder, key);
    if (text === "") return;
    this.#keep(item, slot, channel, text);
    this.texts.add(0, block, channel, holder, key);
  }

  /** A text that is known whole: what no delta brought yet is new. */
  #takeWhole(item: OutputItem, slot: string, place: TextAt): void {
    const chars = item.slots.get(slot)?.chars ?? 0;
    if (chars === 0) {
      this.#take(item, slot, place);
      return;
    }
    const { block, channel, holder, key } = place;
    if (channel === "tool_arguments" && !isSame(item.slots.get(slot), textAt(holder, key))) this.texts.doubt();
    const more = textAt(holder, key).slice(chars);
    this.texts.beside(0, block, channel, holder, key);
    if (more === "" || (channel === "tool_arguments" && this.texts.guarded)) return;
    this.#keep(item, slot, channel, more);
    if (this.texts.guarded) this.tally.countChars(more.length);
    else this.texts.loose(0, block, channel, more);
  }

  /** Arguments that stand as a JSON value, which is always whole. */
  #takeValue(item: OutputItem, slot: string, { block, channel, holder, key }: TextAt): void {
    const first = !item.slots.has(slot);
    const value = field(holder, String(key)) ?? null;
    const text = this.texts.guarded && isRewritable(value) ? JSON.stringify(value) : "";
    if (first && item.slots.size < SLOTS_MAX) item.slots.set(slot, { channel, text, chars: 0 });
    else if (!first && this.texts.guarded && !isSame(item.slots.get(slot), text)) this.texts.doubt();
    if (!this.texts.guarded && !first) return;
    if (!this.texts.addValue(0, block, channel, holder, String(key), first ? undefined : "repeats")) this.tally.invalidEvents++;
  }

  #keep(item: OutputItem, slot: string, channel: Delta["channel"], text: string): void {
    const kept = this.#keptChars < KEPT_CHARS_MAX ? text : "";
    this.#keptChars += kept.length;
    const seen = item.slots.get(slot);
    if (seen === undefined && item.slots.size < SLOTS_MAX) item.slots.set(slot, { channel, text: kept, chars: text.length });
    else if (seen !== undefined) {
      seen.text += kept;
      seen.chars += text.length;
    }
  }
}

/** Of arguments, where they come once more. An item that is announced may be empty; of what was not kept the length tells. */
function isSame(known: { readonly text: string; readonly chars: number } | undefined, text: string): boolean {
  if (known === undefined || text === "") return true;
  return known.text.length < known.chars ? known.chars === text.length : isSameArguments(known.text, text);
}

/** Where a text of an item stands. */
interface TextAt {
  readonly block: number;
  readonly channel: Delta["channel"];
  readonly holder: Json;
  readonly key: string | number;
}

function index(event: Json, key: string): number | undefined {
  const value = field(event, key);
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}
