import { runStart, SLUG } from "./alphabets.ts";
import { GAP_CHARS_MAX, takeValue } from "./assignments.ts";
import { decoded } from "./checks.ts";
import { lastWordsOf, mayPromise } from "./names.ts";
import { entropyOf, isPlaceholder, isWordy, looksRandom } from "./randomness.ts";
import { RANK_CONTEXT, type Sink } from "./sink.ts";
import { readValue, type Value } from "./values.ts";

/** How far before `-u` the `curl` of a command may stand, and before `Bearer` its header's name. */
const COMMAND_CHARS_MAX = 300;

/** Two capitals as small letters. */
const TO_SMALL = (32 << 7) | 32;

/** A value with only a blank before it: `Bearer x`, `curl -u a:b`, `--token x`, `password x`, `the key is x`. `at` is the blank. */
export function matchSpoken(sink: Sink, at: number): void {
  const { text } = sink;
  const last = text.charCodeAt(at - 1);
  if (last > 127) return;
  const isTail = TAILS[tripleBefore(text, at)] === 1;
  if (!isTail && FLAG_TAILS[((text.charCodeAt(at - 2) << 7) | last | TO_SMALL) & 0x3fff] !== 1) return;
  const start = runStart(text, at, SLUG, at - 32);
  if (!isTail && !text.startsWith("--", start)) return;
  const word = text.slice(start, at);
  const lower = word.toLowerCase();
  const rule = RULES.get(lower);
  if (rule === undefined && !lower.startsWith("--") && !ENDS.test(lower)) return;
  let from = at + 1;
  while (from < at + GAP_CHARS_MAX - 4 && text.charAt(from) === " ") from += 1;
  if (rule !== undefined) rule(sink, from, start);
  if (rule === undefined || lower === "token" || lower === "apikey") matchFlag(sink, from, word);
}

/** The last three signs of the words that a value may follow, as `tripleBefore`; cheap, as most words of a text are none. */
const TAILS: Uint8Array = (() => {
  const tails = new Uint8Array(32 ** 3);
  for (const tail of ["rer", "ser", "ken", "key", "sic", "was", "are", "ord", "swd", "pwd", "ass", "ret"]) tails[tripleBefore(tail, 3)] = 1;
  for (const tail of ["-u", "is", "pw"])
    for (let third = 0; third < 32; third += 1) tails[(third << 10) | (tripleBefore(` ${tail}`, 3) & 0x3ff)] = 1;
  return tails;
})();

/** The last two letters of the flags that a value may follow. */
const FLAG_TAILS: Uint8Array = (() => {
  const tails = new Uint8Array(128 * 128);
  for (const tail of ["er", "en", "ey", "ic", "is", "as", "re", "rd", "wd", "ss", "et"])
    tails[(tail.charCodeAt(0) << 7) | tail.charCodeAt(1) | TO_SMALL] = 1;
  return tails;
})();

/** Three signs as one number, without regard to case. */
function tripleBefore(text: string, at: number): number {
  return ((text.charCodeAt(at - 3) & 31) << 10) | ((text.charCodeAt(at - 2) & 31) << 5) | (text.charCodeAt(at - 1) & 31);
}
const ENDS = /(?:^|[-_])(?:password|passwd|pwd|pw|token|secret|key)$|[-_]pass$|(?:apikey|password|token)$/;

const RULES: ReadonlyMap<string, (sink: Sink, at: number, wordStart: number) => void> = new Map([
  ["bearer", matchBearer],
  ["token", matchBearer],
  ["apikey", matchBearer],
  ["basic", matchBasic],
  ["-u", matchUser],
  ["--user", matchUser],
  ["--proxy-user", matchUser],
  ["is", matchSentence],
  ["was", matchSentence],
  ["are", matchSentence],
]);

