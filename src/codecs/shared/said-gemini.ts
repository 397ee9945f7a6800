import type { ParsedRequest, Said } from "../../core/codec.ts";
import { geminiFigures } from "./gemini-usage.ts";
import { choiceOf, JSON_TYPE, plainId, type SaidAnswer, SSE_TYPE } from "./said.ts";

const FINISH: Readonly<Record<Said["finish"], string>> = { stop: "STOP", length: "MAX_TOKENS", filtered: "SAFETY" };
/** Most candidates that are answered; the API allows eight. */
const CANDIDATES_MAX = 128;

/** A GenerateContentResponse of one text in every candidate that was asked for, or of a text for each; as a stream it is the only chunk. */
export function sayGemini({ view }: ParsedRequest, said: Said): SaidAnswer {
  const count = Math.max(1, Math.min(view.choices, CANDIDATES_MAX));
  const text = JSON.stringify({
    candidates: Array.from({ length: count }, (_, index) => {
      const choice = choiceOf(said, index);
      return { content: { parts: [{ text: choice.text }], role: "model" }, finishReason: FINISH[choice.finish], index };
    }),
    usageMetadata: geminiFigures(said.usage),
    modelVersion: said.model,
    responseId: plainId(said.id),
  });
  if (view.framing === "sse") return { contentType: SSE_TYPE, body: Buffer.from(`data: ${text}\r\n\r\n`) };
  return { contentType: JSON_TYPE, body: Buffer.from(view.framing === "json-array" ? `[${text}\n]` : text) };
}
