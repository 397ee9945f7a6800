import type { ParsedRequest, Said } from "../../core/codec.ts";
import { type Json, member } from "../../core/json.ts";
import { jsonEvent } from "./aws-eventstream.ts";
import { converseFigures } from "./converse-usage.ts";
import { familyOf } from "./invoke-request.ts";
import { JSON_TYPE, type SaidAnswer } from "./said.ts";
import { sayMessage } from "./said-anthropic.ts";
import { sayChat } from "./said-chat.ts";
import { sayCohereV1 } from "./said-cohere.ts";

const STREAM_TYPE = "application/vnd.amazon.eventstream";
const STOP: Readonly<Record<Said["finish"], string>> = { stop: "end_turn", length: "max_tokens", filtered: "guardrail_intervened" };
const METRICS = { latencyMs: 0 };

/** One event of a maker's within a frame of Bedrock's. */
export const chunkEvent = (json: string): Uint8Array => jsonEvent("chunk", JSON.stringify({ bytes: Buffer.from(json).toString("base64") }));

/** An answer of Converse of one text. */
export function sayConverse({ view }: ParsedRequest, said: Said): SaidAnswer {
  if (!view.streaming) return { contentType: JSON_TYPE, body: Buffer.from(JSON.stringify(converseBody(said))) };
  const frames = converseEvents(said).map(([type, payload]) => jsonEvent(type, JSON.stringify(payload)));
  return { contentType: STREAM_TYPE, body: Buffer.concat(frames) };
}

function converseBody(said: Said): Json {
  const message = { role: "assistant", content: [{ text: said.text }] };
  return { output: { message }, stopReason: STOP[said.finish], usage: converseFigures(said.usage), metrics: METRICS };
}

function converseEvents(said: Said): readonly (readonly [string, Json])[] {
  return [
    ["messageStart", { role: "assistant" }],
    ["contentBlockDelta", { contentBlockIndex: 0, delta: { text: said.text } }],
    ["contentBlockStop", { contentBlockIndex: 0 }],
    ["messageStop", { stopReason: STOP[said.finish] }],
    ["metadata", { usage: converseFigures(said.usage), metrics: METRICS }],
  ];
}

/** An answer of InvokeModel of one text, in the shape that the request's maker answers in. */
export function sayInvoke(request: ParsedRequest, said: Said): SaidAnswer {
  const { root } = request.doc;
  const { streaming } = request.view;
  const family = root.kind === "object" ? familyOf(root) : "prompt";
  if (family === "converse") {
    return streaming
      ? chunks(converseEvents(said).map(([type, payload]) => JSON.stringify({ [type]: payload })))
      : json(converseBody(said));
  }
  if (family === "prompt") {
    const [body, events] = promptAnswer(request, said);
    return streaming ? chunks(events.map((event) => JSON.stringify(event))) : json(body);
  }
  const answer =
    family === "anthropic" ? sayMessage(request, said) : family === "chat" ? sayChat(request, said) : sayCohereV1(request, said);
  if (!streaming) return answer;
  const lines = Buffer.from(answer.body).toString("utf8").split("\n");
  return chunks(lines.flatMap((line) => (line.startsWith("data: {") ? [line.slice("data: ".length)] : line.startsWith("{") ? [line] : [])));
}

const json = (body: Json): SaidAnswer => ({ contentType: JSON_TYPE, body: Buffer.from(JSON.stringify(body)) });
const chunks = (events: readonly string[]): SaidAnswer => ({ contentType: STREAM_TYPE, body: Buffer.concat(events.map(chunkEvent)) });

/** Body and events of the makers that take a prompt; which one it is, the request's own members tell, else the model's name. */
function promptAnswer({ doc: { root }, view }: ParsedRequest, said: Said): readonly [Json, readonly Json[]] {
  const { text, usage: { inputTokens = 0, outputTokens = 0 } = {} } = said;
  const asks = (key: string): boolean => member(root, key) !== undefined;
  const model = view.model ?? said.model;
  const lower = said.finish === "stop" ? "stop" : "length";
  if (asks("inputText")) {
    const completionReason = { stop: "FINISH", length: "LENGTH", filtered: "CONTENT_FILTERED" }[said.finish];
    const counts = { inputTextTokenCount: inputTokens, totalOutputTextTokenCount: outputTokens };
    const body = { inputTextTokenCount: inputTokens, results: [{ tokenCount: outputTokens, outputText: text, completionReason }] };
    return [body, [{ outputText: text, index: 0, ...counts, completionReason }]];
  }
  if (asks("max_tokens_to_sample")) {
    const body = { type: "completion", completion: text, stop_reason: said.finish === "stop" ? "stop_sequence" : "max_tokens", stop: null };
    return [body, [body]];
  }
  if (/mistral|mixtral/.test(model)) {
    const body = { outputs: [{ text, stop_reason: lower }] };
    return [body, [body]];
  }
  if (/cohere/.test(model)) {
    const finish_reason = { stop: "COMPLETE", length: "MAX_TOKENS", filtered: "ERROR_TOXIC" }[said.finish];
    return [{ id: said.id, prompt: "", generations: [{ id: said.id, text, finish_reason }] }, [{ text, is_finished: true, finish_reason }]];
  }
  if (/ai21|j2-/.test(model)) {
    const reason = { reason: said.finish === "stop" ? "endoftext" : "length" };
    const body = { id: said.id, prompt: { text: "", tokens: [] }, completions: [{ data: { text, tokens: [] }, finishReason: reason }] };
    return [body, [body]];
  }
  const body = { generation: text, prompt_token_count: inputTokens, generation_token_count: outputTokens, stop_reason: lower };
  return [body, [body]];
}
