import { field, type Json, parseValueSteps } from "../../core/json.ts";
import { ANSWER_PARTS_MAX, ANSWER_PIECES_MAX } from "../../core/limits.ts";
import { isStepDone, type Steps } from "../../core/slice.ts";
import type { AnswerTexts } from "./answer-texts.ts";

/** Bytes of a stream that are taken apart at once: well below a millisecond. */
const CUT_BYTES = 16_384;

/** A piece of a stream in pieces that are taken apart at once. */
export function* cutsOf(chunk: Uint8Array): Generator<Uint8Array> {
  for (let from = 0; from < chunk.length; from += CUT_BYTES) yield chunk.subarray(from, from + CUT_BYTES);
}

/** The value of a large answer or event; undefined where it is no JSON, or of more values or parts than are followed. */
export function* readSteps(text: string): Steps<Json | undefined> {
  const json = yield* parseValueSteps(text);
  return (yield* isTooRich(json)) ? undefined : json;
}

/** Reads what the mapper will ask for next. */
export function* readAhead(texts: AnswerTexts, text: string): Steps<void> {
  texts.ahead(text, yield* readSteps(text));
}

/** Members of answers, in any dialect, whose items mappers go through one by one; and those that lead to such. */
const PARTS = ["choices", "content", "parts", "output", "candidates", "tool_calls", "summary", "annotations", "data", "commands"];
const MORE_PARTS = ["generations", "completions", "results", "outputs", "partialArgs", "reasoning_details", "chat_history"];
const LEADING = ["message", "delta", "response", "item", "contentBlockDelta", "contentBlockStart", "start", "action"];
/** Short pieces of a transcript. */
const PIECES = ["segments", "words"];
const FOLLOWED = [...PARTS, ...MORE_PARTS, ...LEADING];

/** Has it more parts than can be gone through at once? */
function* isTooRich(json: Json | undefined): Steps<boolean> {
  if (PIECES.some((key) => lengthOf(field(json, key)) > ANSWER_PIECES_MAX)) return true;
  const work: Json[] = json === undefined ? [] : [json];
  let parts = 0;
  let count = 0;
  for (let at = work.pop(); at !== undefined; at = work.pop()) {
    if (isStepDone(++count)) yield;
    if (Array.isArray(at)) {
      parts += at.length;
      if (parts > ANSWER_PARTS_MAX) return true;
      for (const item of at) if (typeof item === "object" && item !== null) work.push(item);
      continue;
    }
    for (const key of FOLLOWED) {
      const inner = field(at, key);
      if (typeof inner === "object" && inner !== null) work.push(inner);
    }
  }
  return false;
}

const lengthOf = (value: Json | undefined): number => (Array.isArray(value) ? value.length : 0);
