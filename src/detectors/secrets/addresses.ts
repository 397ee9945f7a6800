import { isPlaceholder, isUnbrokenMix, looksRandom } from "./randomness.ts";
import { RANK_CONTEXT, RANK_SHAPE, type Sink } from "./sink.ts";

/** Longest user and password in an address, in UTF-16 units. */
export const USER_INFO_CHARS_MAX = 512;

/** Signs that end what may stand before the `@` of an address (RFC 3986 section 3.2.1 and quotes). */
const ENDS = /[\s"'`<>/?#\\|^]/;
const REFERENCE = /^(?:\$|%[A-Za-z(]|<|\{|\[|\*+$|x+$|\.+$|…)|\$\{|\{\{/i;

/**
 * `scheme://user:password@host`: the password, with the user where that looks drawn at random too; or a random user alone, as tokens
 * stand in addresses of git and of Sentry. `at` is the colon of `://`.
 */
export function matchAddress(sink: Sink, at: number): void {
  const { text } = sink;
  if (!text.startsWith("//", at + 1)) return;
  const start = at + 3;
  const bound = Math.min(text.length, start + USER_INFO_CHARS_MAX);
  let end = start;
  let sign = -1;
  for (; end < bound && !ENDS.test(text.charAt(end)); end += 1) if (text.charAt(end) === "@") sign = end;
  if (sink.isBeyond(end, start) && sign === -1) return;
  if (sign <= start || sign + 1 >= text.length || !/[\p{L}0-9[{$%<]/u.test(text.charAt(sign + 1))) {
    return;
  }
  const userInfo = text.slice(start, sign);
  const colon = userInfo.indexOf(":");
  if (colon === -1) {
    if (looksRandom(userInfo, 20) || (userInfo.length >= 20 && isUnbrokenMix(userInfo)))
      sink.take({ entity: "secret_connection_string", start, end: sign, score: 0.8, rank: RANK_CONTEXT });
    return;
  }
  const [user, password] = [userInfo.slice(0, colon), userInfo.slice(colon + 1)];
  if (password === "" || /^(?:x-oauth-basic|x-token-auth|x)$/.test(password)) {
    if (looksRandom(user, 16)) sink.take({ entity: "secret_connection_string", start, end: start + colon, score: 0.9, rank: RANK_SHAPE });
    return;
  }
  if (REFERENCE.test(password) || /^(?:your|change|example|redacted|hidden|secret_here)/i.test(password)) return;
  const isPair = /^[0-9a-f]{8,}$/i.test(user) || (looksRandom(user, 12) && !isPlaceholder(user));
  const score = /^(?:pass(?:word|wd)?|pwd|secret|test|changeit)$/i.test(password) ? 0.6 : 0.95;
  sink.take({ entity: "secret_connection_string", start: isPair ? start : start + colon + 1, end: sign, score, rank: RANK_SHAPE });
}
