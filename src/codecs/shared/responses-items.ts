import { field, type Json } from "../../core/json.ts";
import type { Delta } from "../../core/view.ts";
import { listField, textField } from "./answer-tally.ts";

/** A text of an output item: its place within the item and what it is. */
export interface ItemText {
  /** `c0` content part, `s0` summary part, `a` arguments, input or code, `x0` a command. */
  readonly slot: string;
  readonly channel: Delta["channel"];
  readonly text: string;
}

/** The texts of an output item that the model wrote. Results that the provider's own tools found are not among them. */
export function itemTexts(item: Json): readonly ItemText[] {
  const texts: ItemText[] = [];
  const add = (slot: string, channel: Delta["channel"], text: string): void => {
    if (text !== "") texts.push({ slot, channel, text });
  };
  const type = textField(item, "type");
  switch (type) {
    case "message":
      for (const [index, part] of listField(item, "content").entries()) {
        if (field(part, "type") === "refusal") add(`c${index}`, "refusal", textField(part, "refusal"));
        else add(`c${index}`, "content", textField(part, "text"));
      }
      break;
    case "reasoning":
      for (const [index, part] of listField(item, "summary").entries()) add(`s${index}`, "reasoning", textField(part, "text"));
      for (const [index, part] of listField(item, "content").entries()) add(`c${index}`, "reasoning", textField(part, "text"));
      break;
    case "function_call":
    case "mcp_call":
      add("a", "tool_arguments", textField(item, "arguments"));
      break;
    case "custom_tool_call":
      add("a", "tool_arguments", textField(item, "input"));
      break;
    case "code_interpreter_call":
      add("a", "tool_arguments", textField(item, "code"));
      break;
    case "web_search_call":
      add("a", "tool_arguments", textField(field(item, "action"), "query"));
      break;
    case "apply_patch_call":
      add("a", "tool_arguments", textField(field(item, "operation"), "diff"));
      break;
    case "shell_call":
      for (const [index, command] of listField(field(item, "action"), "commands").entries()) {
        if (typeof command === "string") add(`x${index}`, "tool_arguments", command);
      }
      break;
    default:
  }
  return texts;
}

/** Name of the tool that an output item calls: the function's own, or the built-in's type; undefined for items that call none. */
export function calledTool(item: Json): string | undefined {
  const type = textField(item, "type");
  if (!type.endsWith("_call")) return undefined;
  const name = textField(item, "name");
  return name === "" ? type.slice(0, -"_call".length) : name;
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
  audio: ["delta", "done", "transcript.delta", "transcript.done"],
} as const;

/** Events that carry no text of the model and need no reading. */
export const PLAIN_EVENTS: ReadonlySet<string> = new Set([
  ...Object.entries(PROGRESS).flatMap(([kind, steps]) => steps.map((step) => `response.${kind}.${step}`)),
  "keepalive",
  "ping",
]);
