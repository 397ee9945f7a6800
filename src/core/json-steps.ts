/**
 * The parse of `json.ts` in steps of about a millisecond, for texts past `YIELD_CHARS`. Single steps that remain are native: joining
 * the decoded text, and searches through it.
 */
import { JsonParser, SCAN_CHARS, scanControls } from "./json-parser.ts";
import type { JsonDoc, JsonError, JsonLimits } from "./json-tree.ts";
import { JSON_DEPTH_MAX, JSON_VALUES_MAX } from "./limits.ts";
import { err, type Result } from "./result.ts";
import type { Steps } from "./slice.ts";

export const JSON_LIMITS: JsonLimits = { depthMax: JSON_DEPTH_MAX, valuesMax: JSON_VALUES_MAX };
/** Of text that `parseJsonValue` has taken. */
export const ANY_JSON: JsonLimits = { depthMax: Number.POSITIVE_INFINITY, valuesMax: Number.POSITIVE_INFINITY, anyKeys: true };

/** Characters between two steps: about 1 ms of the densest text (`0,0,0`). */
const LOOK_CHARS = 32_768;

/** The same result as `parseJson`. */
export function* parseSteps(bytes: Uint8Array, limits: JsonLimits = JSON_LIMITS): Steps<Result<JsonDoc, JsonError>> {
  let text: string;
  try {
    text = yield* decodedSteps(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }), bytes);
  } catch {
    return err({ code: "not_utf8", at: -1 });
  }
  return yield* textSteps(text, limits);
}

/** As `placeJson`; undefined where it has more than `JSON_VALUES_MAX` values, which would be kept for each of its places. */
export function* placeSteps(text: string): Steps<JsonDoc | undefined> {
  const doc = yield* textSteps(text, { ...ANY_JSON, valuesMax: JSON_VALUES_MAX });
  return doc.ok ? doc.value : undefined;
}

function* textSteps(text: string, limits: JsonLimits): Steps<Result<JsonDoc, JsonError>> {
  let clean = true;
  for (let from = 0; from < text.length; from += SCAN_CHARS) {
    const controls = scanControls(text, from);
    if (controls.kind === "other") return err({ code: "not_json", at: controls.at });
    if (controls.kind === "blank") clean = false;
    yield;
  }
  const parser = new JsonParser(text, limits, clean);
  while (!parser.run(parser.pos + LOOK_CHARS)) yield;
  return parser.result();
}

/** The text of bytes in UTF-8, as `Buffer.toString` gives it, in steps. */
export const decodeSteps = (bytes: Uint8Array): Steps<string> => decodedSteps(new TextDecoder("utf-8", { ignoreBOM: true }), bytes);

function* decodedSteps(decoder: TextDecoder, bytes: Uint8Array): Steps<string> {
  const pieces: string[] = [];
  for (let from = 0; from < bytes.length; from += SCAN_CHARS) {
    pieces.push(decoder.decode(bytes.subarray(from, from + SCAN_CHARS), { stream: true }));
    yield;
  }
  pieces.push(decoder.decode());
  return pieces.join("");
}
