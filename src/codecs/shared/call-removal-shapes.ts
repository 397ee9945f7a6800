import { type JsonNode, type JsonObject, member } from "../../core/json.ts";
import { type CallEdits, itemsOf, type Removal, type ShapeRemover, wordOf } from "./call-removal.ts";

/** The place that an object names for itself, or the one that it stands at. */
function numberOf(node: JsonNode | undefined, key: string, otherwise: number): number {
  const value = member(node, key);
  return value?.kind === "number" && Number.isSafeInteger(value.value) && value.value >= 0 ? value.value : otherwise;
}
const objectAt = (node: JsonNode | undefined, key: string): JsonObject | undefined => {
  const value = member(node, key);
  return value?.kind === "object" ? value : undefined;
};

/** The reason to finish of a choice of which no call is left: that of a filtered answer. A length that was met stays. */
function finish(edits: CallEdits, choice: number, holder: JsonNode | undefined, key: string, { from, to }: Finish): void {
  const reason = member(holder, key);
  const isAlone = edits.calls.gone(choice).size > 0 && edits.calls.left(choice) === 0;
  if (isAlone && reason?.kind === "string" && from.includes(reason.value)) edits.replace(reason, JSON.stringify(to));
}
interface Finish {
  readonly from: readonly string[];
  readonly to: string;
}

/** Chat completions, whole or a chunk; and what makers of InvokeModel send in their shape, with a `stop_reason`. */
export const chatCalls: ShapeRemover = (edits): Removal => {
  const choices = itemsOf(edits.root, "choices")?.items ?? [];
  const emptied = choices.filter((choice) => {
    const at = numberOf(choice, "index", 0);
    const message = objectAt(choice, "delta") ?? objectAt(choice, "message");
    for (const key of FINISHES) finish(edits, at, choice, key, CHAT_FINISH);
    const lost = message !== undefined && takeChatCalls(edits, at, message);
    return lost && message.members.length === 1 && FINISHES.every((key) => isNothing(member(choice, key)));
  });
  // A chunk that held nothing else.
  return emptied.length > 0 && emptied.length === choices.length && isNothing(member(edits.root, "usage")) ? "drop" : "edited";
};
const FINISHES = ["finish_reason", "stop_reason"];
const isNothing = (node: JsonNode | undefined): boolean => node === undefined || (node.kind === "literal" && node.value === null);

/** True: the message has lost its calls. */
function takeChatCalls(edits: CallEdits, choice: number, message: JsonObject): boolean {
  const gone = edits.calls.gone(choice);
  if (gone.has(0) && member(message, "function_call") !== undefined) {
    edits.removeMember(message, "function_call");
    edits.took(choice, 0);
    if (member(message, "tool_calls") === undefined) return true;
  }
  const { items = [] } = itemsOf(message, "tool_calls") ?? {};
  const places = items.map((call, position) => numberOf(call, "index", position));
  for (const [position, call] of items.entries()) {
    const place = places[position] ?? position;
    if (gone.has(place)) edits.took(choice, place);
    else edits.renumber(choice, member(call, "index"));
  }
  return takeItems(edits, message, "tool_calls", (_item, at) => gone.has(places[at] ?? at));
}

/** Takes items out of a list, and the list with the last of them. True: it is gone. */
function takeItems(edits: CallEdits, holder: JsonObject, key: string, goes: (item: JsonNode, at: number) => boolean): boolean {
  const list = itemsOf(holder, key);
  if (list === undefined) return false;
  const isLast = list.items.length > 0 && list.items.every(goes);
  if (isLast) edits.removeMember(holder, key);
  else edits.removeItems(list, goes);
  return isLast;
}
const CHAT_FINISH: Finish = { from: ["tool_calls", "function_call", "stop"], to: "content_filter" };

/** A message of Anthropic's, or an event of one. Calls that the provider runs have results behind them, which mean nothing alone. */
export const anthropicCalls: ShapeRemover = (edits, name): Removal => {
  const { root, calls } = edits;
  const gone = calls.gone(0);
  const content = itemsOf(root, "content");
  if (content !== undefined) {
    if (content.items.some((block, at) => gone.has(at) && wordOf(block, "type") !== "tool_use")) return "end";
    edits.removeItems(content, (_block, at) => gone.has(at));
    for (const at of content.items.keys()) if (gone.has(at)) edits.took(0, at);
    finish(edits, 0, root, "stop_reason", ANTHROPIC_FINISH);
    return "edited";
  }
  const at = numberOf(root, "index", 0);
  switch (wordOf(root, "type") || name) {
    case "content_block_start":
      if (gone.has(at) && wordOf(member(root, "content_block"), "type") !== "tool_use") return "end";
      break;
    case "content_block_delta":
    case "content_block_stop":
      break;
    default:
      finish(edits, 0, member(root, "delta"), "stop_reason", ANTHROPIC_FINISH);
      return "edited";
  }
  if (gone.has(at)) {
    edits.took(0, at);
    return "drop";
  }
  edits.renumber(0, member(root, "index"));
  return "edited";
};
const ANTHROPIC_FINISH: Finish = { from: ["tool_use", "end_turn"], to: "refusal" };

