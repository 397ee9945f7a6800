import { field, isJsonObject, type Json } from "../../core/json.ts";
import type { Delta, ToolCall } from "../../core/view.ts";
import { isRewritable, listField, textField } from "./answer-tally.ts";
import { type AnswerTexts, silentAnd } from "./answer-texts.ts";

/** A text of an output item: its place within the item, what it is, and where it stands. */
export interface ItemText {
  /** `c0` content part, `s0` summary part, `a` arguments, input or code, `x0` a command. */
  readonly slot: string;
  readonly channel: Delta["channel"];
  readonly holder: Json;
  readonly key: string | number;
  /** It stands as a JSON value. */
  readonly raw?: true;
}

/** The member of an item that holds the arguments of its call. */
const ARGUMENTS: ReadonlyMap<string, string> = new Map([
  ["function_call", "arguments"],
  ["mcp_call", "arguments"],
  ["mcp_approval_request", "arguments"],
  ["tool_search_call", "arguments"],
  ["custom_tool_call", "input"],
  ["code_interpreter_call", "code"],
  ["computer_call", "action"],
  ["local_shell_call", "action"],
]);

/** The texts of an output item that the model wrote. Results that the provider's own tools found are not among them. */
export function itemTexts(item: Json): readonly ItemText[] {
  const texts: ItemText[] = [];
  const add = (slot: string, channel: Delta["channel"], holder: Json | undefined, key: string | number): void => {
    if (holder !== undefined) texts.push({ slot, channel, holder, key });
  };
  const type = textField(item, "type");
  const named = ARGUMENTS.get(type);
  if (named !== undefined) {
    if (isJsonObject(field(item, named))) texts.push({ slot: "a", channel: "tool_arguments", holder: item, key: named, raw: true });
    else add("a", "tool_arguments", item, named);
    return texts;
  }
  switch (type) {
    case "message":
      for (const [index, part] of listField(item, "content").entries()) {
        if (field(part, "type") === "refusal") add(`c${index}`, "refusal", part, "refusal");
        else add(`c${index}`, "content", part, "text");
      }
      break;
    case "reasoning":
      for (const [index, part] of listField(item, "summary").entries()) add(`s${index}`, "reasoning", part, "text");
      for (const [index, part] of listField(item, "content").entries()) add(`c${index}`, "reasoning", part, "text");
      break;
    case "web_search_call":
      add("a", "tool_arguments", field(item, "action"), "query");
      break;
    case "apply_patch_call":
      add("a", "tool_arguments", field(item, "operation"), "diff");
      break;
    case "shell_call": {
      const commands = field(field(item, "action"), "commands");
      for (const index of listField(field(item, "action"), "commands").keys()) add(`x${index}`, "tool_arguments", commands, index);
      break;
    }
    default:
  }
  return texts;
}

/** Distance between the blocks of two parts of one item; more than real answers have items. */
const PART_STRIDE = 2 ** 20;
/** Reasoning may have summaries and a text of its own, both in parts. */
const REASONING_TEXT = 1000;

/** `Delta.block` of a text: the item's `output_index`, in the first of its parts. */
export function blockOf(outputIndex: number, slot: string, channel: Delta["channel"]): number {
  const part = Number(slot.slice(1)) + (slot.startsWith("c") && channel === "reasoning" ? REASONING_TEXT : 0);
  return outputIndex + part * PART_STRIDE;
}

/** Members of an item and of its parts that are read, or hold no text. */
const KEYS = {
  item: silentAnd("call_id", "name", "namespace", "container_id", "server_label", "approval_request_id", "phase", "agent", "created_by"),
  part: silentAnd("logprobs"),
  annotation: silentAnd("start_index", "end_index", "container_id"),
};

/** What an item shows besides its texts: annotations and what the provider's tools found, for guards; and what goes with a changed text. */
export function readItemRest(texts: AnswerTexts, item: Json, outputIndex: number, read: readonly ItemText[]): void {
  if (!texts.guarded) return;
  const known = (holder: Json, keys: ReadonlySet<string>): ReadonlySet<string> =>
    new Set([...keys, ...read.flatMap((one) => (one.holder === holder && typeof one.key === "string" ? [one.key] : []))]);
  const type = textField(item, "type");
  const lists = type === "message" ? ["content"] : type === "reasoning" ? ["summary", "content"] : [];
  for (const list of lists) {
    for (const [index, part] of listField(item, list).entries()) {
      const slot = `${list === "summary" ? "s" : "c"}${index}`;
      readPartRest(texts, part, blockOf(outputIndex, slot, type === "reasoning" ? "reasoning" : "content"), known(part, KEYS.part));
    }
  }
  const holders = ["action", "operation"].filter((key) => read.some(({ holder }) => holder === field(item, key)));
  for (const key of holders) texts.walk(0, outputIndex, field(item, key), known(field(item, key) ?? null, KEYS.item));
  if (type === "shell_call") texts.walk(0, outputIndex, field(item, "action"), silentAnd("commands"));
  const shell = type === "shell_call" ? ["action"] : [];
  texts.walk(0, outputIndex, item, new Set([...known(item, KEYS.item), ...lists, ...holders, ...shell]));
}

