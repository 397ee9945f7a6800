import type { Found, ScanText } from "../../core/detector.ts";
import { matchAddress } from "./addresses.ts";
import { ALNUM, classOf, HEX_ANY, isIn, runEnd, runStart, SLUG_DOT_TILDE, UNDERLINE, WORD } from "./alphabets.ts";
import { GAP_CHARS_MAX, matchAssignment } from "./assignments.ts";
import { matchPem, matchPutty } from "./blocks.ts";
import {
  INNER_CHARS_MAX,
  matchAzureSecret,
  matchFacebook,
  matchMailchimp,
  matchMaxMind,
  matchSharedAccess,
  matchTelegram,
  matchTerraform,
} from "./inner.ts";
import { matchManifest } from "./manifests.ts";
import { compileShapes, matchShapes, type ShapeTable } from "./shape.ts";
import { Sink } from "./sink.ts";
import { matchSentence, matchSpoken, matchUser } from "./spoken.ts";
import { CLOUD_SHAPES } from "./tables/cloud.ts";
import { CHAT_SHAPES, FORGE_SHAPES, MODEL_SHAPES } from "./tables/models.ts";
import { BUILD_SHAPES, MAIL_SHAPES, MONITORING_SHAPES, PAYMENT_SHAPES, SAAS_SHAPES } from "./tables/services.ts";
import { matchJwt, matchNestedJwt } from "./tokens.ts";

/** Every row, in the order in which rows of one shape win. */
export const SHAPES = [
  ...[...CLOUD_SHAPES, ...MODEL_SHAPES, ...FORGE_SHAPES, ...CHAT_SHAPES],
  ...[...PAYMENT_SHAPES, ...BUILD_SHAPES, ...MONITORING_SHAPES, ...MAIL_SHAPES, ...SAAS_SHAPES],
];

const TABLE: ShapeTable = compileShapes(SHAPES);

const BLANK = 32;
const CAPITAL_P = 80;
const CAPITAL_Z = 90;
const SMALL_E = 101;
const SMALL_K = 107;
const IS = 0x662f;
const WEI = 0x4e3a;

/**
 * One pass over the text: where a word begins, its first two characters choose the rows of the table that may match; signs that stand in
 * assignments, addresses and keys choose the other rules. Every rule looks at no more than its caps, so that all is linear.
 */
export function findSecrets({ folded, ended }: Pick<ScanText, "folded" | "ended">, from: number): Found {
  const sink = new Sink(folded, ended, from);
  const length = folded.length;
  let at = Math.max(0, from - GAP_CHARS_MAX);
  // A word that goes on there has begun before.
  let isBegun = at > 0 && isIn(folded, at - 1, WORD);
  while (at < length) {
    const code = folded.charCodeAt(at);
    if ((classOf(code) & WORD) !== 0 || isBegun) {
      if (!isBegun && mayStart(folded, at, code)) startWord(sink, at, code);
      isBegun = false;
      at = runEnd(folded, at, WORD, length);
      if (folded.charCodeAt(at - 1) === SMALL_K) matchMaxMind(sink, at);
    } else {
      if (code === BLANK) matchSpoken(sink, at);
      else if (code < 128 || code === IS || code === WEI) atSign(sink, at, code);
      at += 1;
    }
  }
  // Tokens that are found by a sign inside them may have begun already.
  sink.pending(runStart(folded, length, SLUG_DOT_TILDE, length - INNER_CHARS_MAX));
  return sink.decide();
}

/** Whether some rule may match a word with these first two characters; most words are left here. */
function mayStart(text: string, at: number, code: number): boolean {
  const next = text.charCodeAt(at + 1);
  return TABLE.heads[(code << 7) | next] !== 0 || code === SMALL_E || code === CAPITAL_Z || code === CAPITAL_P || at + 1 >= text.length;
}

function startWord(sink: Sink, at: number, code: number): void {
  if (code === SMALL_E) matchJwt(sink, at);
  else if (code === CAPITAL_Z) matchNestedJwt(sink, at);
  else if (code === CAPITAL_P) matchPutty(sink, at);
  matchShapes(sink, TABLE, at);
}

function atSign(sink: Sink, at: number, code: number): void {
  const { text } = sink;
  switch (code) {
    case 61: // =
      matchSharedAccess(sink, at);
      if (text.startsWith("--user", at - 6)) matchUser(sink, at + 1, at - 6);
      return matchAssignment(sink, at, "=");
    case 58: // :
      matchAddress(sink, at);
      matchTelegram(sink, at);
      matchManifest(sink, at);
      return matchAssignment(sink, at, ":");
    case 62: // >
      return matchAssignment(sink, at, ">");
    case 44: // ,
      return matchAssignment(sink, at, ",");
    case 40: // (
      return matchAssignment(sink, at, "(");
    case 124: // |
      matchFacebook(sink, at);
      return matchAssignment(sink, at, "|");
    case 126: // ~
      return matchAzureSecret(sink, at);
    case 46: // .
      return matchTerraform(sink, at);
    case 45: // -
      if (text.charCodeAt(at - 1) !== 45) matchPem(sink, at);
      return matchMailchimp(sink, at);
    case 92: // backslash: a word may begin behind \n
      if (isEscape(text, at)) startWord(sink, at + 2, text.charCodeAt(at + 2));
      return;
    case 37: // percent sign: a word may begin behind %3D
      matchFacebook(sink, at);
      if (isIn(text, at + 1, HEX_ANY) && isIn(text, at + 2, HEX_ANY) && isIn(text, at + 3, ALNUM))
        startWord(sink, at + 3, text.charCodeAt(at + 3));
      return;
    case IS:
    case WEI:
      if (isIn(text, at - 1, ALNUM) || "码碼令钥鑰牌 ".includes(text.charAt(at - 1) || "x")) matchSentence(sink, at + 1, at);
      return;
    default:
  }
}

const isEscape = (text: string, at: number): boolean => /[nrt]/.test(text.charAt(at + 1)) && isIn(text, at + 2, ALNUM | UNDERLINE);
