import { isIn, WORD } from "./alphabets.ts";
import type { SecretEntity } from "./entities.ts";
import { lastWordsOf, mayPromise, NAME_CHARS_MAX, type NamePromise } from "./names.ts";
import { RANK_CONTEXT, type Sink } from "./sink.ts";
import { goesOnAsCode, readValue, scoreOfValue, type Value } from "./values.ts";

/** Furthest from an operator to the value it gives, in UTF-16 units: blanks, brackets, a mark of the string's kind. */
export const GAP_CHARS_MAX = 16;
/** How far before an operator a name may stand, in UTF-16 units: its own length, closing signs and a type between. */
const BACK_CHARS_MAX = 160;

/**
 * `name = value` in the spellings of programs, settings and people: `=`, `:=`, `=>`, `:`, `||`, `->`, `>` of an element, `,` and `(` of a
 * call, `is`. `at` is the operator's last sign. The finding is the value alone; what stands before it decides and is looked back at.
 */
export function matchAssignment(sink: Sink, at: number, operator: "=" | ":" | ">" | "," | "(" | "|"): void {
  const { text } = sink;
  const next = text.charAt(at + 1);
  if (operator === "=" && (next === "=" || next === ">" || next === "~")) return;
  if (operator === ":" && (next === ":" || next === "=" || next === "/")) return;
  if (operator === ">" && next === ">") return;
  if (operator === "|" && (next === "|" || next === ":" || next === "=" || text.charAt(at - 1) !== "|")) return;
  const start = skipGap(text, at + 1, operator);
  if ((operator === "," || operator === "(") && !QUOTES.includes(text.charAt(start))) return;
  const phrase = nameBefore(text, at, operator);
  if (phrase === undefined || !mayPromise(phrase, 0, phrase.length)) return;
  const name = operator === "(" ? calledName(phrase) : lastWords(phrase);
  const promise = sink.promiseOf(name);
  if (promise === undefined) return;
  const value = readValue(sink, start);
  if (value === undefined) return;
  if ((operator === "," || operator === "(") && !value.quoted) return;
  takeValue(sink, value, { promise, assigned: operator === "=", name });
}

const OPERATOR_CHARS_MAX = 8;
/** Blanks, quotes and brackets between a name and its operator, in UTF-16 units. */
const CLOSER_CHARS_MAX = 24;

/** A string begins; a backslash, where the whole is written in a string itself. */
const QUOTES = "\"'`\\";

/** Judges a value with its name and takes it. */
export function takeValue(
  sink: Sink,
  { start, end, quoted }: Value,
  { promise, assigned, name }: { readonly promise: NamePromise; readonly assigned: boolean; readonly name: string },
): void {
  const { text } = sink;
  const value = text.slice(start, end);
  if (!quoted && goesOnAsCode(text, end) && !/\d.*\d/.test(value)) return;
  const score = sink.scoreOf(`${name}\n${quoted}${assigned}\n${value}`, () => scoreOfValue(value, quoted, promise, assigned));
  if (score > 0) sink.take({ entity: entityOf(promise, name, value), start, end, score, rank: RANK_CONTEXT });
}

const VENDOR_ENTITIES: ReadonlyMap<string, SecretEntity> = new Map([
  ["aws", "secret_aws_key"],
  ["azure", "secret_azure_key"],
  ["gcp", "secret_gcp_key"],
  ["openai", "secret_openai_key"],
  ["anthropic", "secret_anthropic_key"],
  ["cohere", "secret_model_provider_key"],
  ["mistral", "secret_model_provider_key"],
  ["deepseek", "secret_model_provider_key"],
  ["github", "secret_github_token"],
  ["gitlab", "secret_gitlab_token"],
  ["bitbucket", "secret_vcs_token"],
  ["slack", "secret_slack_token"],
  ["discord", "secret_chat_token"],
  ["telegram", "secret_chat_token"],
  ["stripe", "secret_stripe_key"],
]);

function entityOf(promise: NamePromise, name: string, value: string): SecretEntity {
  if (promise.kind === "password") return "secret_password";
  if (/^[A-Za-z0-9+/]{86}==$/.test(value) && /account|shared/i.test(name)) return "secret_azure_key";
  return (promise.vendor === undefined ? undefined : VENDOR_ENTITIES.get(promise.vendor)) ?? "secret_generic";
}

