import type { TailReason } from "../../core/codec.ts";
import { DENIALS, type Denial } from "../../core/denials.ts";
import type { Json } from "../../core/json.ts";

/**
 * A refusal as OpenAI's error object. `code` is Sluice's own code; both SDKs show it (`error.code`). `request_id` is an
 * addition beside the object, for callers that keep bodies but not headers.
 * Source: platform.openai.com/docs/guides/error-codes; `APIError` of the `openai` packages reads `error.{message,type,param,code}`.
 */
export function openAiError(denial: Denial, requestId: string): Json {
  const { code, detail } = denial;
  return { error: { message: detail ?? DENIALS[code].text, type: DENIALS[code].openai, param: null, code }, request_id: requestId };
}

/** The error as a whole JSON body, in place of one that was held back; "" for `length`, which a body cannot be cut to. */
export function openAiErrorBody(reason: TailReason): string {
  return reason.kind !== "error" ? "" : JSON.stringify(openAiError(reason.denial, reason.requestId));
}

/** What ends every stream of Chat Completions. */
export const OPENAI_DONE = "data: [DONE]\n\n";

/** The error as the last event of a stream: the SDKs raise on `error` in the data of any event. */
export function openAiErrorEvents(denial: Denial, requestId: string): string {
  return `data: ${JSON.stringify(openAiError(denial, requestId))}\n\n${OPENAI_DONE}`;
}
