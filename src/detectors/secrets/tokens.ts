import { ALNUM, BASE64, isIn, PADDING, runEnd, SLUG, startsWord, WORD } from "./alphabets.ts";
import { jwtScore, nestedJwtScore } from "./checks.ts";
import { RANK_SHAPE, type Sink } from "./sink.ts";

/** Longest JSON Web Token, in UTF-16 units: above what headers of HTTP may carry. */
export const JWT_CHARS_MAX = 16_384;
const NESTED_CHARS_MAX = 8192;

/** `eyJ...`: a JSON Web Token of two, three or five parts. */
export function matchJwt(sink: Sink, at: number): void {
  const { text } = sink;
  if (!startsLiteral(sink, "eyJ", at) || !startsWord(text, at)) return;
  if (at > 0 && /[.-]/.test(text.charAt(at - 1))) return;
  const bound = at + JWT_CHARS_MAX;
  let end = runEnd(text, at, SLUG, bound);
  const headerEnd = end;
  for (let parts = 1; parts < 5 && text.charAt(end) === "."; parts += 1) {
    const next = runEnd(text, end + 1, SLUG, bound);
    // An encrypted token with a direct key has an empty second part; else a stop without a part ends the sentence.
    if (next === end + 1 && text.charAt(next) !== ".") {
      sink.isBeyond(next, at);
      break;
    }
    end = next;
  }
  sink.isBeyond(end, at);
  if (end === headerEnd || end >= bound) return;
  end = runEnd(text, end, PADDING, end + 2);
  sink.isBeyond(end, at);
  const score = jwtScore(text.slice(at, end).replace(/=+$/, ""));
  if (score > 0) sink.take({ entity: "secret_jwt", start: at, end, score, rank: RANK_SHAPE });
}

/** A JSON Web Token in base64 once more. */
export function matchNestedJwt(sink: Sink, at: number): void {
  const { text } = sink;
  if (!startsLiteral(sink, "ZXlK", at) || !startsWord(text, at) || (at > 0 && isIn(text, at - 1, BASE64))) return;
  const end = runEnd(text, at, BASE64 | WORD, at + NESTED_CHARS_MAX);
  sink.isBeyond(end, at);
  if (end - at < 40 || end - at >= NESTED_CHARS_MAX) return;
  const padded = runEnd(text, end, PADDING, end + 2);
  sink.isBeyond(padded, at);
  const score = nestedJwtScore(text.slice(at, padded));
  if (score > 0 && !isIn(text, padded, ALNUM)) sink.take({ entity: "secret_jwt", start: at, end: padded, score, rank: RANK_SHAPE });
}

function startsLiteral(sink: Sink, literal: string, at: number): boolean {
  if (sink.text.startsWith(literal, at)) return true;
  const rest = sink.text.length - at;
  if (rest < literal.length && literal.startsWith(sink.text.slice(at))) sink.pending(at);
  return false;
}
