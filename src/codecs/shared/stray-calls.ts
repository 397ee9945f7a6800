/**
 * Calls where no codec expects one: in another member than those that are read, in an event that brings none, or beside those of the same
 * message. An SDK may take such a one for a call, and nobody has judged it. No provider sends any, so a text is looked at closely only where it
 * has a word that calls are made of.
 */
import { canonicalJson } from "../../core/canonical.ts";
import { isJsonObject, type Json, parseJsonValue } from "../../core/json.ts";
import { isStepDone, type Steps } from "../../core/slice.ts";
import { isRewritable } from "./answer-tally.ts";
import type { ReadJson } from "./text-places.ts";

/** Members that hold a call, or a list of them, in any dialect. */
const CALL_MEMBERS: ReadonlySet<string> = new Set([
  ...["tool_calls", "function_call", "tool_call_delta", "functionCall", "function_calls", "functionCalls", "toolUse"],
  ...["toolCall", "executableCode"],
]);
/** Types of blocks and items that are calls: `tool_use`, `server_tool_use`, `function_call`, `web_search_call`. */
const CALL_TYPE = /(?:^|_)(?:tool_use|call)$/;
/** Members that hold what others said: sources, results, labels. */
const OTHERS: ReadonlySet<string> = new Set([
  ...["tool_output", "tool_results", "documents", "citations", "annotations", "groundingMetadata", "search_results"],
  ...["attributes", "metadata", "trace"],
]);
/** With escapes in it any word may be spelled otherwise. */
const MAY_CALL = /tool_?(?:calls?|use)|function_?calls?|executableCode|_call"|\\u/i;

/**
 * Is there a call that was not read? `read`: the objects that were read as calls. `opaque`: values that hold other people's JSON (arguments,
 * results of tools, what is repeated of the request).
 */
export function* hasStrayCall({ root, source }: ReadJson, read: ReadonlySet<Json>, opaque: ReadonlySet<Json>): Steps<boolean> {
  if (!MAY_CALL.test(source)) return false;
  const work: Json[] = [root];
  let count = 0;
  for (let at = work.pop(); at !== undefined; at = work.pop()) {
    if (isStepDone(++count)) yield;
    if (opaque.has(at)) continue;
    if (Array.isArray(at)) {
      for (const item of at) if (typeof item === "object" && item !== null) work.push(item);
      continue;
    }
    if (!isJsonObject(at)) continue;
    if (isCall(at) && !read.has(at)) return true;
    for (const key in at) {
      const inner = at[key];
      if (typeof inner !== "object" || inner === null || OTHERS.has(key) || !Object.hasOwn(at, key)) continue;
      if (CALL_MEMBERS.has(key))
        for (const one of Array.isArray(inner) ? inner : [inner]) if (isJsonObject(one) && !read.has(one)) return true;
      work.push(inner);
    }
  }
  return false;
}

const isCall = (at: { readonly [key: string]: Json }): boolean => {
  const { type } = at;
  return typeof type === "string" && CALL_TYPE.test(type) && SAYS.some((key) => at[key] !== undefined);
};
/** Members of a call: what else has such a type (an error) has none of them. */
const SAYS = ["name", "arguments", "input", "action", "operation", "code"];

/**
 * Are the arguments of a call the same where they come once more? A server may write the same value in another way then; numbers are compared
 * as doubles, as one of the two may be a value that was parsed.
 */
export function isSameArguments(one: string, other: string): boolean {
  if (one === other) return true;
  const text = valueText(one);
  return text !== undefined && text === valueText(other);
}

function valueText(text: string): string | undefined {
  const value = parseJsonValue(text === "" ? "{}" : text);
  // Of a value that is nested too deep nobody says that it is the same.
  return value === undefined || !isRewritable(value) ? undefined : canonicalJson(JSON.stringify(value));
}
