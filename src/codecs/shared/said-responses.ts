import type { ParsedRequest, Said } from "../../core/codec.ts";
import type { Json } from "../../core/json.ts";
import { sseEvent } from "./answer-tally.ts";
import { responsesFigures } from "./responses-usage.ts";
import { JSON_TYPE, plainId, type SaidAnswer, SSE_TYPE } from "./said.ts";

/** A response of one message of one text. Anything but a stop is an incomplete one, as the provider has it. */
export function sayResponse({ view }: ParsedRequest, said: Said): SaidAnswer {
  const part = { type: "output_text", text: said.text, annotations: [], logprobs: [] };
  const message = { id: `msg_${plainId(said.id)}`, type: "message", role: "assistant" };
  const whole = said.finish === "stop";
  const item = { ...message, status: whole ? "completed" : "incomplete", content: [part] };
  const begun = responseOf(said);
  const details = whole ? null : { reason: said.finish === "length" ? "max_output_tokens" : "content_filter" };
  const ended = { ...begun, status: item.status, incomplete_details: details, output: [item], usage: responsesFigures(said.usage) };
  if (!view.streaming) return { contentType: JSON_TYPE, body: Buffer.from(JSON.stringify(ended)) };
  const place = { item_id: message.id, output_index: 0, content_index: 0 };
  const opened = { ...message, status: "in_progress", content: [] };
  const events: readonly (readonly [string, Readonly<Record<string, Json>>])[] = [
    ["response.created", { response: begun }],
    ["response.in_progress", { response: begun }],
    ["response.output_item.added", { output_index: 0, item: opened }],
    ["response.content_part.added", { ...place, part: { ...part, text: "" } }],
    ["response.output_text.delta", { ...place, delta: said.text, logprobs: [] }],
    ["response.output_text.done", { ...place, text: said.text, logprobs: [] }],
    ["response.content_part.done", { ...place, part }],
    ["response.output_item.done", { output_index: 0, item }],
    [`response.${item.status}`, { response: ended }],
  ];
  const text = events.map(([type, members], sequence) => sseEvent(type, { type, ...members, sequence_number: sequence }));
  return { contentType: SSE_TYPE, body: Buffer.from(text.join("")) };
}

/** A response that has begun, with every member that the schema demands. Nothing of it is kept anywhere. */
function responseOf(said: Said): Readonly<Record<string, Json>> {
  return {
    id: `resp_${plainId(said.id)}`,
    object: "response",
    created_at: said.createdUnixS,
    status: "in_progress",
    background: false,
    error: null,
    incomplete_details: null,
    instructions: null,
    max_output_tokens: null,
    model: said.model,
    output: [],
    parallel_tool_calls: true,
    previous_response_id: null,
    reasoning: { effort: null, summary: null },
    store: false,
    temperature: null,
    text: { format: { type: "text" } },
    tool_choice: "auto",
    tools: [],
    top_p: null,
    truncation: "disabled",
    usage: null,
    metadata: {},
  };
}
