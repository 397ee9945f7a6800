import { DOTS, isIn } from "./alphabets.ts";
import type { NamePromise } from "./names.ts";
import { entropyOf, isHex, isPlaceholder, isUnbrokenMix, isWordy, looksRandom } from "./randomness.ts";
import type { Sink } from "./sink.ts";

/** Longest value of an assignment, in UTF-16 units. Longer ones are documents and certificates. */
export const VALUE_CHARS_MAX = 512;

/** A value as it stands in the text. */
export interface Value {
  readonly start: number;
  readonly end: number;
  readonly quoted: boolean;
}

/** What ends a value that stands without quotes. */
const COLON = 58;
const EQUALS = 61;
/** From here on scripts have no blanks between words: where one begins, what is in ASCII ends. */
const IDEOGRAPHS_FROM = 0x2e80;
const BARE_ENDS: Uint8Array = (() => {
  const ends = new Uint8Array(128);
  for (const sign of ` \t\n\r\v\f"'\`<>,;&|()[]{}\\`) ends[sign.charCodeAt(0)] = 1;
  return ends;
})();

/**
 * The value that begins at or a few signs behind `at`: quoted, up to its quote on the same line, or bare, up to a blank or a sign.
 * `pending` is said for what the end of the text cut.
 */
export function readValue(sink: Sink, at: number): Value | undefined {
  const { text } = sink;
  const quote = text.charAt(at);
  const escaped = quote === "\\" && /["']/.test(text.charAt(at + 1));
  if (escaped) return readQuoted(sink, at + 2, text.charAt(at + 1)) ?? undefined;
  if (quote === '"' || quote === "'" || quote === "`") return readQuoted(sink, at + 1, quote);
  return readBare(sink, at);
}

function readQuoted(sink: Sink, start: number, quote: string): Value | undefined {
  const { text } = sink;
  const bound = Math.min(text.length, start + VALUE_CHARS_MAX);
  let end = start;
  for (; end < bound; end += 1) {
    const character = text.charAt(end);
    if (character === quote || character === "\n") break;
    if (character === "\\" && text.charAt(end + 1) === quote) break;
  }
  if (sink.isBeyond(end, start)) return undefined;
  if (end === text.length) return readBare(sink, start);
  if (end === bound) return undefined;
  if (text.charAt(end) === "\n") return readBare(sink, start);
  return { start, end, quoted: true };
}

function readBare(sink: Sink, start: number): Value | undefined {
  const { text } = sink;
  const bound = Math.min(text.length, start + VALUE_CHARS_MAX);
  let end = start;
  // A second colon or a fifth `=` ends it: else a list of `a:b:c:` would be read once for each of its colons.
  const isPlain = text.charCodeAt(start) < 128;
  for (let [colons, equals] = [0, 0]; end < bound; end += 1) {
    const code = text.charCodeAt(end);
    if (BARE_ENDS[code] === 1 || (isPlain && code >= IDEOGRAPHS_FROM)) break;
    if ((code === COLON && ++colons > 1) || (code === EQUALS && ++equals > 4)) break;
  }
  sink.isBeyond(end, start);
  if (end >= start + VALUE_CHARS_MAX) return undefined;
  // A stop or a colon at the end is the sentence's.
  while (end > start && /[.:!?。，；、]/.test(text.charAt(end - 1))) end -= 1;
  return end > start ? { start, end, quoted: false } : undefined;
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
/** Each takes linear time: what repeats begins with a sign that nothing before it can be. Things of their own kind that stand as values: digests, addresses, dates, paths, data of images, references to code and to vaults. */
const OTHER_THINGS = [
  /^(?:sha(?:1|224|256|384|512)|md5|blake2[bs])[-:~]/i,
  /^[a-z][a-z0-9+.-]{1,15}:\/\//i,
  /^(?:data|blob|urn|arn|mailto|file|vault|ref|env|ssm|secretsmanager|op|projects|secret|keychain|system|hash|bcrypt):/i,
  /^\d{4}-\d\d-\d\d/,
  /^(?:\.{0,2}|~|[A-Za-z]:)[\\/][\w.-]+(?:[\\/][\w.-]+)*[\\/]?$/,
  /^(?:[\w-]+\/)+[\w.-]+\.\w{1,5}$/,
  /^(?:[a-z][\w-]*\.)+[a-z]{2,}(?::\d+)?(?:\/\S*)?$/i,
  /^[\w.+-]+@[\w-]+\.[\w.-]+$/,
  /^v?\d+\.\d[\w.+-]*$/i,
  /^\$2[aby]\$|^\$argon2|^\$[156]\$|^pbkdf2|^scrypt/i,
];
/** A call, an index or a member of an object: code, not a value. */
const CODE =
  /^(?:[A-Za-z_$][\w$]*\s*[([.]|new |await |process\.|os\.|env\.|self\.|this\.|config[.[]|secrets?\.|vars?\.|var\.|local\.|data\.|module\.)/;

/** How sure it is that a value with such a name is a secret; 0 for no. */
export function scoreOfValue(value: string, quoted: boolean, promise: NamePromise, assigned: boolean): number {
  if (value.length < 4 || isPlaceholder(value)) return 0;
  if (UUID.test(value)) return promise.plainIds ? 0.8 : promise.kind === "secret" ? 0.7 : 0;
  if (OTHER_THINGS.some((thing) => thing.test(value))) return 0;
  if (!quoted && CODE.test(value) && !value.split(".").some((part) => looksRandom(part, 20))) return 0;
  if (promise.kind === "password") return scoreOfPassword(value, quoted, assigned);
  if (/[\s{}"'`<>()|]/.test(value)) return 0;
  if (promise.plainIds && /^\d{15,20}$/.test(value)) return 0.7;
  if (promise.kind === "secret") return scoreOfDrawn(value, quoted);
  return scoreOfHinted(value, promise);
}

/** Passwords are thought up: letters with digits or signs, no sentence; words alone only where a program assigns them. */
function scoreOfPassword(value: string, quoted: boolean, assigned: boolean): number {
  const blanks = value.split(/\s+/).length - 1;
  if (blanks > 3 || /[\u2e80-\ud7ff]/.test(value)) return 0;
  const kinds = [/[a-z]/, /[A-Z]/, /\d/, /[^\w\s]/, /[\u0080-\uffff]/].filter((kind) => kind.test(value)).length;
  if (isWordy(value)) {
    if (/[!@#$%^&*?]/.test(value) && kinds >= 2 && blanks === 0 && /[!@#$%^&*?]\S|\w[!?]{1,}\d/.test(value)) return 0.7;
    if (/\d$/.test(value) && blanks === 0 && value.length >= 6 && quoted) return 0.7;
    if (/\d$/.test(value) && blanks === 0 && value.length >= 7) return 0.6;
    const isWord = blanks === 0 && /^[a-z]{6,40}$/.test(value) && !UI_WORDS.test(value);
    return quoted && assigned && isWord ? 0.6 : blanks === 0 && value.length >= 16 && looksRandom(value, 16) ? 0.8 : 0;
  }
  if (/^\d+$/.test(value)) return quoted || assigned ? (value.length >= 6 && value.length <= 20 ? 0.6 : 0) : 0;
  if (blanks > 0 && !/\d/.test(value)) return 0;
  if (value.length < 6 && !quoted) return 0;
  return kinds >= 2 ? (value.length >= 8 ? 0.85 : 0.7) : 0;
}
const UI_WORDS =
  /^(?:password|passwort|required|string|hidden|secret|optional|invalid|incorrect|missing|enter|confirm|forgot|reset|change|current|text|number|boolean|object|varchar|plain|basic|token|bearer|value|object|input|admin|root|username|account|credentials|unknown|disabled|enabled|manual|prompt|encrypted|hashed|masked|keyring|external|internal|managed|default|function|return|import)$/;

/** Values that machines draw: long enough, mixed, no words. */
function scoreOfDrawn(value: string, quoted: boolean): number {
  if (isWordy(value)) return looksRandom(value, 16) ? 0.8 : 0;
  if (/^\d+$/.test(value)) return 0;
  if (looksRandom(value, 8)) return value.length >= 16 ? 0.9 : value.length >= 10 ? 0.75 : 0.6;
  if (hasRandomPart(value) || isUnbrokenMix(value)) return 0.8;
  // Short or half-spoken secrets in quotes: `s3cr3t-p4ss`.
  return quoted &&
    value.length >= 8 &&
    /\d/.test(value) &&
    entropyOf(value) >= 2.5 &&
    !/^[A-Za-z][\w-]*[-_ .]\d{1,4}$/.test(value) &&
    /[A-Za-z]\d+[A-Za-z]|[^\w\s.:/-]/.test(value)
    ? 0.6
    : 0;
}

function scoreOfHinted(value: string, { vendor }: NamePromise): number {
  // `gpt-4o-mini-2024-07-18`: many short parts are a name.
  if (!/[A-Za-z0-9+/]{8}/.test(value)) return 0;
  if (isWordy(value) && !(vendor !== undefined && looksRandom(value, 20))) return 0;
  if (value.includes(".") && !hasRandomPart(value)) return 0;
  if (vendor === undefined && isHex(value)) return 0;
  if (vendor === "contribsys" && /^[0-9a-f]{8}:[0-9a-f]{8}$/.test(value)) return 0.9;
  return looksRandom(value, vendor === undefined ? 20 : 14) || (vendor !== undefined && isUnbrokenMix(value))
    ? vendor === undefined
      ? 0.7
      : 0.8
    : 0;
}

/** Whether a value of several parts has one of sixteen units or more that looks drawn. */
function hasRandomPart(value: string): boolean {
  return value.split(/[.:_\-/+=~]/).some((part) => part.length >= 16 && looksRandom(part, 16));
}

/** Whether a bare value goes on like code: `(`, `[` or `.` directly behind it. */
export const goesOnAsCode = (text: string, end: number): boolean =>
  /[([]/.test(text.charAt(end)) || (isIn(text, end, DOTS) && /[A-Za-z_]/.test(text.charAt(end + 1)));
