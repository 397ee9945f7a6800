import {
  ALNUM,
  BASE64,
  DIGITS,
  HEX,
  isIn,
  PADDING,
  runEnd,
  runStart,
  SLUG,
  SLUG_DOT,
  SLUG_DOT_TILDE,
  startsWord,
  WORD,
} from "./alphabets.ts";
import { entropyOf, isFilledShape } from "./randomness.ts";
import { RANK_SHAPE, type Sink } from "./sink.ts";

/** Furthest that one of these tokens begins before the sign it is found by, in UTF-16 units. */
export const INNER_CHARS_MAX = 40;

/** Whether all from `start` to `at` is of an alphabet, and no more of it stands before. */
const beginsAt = (text: string, start: number, at: number, alphabet: number): boolean =>
  runStart(text, at, alphabet, start) === start &&
  (!isIn(text, start - 1, alphabet) || (isIn(text, start - 1, WORD) && startsWord(text, start)));

/** Azure (Entra) client secrets: three signs, a digit, `Q~`, 31 to 34 more. `at` is the tilde. */
export function matchAzureSecret(sink: Sink, at: number): void {
  const { text } = sink;
  const start = at - 5;
  if (text.charAt(at - 1) !== "Q" || start < 0 || !isIn(text, at - 2, DIGITS)) return;
  if (!beginsAt(text, start, at, SLUG_DOT_TILDE)) return;
  const end = runEnd(text, at + 1, SLUG_DOT_TILDE, at + 36);
  sink.isBeyond(end, start);
  const length = end - at - 1;
  if (length < 31 || length > 34) return;
  takeShape(sink, "secret_azure_key", start, end, 3);
}

/** Terraform Cloud: 14 characters, `.atlasv1.`, 60 to 70 more. `at` is the first dot. */
export function matchTerraform(sink: Sink, at: number): void {
  const { text } = sink;
  const start = at - 14;
  if (start < 0 || !isIn(text, at - 1, ALNUM) || !beginsAt(text, start, at, ALNUM)) return;
  const middle = ".atlasv1.";
  if (!text.startsWith(middle, at)) {
    if (text.length - at < middle.length && middle.startsWith(text.slice(at))) sink.pending(start);
    return;
  }
  const end = runEnd(text, at + middle.length, SLUG | PADDING, at + middle.length + 71);
  sink.isBeyond(end, start);
  const length = end - at - middle.length;
  if (length >= 60 && length <= 70) takeShape(sink, "secret_cloud_token", start, end, 3);
}

/** Telegram's bots: a number, a colon, 35 characters of base64url, the first of them A. `at` is the colon. */
export function matchTelegram(sink: Sink, at: number): void {
  const { text } = sink;
  const start = runStart(text, at, DIGITS, at - 17);
  const digits = at - start;
  if (digits < 5 || digits > 16 || (!startsWord(text, start) && !text.startsWith("bot", start - 3))) return;
  if (text.charAt(at + 1) !== "A") {
    sink.isBeyond(at + 1, start);
    return;
  }
  const end = runEnd(text, at + 1, SLUG, at + 37);
  sink.isBeyond(end, start);
  if (end - at - 1 === 35) takeShape(sink, "secret_chat_token", start, end, 3);
}

/** Facebook: number of the app, `|`, its secret. `at` is the bar. */
export function matchFacebook(sink: Sink, at: number): void {
  const { text } = sink;
  const start = runStart(text, at, DIGITS, at - 17);
  if ((at - start !== 15 && at - start !== 16) || !startsWord(text, start)) return;
  const from = text.startsWith("%7C", at) ? at + 3 : at + 1;
  const end = runEnd(text, from, SLUG, from + 41);
  sink.isBeyond(end, start);
  if (end - from >= 27 && end - from <= 40) takeShape(sink, "secret_saas_token", start, end, 3);
}

/** Mailchimp: 32 hex, `-us`, number of the data centre. `at` is the dash. */
export function matchMailchimp(sink: Sink, at: number): void {
  const { text } = sink;
  if (!isIn(text, at - 1, ALNUM)) return;
  const start = runStart(text, at, HEX, at - 33);
  if (at - start !== 32 || !startsWord(text, start)) return;
  if (!text.startsWith("-us", at)) {
    if (text.length - at < 3 && "-us".startsWith(text.slice(at))) sink.pending(start);
    else matchMailgunSigning(sink, start, at);
    return;
  }
  const end = runEnd(text, at + 3, DIGITS, at + 6);
  sink.isBeyond(end, start);
  if (end - at - 3 === 1 || end - at - 3 === 2) takeShape(sink, "secret_mail_sms_key", start, end, 2.5);
}

/** Mailgun's signing keys: 32, 8 and 8 hex with dashes. */
function matchMailgunSigning(sink: Sink, start: number, at: number): void {
  const { text } = sink;
  const first = runEnd(text, at + 1, HEX, at + 10);
  if (sink.isBeyond(first, start) || first !== at + 9 || text.charAt(first) !== "-") return;
  const end = runEnd(text, first + 1, HEX, first + 10);
  sink.isBeyond(end, start);
  if (end === first + 9) takeShape(sink, "secret_mail_sms_key", start, end, 2.5);
}

/** MaxMind: six characters, `_`, 29, `_mmk`. `at` is where the word ends. */
export function matchMaxMind(sink: Sink, at: number): void {
  const { text } = sink;
  if (!text.startsWith("_mmk", at - 4) || text.charAt(at - 34) !== "_") return;
  const start = at - 40;
  if (start >= 0 && beginsAt(text, start, at, WORD)) takeShape(sink, "secret_saas_token", start, at, 3.5);
}

/** `sig=` of an Azure shared access signature: base64 as in addresses, beside `sv=` or `se=`. `at` is the `=`. */
export function matchSharedAccess(sink: Sink, at: number): void {
  const { text } = sink;
  if (!text.startsWith("sig", at - 3) || isIn(text, at - 4, WORD)) return;
  const start = at + 1;
  const bound = start + 120;
  let end = start;
  while (end < text.length && end < bound && (isIn(text, end, BASE64 | SLUG_DOT) || text.charAt(end) === "%")) end += 1;
  end = runEnd(text, end, PADDING, end + 2);
  sink.isBeyond(end, start);
  if (end - start < 40 || !/[?&;]s[vepr]=/.test(text.slice(Math.max(0, at - 300), at))) return;
  takeShape(sink, "secret_azure_key", start, end, 3);
}

function takeShape(
  sink: Sink,
  entity: "secret_azure_key" | "secret_cloud_token" | "secret_chat_token" | "secret_saas_token" | "secret_mail_sms_key",
  start: number,
  end: number,
  entropyMin: number,
): void {
  const token = sink.text.slice(start, end);
  if (!isFilledShape(token) && entropyOf(token) >= entropyMin) sink.take({ entity, start, end, score: 1, rank: RANK_SHAPE });
}