/** An answer of Converse, or an event of one; `name` is the event's type. */
export const converseCalls: ShapeRemover = (edits, name): Removal => {
  const { root, calls } = edits;
  const gone = calls.gone(0);
  // `type` tells what Bedrock runs itself: server_tool_use.
  const isOurs = (block: JsonNode | undefined): boolean => /^(?:tool_use)?$/.test(wordOf(member(block, "toolUse"), "type"));
  const content = itemsOf(member(member(root, "output"), "message"), "content");
  if (content !== undefined) {
    if (content.items.some((block, at) => gone.has(at) && !(isOurs(block) && member(block, "toolUse") !== undefined))) return "end";
    edits.removeItems(content, (_block, at) => gone.has(at), EMPTY_TEXT);
    for (const at of content.items.keys()) if (gone.has(at)) edits.took(0, at);
    finish(edits, 0, root, "stopReason", CONVERSE_FINISH);
    return "edited";
  }
  if (name === "messageStop") finish(edits, 0, root, "stopReason", CONVERSE_FINISH);
  if (name?.startsWith("contentBlock") !== true) return "edited";
  const at = numberOf(root, "contentBlockIndex", 0);
  if (gone.has(at) && !isOurs(member(root, "start"))) return "end";
  if (gone.has(at)) {
    edits.took(0, at);
    return "drop";
  }
  edits.renumber(0, member(root, "contentBlockIndex"));
  return "edited";
};
const CONVERSE_FINISH: Finish = { from: ["tool_use", "end_turn"], to: "guardrail_intervened" };
/** What stands where a message would have no content, which SDKs do not expect. */
const EMPTY_TEXT = '{"text":""}';

/** Chat of Cohere's version 2. Calls are numbered by themselves. */
export const cohereCalls: ShapeRemover = (edits, name): Removal => {
  const { root, calls } = edits;
  const gone = calls.gone(0);
  const type = wordOf(root, "type") || (name ?? "");
  if (type.startsWith("tool-call-")) {
    const at = numberOf(root, "index", 0);
    if (gone.has(at)) {
      edits.took(0, at);
      return "drop";
    }
    edits.renumber(0, member(root, "index"));
    return "edited";
  }
  const message = objectAt(root, "message");
  takeOut(edits, message, "tool_calls");
  for (const holder of [root, member(root, "delta")]) finish(edits, 0, holder, "finish_reason", COHERE_FINISH);
  return "edited";
};
const COHERE_FINISH: Finish = { from: ["TOOL_CALL", "COMPLETE"], to: "ERROR" };

/** Chat of Cohere's version 1: a body, or an event of a stream, whose last repeats the whole. */
export const cohereV1Calls: ShapeRemover = (edits, name): Removal => {
  const { root, calls } = edits;
  const gone = calls.gone(0);
  const chunk = objectAt(root, "tool_call_delta");
  const at = numberOf(chunk, "index", 0);
  if (chunk !== undefined && gone.has(at)) {
    edits.took(0, at);
    if (wordOf(root, "text") === "" || root.kind !== "object") return "drop";
    edits.removeMember(root, "tool_call_delta");
  } else if (chunk !== undefined) edits.renumber(0, member(chunk, "index"));
  const response = objectAt(root, "response");
  const last = itemsOf(response ?? root, "chat_history")?.items.at(-1);
  for (const holder of [root, response, last]) if (holder?.kind === "object") takeOut(edits, holder, "tool_calls");
  for (const holder of [root, response]) finish(edits, 0, holder, "finish_reason", { ...COHERE_FINISH, to: "ERROR_TOXIC" });
  const type = wordOf(root, "event_type") || name;
  return type === "tool-calls-generation" && calls.left(0) === 0 && wordOf(root, "text") === "" ? "drop" : "edited";
};

/** A list whose items are numbered by their place loses those that go. */
function takeOut(edits: CallEdits, holder: JsonObject | undefined, key: string): void {
  const gone = edits.calls.gone(0);
  for (const at of itemsOf(holder, key)?.items.keys() ?? []) if (gone.has(at)) edits.took(0, at);
  if (holder !== undefined) takeItems(edits, holder, key, (_item, at) => gone.has(at));
}

/** Calls of an answer of Responses that the caller runs; the others have results within the answer. */
const CALLERS_OWN: ReadonlySet<string> = new Set([
  ...["function_call", "custom_tool_call", "computer_call"],
  ...["local_shell_call", "shell_call", "apply_patch_call"],
]);

/** A response, or an event of one. It ends where no call is left of it: its end has another name then. */
export function responsesCalls(): ShapeRemover {
  /** Of the items that went. */
  const ids = new Set<string>();
  return (edits, _name): Removal => {
    const { root, calls } = edits;
    const gone = calls.gone(0);
    const response = itemsOf(root, "output") === undefined ? objectAt(root, "response") : root;
    const output = itemsOf(response, "output");
    if (output !== undefined) {
      if (output.items.length === 0) return "edited";
      const goes = (item: JsonNode, at: number): boolean => (ids.size === 0 ? gone.has(at) : ids.has(wordOf(item, "id")));
      const going = output.items.filter(goes);
      if (calls.left(0) === 0 || going.length !== gone.size || !going.every((item) => CALLERS_OWN.has(wordOf(item, "type")))) return "end";
      edits.removeItems(output, goes);
      for (const at of gone) edits.took(0, at);
      return "edited";
    }
    if (member(root, "output_index") === undefined) return "edited";
    const at = numberOf(root, "output_index", 0);
    if (!gone.has(at)) {
      edits.renumber(0, member(root, "output_index"));
      return "edited";
    }
    const item = objectAt(root, "item");
    if (item !== undefined && !CALLERS_OWN.has(wordOf(item, "type"))) return "end";
    if (item !== undefined) ids.add(wordOf(item, "id"));
    edits.took(0, at);
    return "drop";
  };
}