/** Past blanks, opening signs and marks of string kinds (`@"`, `b'`, `**` of Markdown). */
function skipGap(text: string, from: number, operator: string): number {
  const bound = Math.min(text.length, from + GAP_CHARS_MAX - 5);
  let at = from;
  for (; at < bound; at += 1) {
    const sign = text.charAt(at);
    if (sign === "\n" && operator === ":" && !/\S/.test(text.charAt(at + 1))) continue;
    if (sign !== " " && sign !== "\t" && sign !== "(" && sign !== "[" && sign !== "{" && sign !== "*" && sign !== "@") break;
    if (sign === "{" && text.charAt(at + 1) === "{") break;
  }
  if (/[bBrRuUfFL$]/.test(text.charAt(at)) && /["'`]/.test(text.charAt(at + 1)) && text.charAt(at) !== "$") at += 1;
  return at;
}

/** The name that the operator at `at` assigns to, as it is written; undefined where none stands there. */
function nameBefore(text: string, at: number, operator: string): string | undefined {
  const least = Math.max(0, at - BACK_CHARS_MAX);
  let end = at;
  while (end > at - OPERATOR_CHARS_MAX && ":=|?!<>+-~(".includes(text.charAt(end - 1) || " ")) end -= 1;
  const closed = skipClosers(text, end, least);
  if (operator === "," && !/["'`]/.test(text.charAt(closed))) return undefined;
  let start = phraseStart(text, closed, least);
  if (operator === ">" && !/[=-]/.test(text.charAt(at - 1))) return elementName(text, at, least);
  if (start === closed) return undefined;
  if (text.charAt(start - 1) === "[" && /^\d*$/.test(text.slice(start, closed))) {
    const outer = skipClosers(text, start - 1, least);
    start = phraseStart(text, outer, least);
    return text.slice(start, outer);
  }
  let name = text.slice(start, closed);
  if (operator === "=" && text.charAt(start - 1) === ":" && text.charAt(start) === " ") {
    // `apiKey: string = ...`: what stands behind the colon is a type.
    const outer = skipClosers(text, text.lastIndexOf(":", start), least);
    name = text.slice(phraseStart(text, outer, least), outer);
  }
  return name.length < 12 && /^value$/i.test(name.trim()) ? (siblingName(text, start, least) ?? name) : name;
}

function skipClosers(text: string, from: number, least: number): number {
  let end = from;
  const bound = Math.max(least, from - CLOSER_CHARS_MAX);
  while (end > bound && ` \t"'\`)]}\\*?`.includes(text.charAt(end - 1))) end -= 1;
  return end;
}

/** Names have letters, digits and `_ - . $`, and blanks between; not more than `NAME_CHARS_MAX` units. */
function phraseStart(text: string, end: number, least: number): number {
  const bound = Math.max(least, end - NAME_CHARS_MAX);
  let start = end;
  while (start > bound && isOfName(text, start - 1)) start -= 1;
  return start;
}
const isOfName = (text: string, at: number): boolean =>
  isIn(text, at, WORD) || " \t-.$".includes(text.charAt(at)) || isForeign(text.charCodeAt(at));
/** Letters beyond ASCII: everything there but punctuation of the blocks that have little else. */
const isForeign = (code: number): boolean => code >= 0xc0 && (code < 0x2000 || code > 0x303f) && code < 0xfe00;

/** Of `a.b.setToken` the last part; of `token.assign` what is assigned to. */
const calledName = (phrase: string): string => phrase.replace(/\.assign$/, "").replace(/^.*[.\s]/, "");

/** In a sentence only what stands next to the operator names the value. */
const lastWords = (phrase: string): string => (phrase.includes(" ") || phrase.includes("\t") ? lastWordsOf(phrase, 4) : phrase);

/** `<token>` and `<entry name="token">`. */
function elementName(text: string, at: number, least: number): string | undefined {
  const before = text.slice(least, at);
  const inside = before.slice(before.lastIndexOf("<") + 1);
  if (inside.length === before.length) return undefined;
  if (!/^[A-Za-z_]/.test(inside) || inside.endsWith("/")) return undefined;
  const named = /\b(?:name|key|id)\s*=\s*["']([^"']{1,64})["']/.exec(inside);
  return named?.[1] ?? /^[\w:.-]+/.exec(inside)?.[0];
}

/** `key="Password" value=`, `"name": "DB_PASSWORD", "value":`, `- name: TOKEN\n  value:`. */
function siblingName(text: string, end: number, least: number): string | undefined {
  return /\b(?:key|name)["']?\s{0,4}[:=]\s{0,4}["']?([\w.-]{1,64})["']?[\s,]{0,40}["']?$/i.exec(text.slice(least, end))?.[1];
}