/** What a part shows besides its text. `known`: its members that are read. */
export function readPartRest(texts: AnswerTexts, part: Json | undefined, block: number, known: ReadonlySet<string>): void {
  texts.walk(0, block, part, new Set([...known, "annotations"]));
  for (const annotation of listField(part, "annotations")) texts.walk(0, block, annotation, KEYS.annotation);
  texts.erase(0, part, "annotations", "[]", block);
  texts.erase(0, part, "logprobs", "[]", block);
}

/** Name of the tool that an output item calls: the function's own, or the built-in's type; undefined for items that call none. */
export function calledTool(item: Json): string | undefined {
  const type = textField(item, "type");
  if (!type.endsWith("_call")) return undefined;
  const name = textField(item, "name");
  return name === "" ? type.slice(0, -"_call".length) : name;
}

/** What requests call a tool whose calls have another name. */
const OFFERED_AS: ReadonlyMap<string, string> = new Map([
  ["computer_call", "computer_use_preview"],
  ["web_search_call", "web_search_preview"],
]);
/** Calls that hold a plain text, what it is called, and the member that says more about the call. */
const PLAIN: ReadonlyMap<string, readonly [key: string, within?: string]> = new Map([
  ["custom_tool_call", ["input"]],
  ["code_interpreter_call", ["code"]],
  ["shell_call", ["command"]],
  ["apply_patch_call", ["diff", "operation"]],
  ["web_search_call", ["query", "action"]],
]);

/** What guards are told of the call that an item is, besides its name. */
export function calledAs(item: Json): Pick<ToolCall, "offeredAs" | "plain"> {
  const type = textField(item, "type");
  const offeredAs = type.startsWith("mcp_") ? textField(item, "server_label") : OFFERED_AS.get(type);
  const [key, within] = PLAIN.get(type) ?? [];
  const of = within === undefined ? undefined : field(item, within);
  // A patch that deletes a file has no text: what it says stands beside.
  const beside = isJsonObject(of) && isRewritable(of) ? { beside: of } : {};
  return {
    ...(offeredAs === undefined || offeredAs === "" ? {} : { offeredAs }),
    ...(key === undefined ? {} : { plain: { key, ...beside } }),
  };
}

/** Where the delta of an event goes. */
export interface DeltaRule {
  readonly channel: Delta["channel"];
  /** First letter of the slot, and the event's member with the index behind it; no member: the item has one such text. */
  readonly slot: "c" | "s" | "a" | "x";
  readonly index?: "content_index" | "summary_index" | "command_index";
  /** Member of the `.done` event that holds the whole text. */
  readonly whole: "text" | "refusal" | "arguments" | "input" | "code" | "command" | "diff";
}

/** Events with text, without their `.delta` or `.done`. Source: `ResponseStreamEvent` of the `openai` package 7.57. */
export const TEXT_EVENTS: ReadonlyMap<string, DeltaRule> = new Map<string, DeltaRule>([
  ["response.output_text", { channel: "content", slot: "c", index: "content_index", whole: "text" }],
  ["response.refusal", { channel: "refusal", slot: "c", index: "content_index", whole: "refusal" }],
  ["response.reasoning_text", { channel: "reasoning", slot: "c", index: "content_index", whole: "text" }],
  ["response.reasoning_summary_text", { channel: "reasoning", slot: "s", index: "summary_index", whole: "text" }],
  ["response.function_call_arguments", { channel: "tool_arguments", slot: "a", whole: "arguments" }],
  ["response.mcp_call_arguments", { channel: "tool_arguments", slot: "a", whole: "arguments" }],
  ["response.custom_tool_call_input", { channel: "tool_arguments", slot: "a", whole: "input" }],
  ["response.code_interpreter_call_code", { channel: "tool_arguments", slot: "a", whole: "code" }],
  ["response.shell_call_command", { channel: "tool_arguments", slot: "x", index: "command_index", whole: "command" }],
  ["response.apply_patch_call_operation_diff", { channel: "tool_arguments", slot: "a", whole: "diff" }],
]);

const PROGRESS = {
  web_search_call: ["in_progress", "searching", "completed"],
  file_search_call: ["in_progress", "searching", "completed"],
  code_interpreter_call: ["in_progress", "interpreting", "completed"],
  image_generation_call: ["in_progress", "generating", "partial_image", "completed"],
  mcp_call: ["in_progress", "completed", "failed"],
  mcp_list_tools: ["in_progress", "completed", "failed"],
  output_text: ["annotation.added"],
  shell_call_command: ["added"],
  shell_call_output_content: ["delta", "done"],
  compaction: ["compacting"],
  audio: ["delta", "done", "transcript.done"],
} as const;

/** Events that carry no text of the model and need no reading; guards see their strings. */
export const PLAIN_EVENTS: ReadonlySet<string> = new Set([
  ...Object.entries(PROGRESS).flatMap(([kind, steps]) => steps.map((step) => `response.${kind}.${step}`)),
  "keepalive",
  "ping",
]);
