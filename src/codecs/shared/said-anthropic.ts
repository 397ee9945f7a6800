import type { ParsedRequest, Said } from "../../core/codec.ts";
import { sseEvent } from "./answer-tally.ts";
import { anthropicFigures } from "./anthropic-usage.ts";
import { JSON_TYPE, plainId, type SaidAnswer, SSE_TYPE } from "./said.ts";

const STOP: Readonly<Record<Said["finish"], string>> = { stop: "end_turn", length: "max_tokens", filtered: "refusal" };

/** A message of one block of text. */
export function sayMessage({ view }: ParsedRequest, said: Said): SaidAnswer {
  const content = said.text === "" ? [] : [{ type: "text", text: said.text }];
  const usage = anthropicFigures(said.usage);
  const message = { id: `msg_${plainId(said.id)}`, type: "message", role: "assistant", model: said.model };
  const stop = { stop_reason: STOP[said.finish], stop_sequence: null };
  if (!view.streaming) return { contentType: JSON_TYPE, body: Buffer.from(JSON.stringify({ ...message, content, ...stop, usage })) };
  const begin = { ...message, content: [], stop_reason: null, stop_sequence: null, usage };
  let text = sseEvent("message_start", { type: "message_start", message: begin });
  if (said.text !== "") text += textBlock(0, said.text);
  text += sseEvent("message_delta", { type: "message_delta", delta: stop, usage: { output_tokens: said.usage?.outputTokens ?? 0 } });
  return { contentType: SSE_TYPE, body: Buffer.from(text + sseEvent("message_stop", { type: "message_stop" })) };
}

/** A piece of an open block of text. */
export function textDelta(index: number, text: string): string {
  return sseEvent("content_block_delta", { type: "content_block_delta", index, delta: { type: "text_delta", text } });
}

/** The events of a whole block of text. */
export function textBlock(index: number, text: string): string {
  const start = { type: "content_block_start", index, content_block: { type: "text", text: "" } };
  return (
    sseEvent("content_block_start", start) + textDelta(index, text) + sseEvent("content_block_stop", { type: "content_block_stop", index })
  );
}
