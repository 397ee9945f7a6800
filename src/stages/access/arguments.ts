/** What the policy's schemas say of the arguments of a call. */
import { field, isJsonObject, type Json, parseJsonValue } from "../../core/json.ts";
import { memoized } from "../../core/memo.ts";
import { matchesAnyForm } from "../../core/patterns.ts";
import type { ToolCall } from "../../core/view.ts";
import { type CheckValue, checkable, compileSchema } from "../shared/json-schema.ts";
import type { AccessSection } from "./section.ts";

type ToolsSection = AccessSection["tools"];

/** Compiled once for each section. */
const checksOf = memoized((section: ToolsSection) =>
  section.arguments.map(({ tool, schema, otherwise }) => ({ of: [tool], otherwise, schema, check: compileSchema(schema) })),
);

interface Rule {
  readonly check: CheckValue;
  readonly schema: Readonly<Record<string, Json>>;
}

export const hasArgumentRules = (section: ToolsSection, name: string): boolean =>
  checksOf(section).some(({ of }) => matchesAnyForm(of, name));

/** `text` is the canonical text of the arguments. `where`: the rule that they break, in words of the schema alone. */
export function judgeArguments(
  section: ToolsSection,
  { name, plain }: Pick<ToolCall, "name" | "plain">,
  text: string,
): { readonly verdict: "allow" | "approve" | "deny"; readonly where: string } {
  let verdict: "allow" | "approve" = "allow";
  for (const rule of checksOf(section)) {
    if (!matchesAnyForm(rule.of, name)) continue;
    const value = judgedValue(text);
    const where = plain === undefined ? checkObject(rule, value) : checkPlain(rule, value, plain);
    if (where === undefined) continue;
    if (rule.otherwise === "deny") return { verdict: "deny", where };
    verdict = "approve";
  }
  return { verdict, where: "" };
}

/** A schema that speaks of members is of an object: a list would keep to it, since it has none. */
function checkObject({ check, schema }: Rule, value: Json): string | undefined {
  const isOfObject = schema["type"] === undefined && (schema["properties"] !== undefined || schema["required"] !== undefined);
  return isOfObject && !isJsonObject(value) ? "schema, which is of an object" : check(value);
}

/** A plain text is judged as the object that holds it where the schema speaks of that, else as the JSON that it may be. */
function checkPlain({ check, schema }: Rule, whole: Json, { key, beside }: NonNullable<ToolCall["plain"]>): string | undefined {
  if (beside !== undefined || field(field(schema, "properties"), key) !== undefined) return check(whole);
  const text = field(whole, key);
  if (typeof text !== "string" || checkable(text) === undefined) return `schema, which says nothing of ${key}`;
  return check(judgedValue(text));
}

/** A string or a number of canonical JSON. */
const TOKEN = /"(?:[^"\\]|\\.)*"|-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/g;
/** Fewer digits in a row are always held by a double. */
const LONG = /[0-9]{16}/;

/**
 * Whole numbers that a double cannot hold count as endless: no number that a schema names, and beyond every bound. Else one would
 * pass for its neighbour, and the program that the call is for may read every digit.
 */
function judgedValue(text: string): Json {
  const exact = LONG.test(text) ? text.replaceAll(TOKEN, endless) : text;
  return parseJsonValue(exact) ?? null;
}

function endless(token: string): string {
  if (!/^-?[0-9]{16,}$/.test(token) || Number.isSafeInteger(Number(token))) return token;
  return token.startsWith("-") ? "-1e999" : "1e999";
}
