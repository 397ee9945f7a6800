/**
 * JSON in which a key stands twice in one object. `JSON.parse` takes the last value, as most clients do; some take the first, and what
 * they read no rule would have seen. No provider writes such JSON on purpose, so it is looked for at the least cost: a text has as
 * many members as it has colons outside its strings, and where the parsed value has fewer, some are hidden.
 */
import { isJsonObject, type Json, type JsonNode, placeSteps } from "../../core/json.ts";
import { isStepDone, type Steps } from "../../core/slice.ts";
import type { ReadJson } from "./text-places.ts";

/** A value that a later one of the same key hides. */
export interface Hidden {
  /** Of a string what it says, else its JSON. */
  readonly text: string;
  /** It says what is called, with what or in which place: of two readings of the answer only one has that call. */
  readonly ofCall: boolean;
}

const NONE: readonly Hidden[] = [];
/** Members that make a tool call what it is, in any dialect. */
const CALL_KEYS: ReadonlySet<string> = new Set([
  ...["name", "type", "function", "custom", "arguments", "input", "args", "partialArgs", "partial_args", "partial_json", "jsonPath"],
  ...["tool_calls", "function_call", "functionCall", "toolCall", "toolType", "executableCode", "toolUse", "toolUseId", "server_name"],
  ...["server_label", "command", "commands", "code", "diff", "operation", "action"],
  ...["index", "output_index", "contentBlockIndex", "item_id"],
]);
const QUOTE = 34;
const BACKSLASH = 92;
const COLON = 58;
/** Characters between two looks at the clock; inside of strings of escaped quotes, a millisecond. */
const STEP_CHARS = 16_384;

/** Values that a later one of the same key hides. */
export function* hiddenValues({ root, source }: ReadJson): Steps<readonly Hidden[]> {
  if ((yield* colonsOf(source)) === (yield* membersOf(root))) return NONE;
  const doc = yield* placeSteps(source);
  // More values than can be placed: nobody can say what is hidden.
  if (doc === undefined) return [{ text: source, ofCall: true }];
  const hidden: Hidden[] = [];
  const work: JsonNode[] = [doc.root];
  let count = 0;
  for (let node = work.pop(); node !== undefined; node = work.pop()) {
    if (isStepDone(++count)) yield;
    if (node.kind === "array") for (const item of node.items) work.push(item);
    if (node.kind !== "object") continue;
    const last = new Map(node.members.map(({ key, value }) => [key, value]));
    for (const { key, value } of node.members) {
      if (last.get(key) === value) work.push(value);
      else {
        const text = value.kind === "string" ? value.value : source.slice(value.start, value.end);
        hidden.push({ text, ofCall: CALL_KEYS.has(key) || (yield* holdsCall(value)) });
      }
    }
  }
  return hidden;
}

function* holdsCall(value: JsonNode): Steps<boolean> {
  const work: JsonNode[] = [value];
  let count = 0;
  for (let node = work.pop(); node !== undefined; node = work.pop()) {
    if (isStepDone(++count)) yield;
    if (node.kind === "array") for (const item of node.items) work.push(item);
    if (node.kind !== "object") continue;
    for (const member of node.members) {
      if (CALL_KEYS.has(member.key)) return true;
      work.push(member.value);
    }
  }
  return false;
}

function* colonsOf(source: string): Steps<number> {
  let colons = 0;
  let inString = false;
  let until = STEP_CHARS;
  for (let at = 0; at < source.length; at += 1) {
    if (at >= until) {
      yield;
      until = at + STEP_CHARS;
    }
    if (inString) {
      at = source.indexOf('"', at);
      if (at === -1) break;
      inString = isEscaped(source, at);
      continue;
    }
    const code = source.charCodeAt(at);
    if (code === COLON) colons += 1;
    inString = code === QUOTE;
  }
  return colons;
}

/** Is the quote that stands there a sign of its string? */
function isEscaped(source: string, at: number): boolean {
  let slashes = 0;
  while (source.charCodeAt(at - 1 - slashes) === BACKSLASH) slashes += 1;
  return slashes % 2 === 1;
}

function* membersOf(root: Json): Steps<number> {
  const work: Json[] = [root];
  let members = 0;
  let count = 0;
  for (let value = work.pop(); value !== undefined; value = work.pop()) {
    if (Array.isArray(value)) {
      for (const item of value) {
        if (isStepDone(++count)) yield;
        if (typeof item === "object") work.push(item);
      }
    } else if (isJsonObject(value)) {
      for (const key in value) {
        if (!Object.hasOwn(value, key)) continue;
        if (isStepDone(++members)) yield;
        const inner = value[key];
        if (typeof inner === "object") work.push(inner);
      }
    }
  }
  return members;
}
