import type { ParsedRequest, Said } from "../../core/codec.ts";
import { DENIALS, type Denial } from "../../core/denials.ts";
import type { Json } from "../../core/json.ts";
import { sseEvent } from "./answer-tally.ts";
import { cohereFigures } from "./cohere-usage.ts";
import { JSON_TYPE, type SaidAnswer, SSE_TYPE } from "./said.ts";

type Members = Readonly<Record<string, Json>>;

/** The last bytes of a stream of version 2. */
const DONE = "data: [DONE]\n\n";
const FINISH: Readonly<Record<Said["finish"], string>> = { stop: "COMPLETE", length: "MAX_TOKENS", filtered: "ERROR" };
const FINISH_V1: Readonly<Record<Said["finish"], string>> = { ...FINISH, filtered: "ERROR_TOXIC" };

/** What ends a stream of version 2 with an error. Cohere's SDKs know no error event: the reason to finish is where a caller looks. */
export function cohereErrorEvent(denial: Denial, requestId: string): string {
  const text = denial.detail ?? DENIALS[denial.code].text;
  const delta = { finish_reason: "ERROR", error: text, code: denial.code };
  return sseEvent("message-end", { type: "message-end", id: requestId, delta }) + DONE;
}

export function messageStart(id: string): string {
  const message = { role: "assistant", content: [], tool_plan: "", tool_calls: [], citations: [] };
  return sseEvent("message-start", { id, type: "message-start", delta: { message } });
}
export function contentDelta(index: number, text: string): string {
  return sseEvent("content-delta", { type: "content-delta", index, delta: { message: { content: { text } } } });
}
/** The events of a whole block of text. */
export function contentBlock(index: number, text: string): string {
  const start = { type: "content-start", index, delta: { message: { content: { type: "text", text: "" } } } };
  return sseEvent("content-start", start) + contentDelta(index, text) + sseEvent("content-end", { type: "content-end", index });
}
export function messageEnd(reason: string, usage: Members): string {
  return sseEvent("message-end", { type: "message-end", delta: { finish_reason: reason, ...usage } }) + DONE;
}

/** An answer of version 2 of one text. */
export function sayCohere({ view }: ParsedRequest, said: Said): SaidAnswer {
  const finish = FINISH[said.finish];
  if (view.streaming) {
    const text =
      messageStart(said.id) +
      (said.text === "" ? "" : contentBlock(0, said.text)) +
      messageEnd(finish, { usage: cohereFigures(said.usage) });
    return { contentType: SSE_TYPE, body: Buffer.from(text) };
  }
  const message = { role: "assistant", content: [{ type: "text", text: said.text }] };
  return {
    contentType: JSON_TYPE,
    body: Buffer.from(JSON.stringify({ id: said.id, message, finish_reason: finish, usage: cohereFigures(said.usage) })),
  };
}

/** An event of version 1: a line, or an event of a stream of events. */
export function cohereV1Event(type: string, members: Members, { sse }: { readonly sse: boolean }): string {
  const event = { is_finished: type === "stream-end", event_type: type, ...members };
  return sse ? sseEvent(type, event) : `${JSON.stringify(event)}\n`;
}

/** An answer of version 1 of one text; a stream is one of lines, which is what this version sends unless events are accepted. */
export function sayCohereV1({ view }: ParsedRequest, said: Said): SaidAnswer {
  const finish = FINISH_V1[said.finish];
  const whole = { response_id: said.id, text: said.text, generation_id: said.id, chat_history: [], finish_reason: finish };
  const body = { ...whole, meta: { api_version: { version: "1" }, ...cohereFigures(said.usage) } };
  if (!view.streaming) return { contentType: JSON_TYPE, body: Buffer.from(JSON.stringify(body)) };
  const lines = { sse: false };
  const text =
    cohereV1Event("stream-start", { generation_id: said.id }, lines) +
    cohereV1Event("text-generation", { text: said.text }, lines) +
    cohereV1Event("stream-end", { finish_reason: finish, response: body }, lines);
  return { contentType: "application/stream+json", body: Buffer.from(text) };
}