/** An Authorization header's token. Behind the header's name any text that is no word counts, elsewhere only one that looks random. */
function matchBearer(sink: Sink, at: number, wordStart: number): void {
  const value = readValue(sink, at);
  if (value === undefined) return;
  const token = sink.text.slice(value.start, value.end);
  if (token.length < 8 || /\s/.test(token) || isPlaceholder(token) || isWordy(token)) return;
  const isHeader = /authorization\\?["']?\s{0,4}[:=,]\s{0,4}\\?["'`]?$/i.test(sink.text.slice(Math.max(0, wordStart - 40), wordStart));
  const score = looksRandom(token, 20) ? 0.9 : isHeader && entropyOf(token) >= 2.75 ? 0.8 : 0;
  if (score > 0) sink.take({ entity: "secret_bearer_token", start: value.start, end: value.end, score, rank: RANK_CONTEXT });
}

/** `Basic` and base64 of `user:password` (RFC 7617). */
function matchBasic(sink: Sink, at: number): void {
  const value = readValue(sink, at);
  if (value === undefined) return;
  const coded = sink.text.slice(value.start, value.end);
  if (!/^[A-Za-z0-9+/_-]{8,}={0,2}$/.test(coded) || isPlaceholder(coded)) return;
  const pair = decoded(coded);
  const isPair = pair !== undefined && /^[^:]*:.+/.test(pair) && !isPlaceholder(pair.slice(pair.indexOf(":") + 1));
  if (isPair) sink.take({ entity: "secret_basic_auth", start: value.start, end: value.end, score: 1, rank: RANK_CONTEXT });
  else if (looksRandom(coded, 16))
    sink.take({ entity: "secret_basic_auth", start: value.start, end: value.end, score: 0.7, rank: RANK_CONTEXT });
}

/** `curl -u user:password`: the password, or the user where it stands alone before the colon. */
export function matchUser(sink: Sink, at: number, wordStart: number): void {
  const { text } = sink;
  const before = text.slice(Math.max(0, wordStart - COMMAND_CHARS_MAX), wordStart);
  if (!before.includes("curl") && !before.includes("wget") && !before.includes("http ")) return;
  const value = readValue(sink, at);
  if (value === undefined) return;
  const pair = text.slice(value.start, value.end);
  const colon = pair.indexOf(":");
  if (colon === -1) return;
  const [user, password] = [pair.slice(0, colon), pair.slice(colon + 1)];
  const isUser = password === "" || /^(?:x|x-oauth-basic|api|token)$/.test(password);
  const secret: Value = isUser ? { ...value, end: value.start + colon } : { ...value, start: value.start + colon + 1 };
  const shown = isUser ? user : password;
  if (shown.length < 3 || isPlaceholder(shown) || /^(?:pass(?:word)?|pwd|token|secret|user(?:name)?|[*x]+|\[.*\])$/i.test(shown)) return;
  if (isUser && !looksRandom(user, 12) && isWordy(user)) return;
  sink.take({ entity: "secret_basic_auth", start: secret.start, end: secret.end, score: 0.9, rank: RANK_CONTEXT });
}

/** `my password is hunter2`. */
export function matchSentence(sink: Sink, at: number, wordStart: number): void {
  const { text, sentence } = sink;
  const start = sentence.startOf(text, wordStart);
  if (sentence.mayPromise) matchNamed(sink, at, lastWordsOf(text.slice(start, wordStart), 5));
}

/** `--token x`, and `password x` as in a `.netrc`. */
function matchFlag(sink: Sink, at: number, word: string): void {
  matchNamed(sink, at, word, word.startsWith("--"));
}

function matchNamed(sink: Sink, at: number, name: string, assigned = false): void {
  if (!mayPromise(name, 0, name.length)) return;
  const promise = sink.promiseOf(name);
  if (promise === undefined) return;
  const value = readValue(sink, at);
  if (value === undefined) return;
  if (!assigned && !value.quoted && !/\d/.test(sink.text.slice(value.start, value.end))) return;
  takeValue(sink, value, { promise, assigned, name });
}
