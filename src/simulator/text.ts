import { isObject, listOf, numberOf, objectOf, textOf, type Values } from "./values.ts";

/** Neutral words for answers: nothing in them can look private, blocked or like a secret. */
const WORDS =
  "river paper window garden simple morning quiet bridge copper lantern meadow signal gentle harbor maple number orange pocket summer thread valley winter yellow anchor basket candle desert engine forest glacier hammer island journey kettle ladder mirror needle ocean pencil quartz ribbon silver timber umbrella velvet walnut yarn zephyr".split(
    " ",
  );

/** FNV-1a over UTF-16 units, 32 bit. Long texts count by length and their two ends, so that the cost stays bounded. */
export function hashText(text: string, seed: number): number {
  const edge = 8192;
  let hash = (0x811c9dc5 ^ seed ^ text.length) >>> 0;
  const mix = (from: number, to: number): void => {
    for (let i = from; i < to; i += 1) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  };
  if (text.length <= 2 * edge) mix(0, text.length);
  else {
    mix(0, edge);
    mix(text.length - edge, text.length);
  }
  return hash >>> 0;
}

/** The next of a fixed sequence of numbers (xorshift32), 1 to 2^32 - 1. */
export function nextHash(hash: number): number {
  let x = hash === 0 ? 0x9e3779b9 : hash;
  x ^= x << 13;
  x ^= x >>> 17;
  x ^= x << 5;
  return x >>> 0;
}

/** `length` letters and digits that follow from `hash`; for ids. */
export function idText(hash: number, length: number): string {
  const alphabet = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  let state = nextHash(hash);
  let text = "";
  for (let i = 0; i < length; i += 1) {
    text += alphabet[state % 62];
    state = nextHash(state);
  }
  return text;
}

/** Input tokens of the simulator's own rule: a quarter of the UTF-8 bytes of all prompt texts, rounded up. */
export const inputTokensOf = (bytes: number): number => Math.ceil(bytes / 4);

/** An answer of `count` tokens; one token is one word with the space before it. */
export function answerTokens(options: { readonly promptChars: number; readonly hash: number; readonly count: number }): string[] {
  const tokens = ["Simulated", " answer", " to", ` ${options.promptChars}`, " characters:"].slice(0, options.count);
  let state = nextHash(options.hash);
  for (let i = tokens.length; i < options.count; i += 1) {
    const word = WORDS[state % WORDS.length] ?? "river";
    tokens.push((i - 5) % 9 === 8 ? ` ${word}.` : ` ${word}`);
    state = nextHash(state);
  }
  return tokens;
}

/** Cuts a text into tokens that join to exactly that text. */
export const tokensOf = (text: string): string[] => text.match(/\s*\S+|\s+$/g) ?? [];

/** Cuts JSON text into small pieces, as providers stream it. */
export function jsonTokens(text: string): string[] {
  const tokens: string[] = [];
  for (let at = 0; at < text.length; ) {
    let size = at === 0 ? 2 : 5;
    // A surrogate pair stays whole: half of one is not valid JSON text in UTF-8.
    const last = text.charCodeAt(at + size - 1);
    if (last >= 0xd800 && last <= 0xdbff) size += 1;
    tokens.push(text.slice(at, at + size));
    at += size;
  }
  return tokens;
}

const FORMATS: Readonly<Record<string, string>> = {
  "date-time": "2026-01-02T03:04:05Z",
  date: "2026-01-02",
  time: "03:04:05Z",
  duration: "P1D",
  email: "someone@example.com",
  hostname: "example.com",
  ipv4: "192.0.2.1",
  ipv6: "2001:db8::1",
  uuid: "00000000-0000-4000-8000-000000000000",
  uri: "https://example.com/",
};
const SCHEMA_DEPTH_MAX = 12;

function exampleText(schema: Values): string {
  const format = textOf(schema["format"]);
  const known = format === undefined ? undefined : FORMATS[format];
  if (known !== undefined) return known;
  const min = numberOf(schema["minLength"]) ?? 0;
  const max = numberOf(schema["maxLength"]) ?? 64;
  return "simulated".padEnd(Math.min(min, 1024), "x").slice(0, Math.max(0, max));
}

function exampleNumber(schema: Values, whole: boolean): number {
  const step = numberOf(schema["multipleOf"]) ?? 1;
  const over = numberOf(schema["exclusiveMinimum"]);
  const min = over !== undefined ? over + step : numberOf(schema["minimum"]);
  const max = numberOf(schema["maximum"]);
  const value = min ?? (max !== undefined && max < 2 ? max : 2);
  return whole ? Math.ceil(value) : value;
}

function exampleObject(schema: Values, root: Values, depth: number): Values {
  const properties = objectOf(schema["properties"]);
  const required = new Set(listOf(schema["required"]));
  const names = Object.keys(properties).filter((name) => required.size === 0 || required.has(name));
  return Object.fromEntries(names.map((name) => [name, exampleOf(properties[name], root, depth + 1)]));
}

function resolved(schema: Values, root: Values): Values {
  const ref = textOf(schema["$ref"]);
  if (ref === undefined || !ref.startsWith("#/")) return schema;
  let node: unknown = root;
  for (const step of ref.slice(2).split("/")) node = objectOf(node)[step.replaceAll("~1", "/").replaceAll("~0", "~")];
  return objectOf(node);
}

/** A value that satisfies a simple JSON Schema or Gemini schema (upper-case types). Depth-limited; `null` past it. */
export function exampleOf(raw: unknown, root: Values = objectOf(raw), depth = 0): unknown {
  if (depth > SCHEMA_DEPTH_MAX) return null;
  const schema = resolved(objectOf(raw), root);
  if ("const" in schema) return schema["const"];
  const choice = listOf(schema["enum"])[0];
  if (choice !== undefined) return choice;
  const variant = listOf(schema["anyOf"])[0] ?? listOf(schema["oneOf"])[0] ?? listOf(schema["allOf"])[0];
  if (variant !== undefined) return exampleOf(variant, root, depth + 1);
  const types = Array.isArray(schema["type"]) ? listOf(schema["type"]) : [schema["type"]];
  switch (textOf(types[0])?.toLowerCase()) {
    case "string":
      return exampleText(schema);
    case "integer":
      return exampleNumber(schema, true);
    case "number":
      return exampleNumber(schema, false);
    case "boolean":
      return true;
    case "null":
      return null;
    case "array": {
      const count = Math.min(8, Math.max(1, numberOf(schema["minItems"]) ?? 1));
      return Array.from({ length: count }, () => exampleOf(schema["items"], root, depth + 1));
    }
    default:
      return isObject(schema["properties"]) || depth === 0 || types[0] !== undefined ? exampleObject(schema, root, depth) : "simulated";
  }
}
