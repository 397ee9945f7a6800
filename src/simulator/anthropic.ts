import type { Answer, Ask, Choice, OfferedTool, Piece } from "./answer.ts";
import {
  type Arrival,
  type ErrorReply,
  type ErrorStyle,
  JSON_TYPE,
  NO_ASK,
  type Opened,
  SSE_TYPE,
  type StreamReply,
  type Surface,
} from "./surface.ts";
import { idText, inputTokensOf } from "./text.ts";
import { isObject, listOf, objectOf, parsed, textOf, type Values, wholeOf } from "./values.ts";

/** Types by status, after docs.anthropic.com/en/api/errors. */
const TYPES: Readonly<Record<number, readonly [type: string, message: string]>> = {
  401: ["authentication_error", "invalid x-api-key"],
  403: ["permission_error", "Your API key does not have permission to use the specified resource."],
  404: ["not_found_error", "Not Found"],
  413: ["request_too_large", "Request exceeds the maximum size"],
  429: ["rate_limit_error", "This request would exceed the rate limit for your organization."],
  500: ["api_error", "Internal server error"],
  504: ["timeout_error", "Request timed out"],
  529: ["overloaded_error", "Overloaded"],
};
const REQUEST_ID = "req_011CSimulated000000000000";

function reply(status: number, type: string, message: string): ErrorReply {
  return { status, body: JSON.stringify({ type: "error", error: { type, message }, request_id: REQUEST_ID }) };
}

export const anthropicStyle: ErrorStyle = {
  name: "anthropic",
  checkKey(arrival: Arrival, key: string): ErrorReply | undefined {
    const sent = arrival.headers["x-api-key"];
    if (sent === key || arrival.headers.authorization === `Bearer ${key}`) return undefined;
    return reply(401, "authentication_error", sent === undefined ? "x-api-key header is required" : "invalid x-api-key");
  },
  notFound: () => reply(404, "not_found_error", "Not Found"),
  badRequest: (message) => reply(400, "invalid_request_error", message),
  fault(status) {
    const [type, message] =
      TYPES[status] ??
      (status >= 500 ? ["api_error", "Internal server error"] : ["invalid_request_error", `Simulated failure with status ${status}.`]);
    return reply(status, type, message);
  },
  headers: (requestNumber) => ({
    "anthropic-organization-id": "00000000-0000-4000-8000-000000000000",
    "anthropic-ratelimit-requests-limit": "4000",
    "anthropic-ratelimit-requests-remaining": "3999",
    "request-id": `req_${idText(requestNumber, 24)}`,
  }),
};

/** Texts of a message's content, those of tool results included. */
function contentTexts(content: unknown): string[] {
  if (typeof content === "string") return [content];
  return listOf(content).flatMap((raw) => {
    const block = objectOf(raw);
    return block["type"] === "tool_result" ? contentTexts(block["content"]) : (textOf(block["text"]) ?? []);
  });
}

const userTexts = (content: unknown): string[] =>
  typeof content === "string" ? [content] : listOf(content).flatMap((block) => textOf(objectOf(block)["text"]) ?? []);

function readAsk(body: Values, model: string): Ask {
  const messages = listOf(body["messages"]).map(objectOf);
  const choice = objectOf(body["tool_choice"]);
  const format = objectOf(objectOf(body["output_config"])["format"] ?? body["output_format"]);
  const thinking = textOf(objectOf(body["thinking"])["type"]);
  const tools = listOf(body["tools"]).flatMap((raw): OfferedTool[] => {
    const tool = objectOf(raw);
    const name = textOf(tool["name"]);
    return name !== undefined && isObject(tool["input_schema"]) ? [{ name, schema: tool["input_schema"] }] : [];
  });
  const isResult = (block: unknown): boolean => objectOf(block)["type"] === "tool_result";
  return {
    model,
    streaming: body["stream"] === true,
    texts: [...contentTexts(body["system"]), ...messages.flatMap((message) => contentTexts(message["content"]))],
    lastUserText: userTexts(
      messages.findLast((message) => message["role"] === "user" && userTexts(message["content"]).length > 0)?.["content"],
    ).join("\n"),
    afterToolResult: listOf(messages.at(-1)?.["content"]).some(isResult),
    maxTokens: wholeOf(body["max_tokens"], { min: 0, max: 1_000_000 }),
    choices: 1,
    tools,
    toolChoice: choice["type"] === "tool" ? (textOf(choice["name"]) ?? "any") : (textOf(choice["type"]) ?? "auto"),
    json: format["type"] === "json_schema" ? format["schema"] : undefined,
    reasoning: thinking === "enabled" || thinking === "adaptive",
  };
}

const FINISH = { stop: "end_turn", length: "max_tokens", tool: "tool_use" } as const;

/** `outputTokens` is what was generated so far: the first event of a stream reports a small number. */
function usageOf(answer: Answer, outputTokens: number): Values {
  return {
    input_tokens: answer.inputTokens,
    cache_creation_input_tokens: 0,
    cache_read_input_tokens: 0,
    cache_creation: { ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: 0 },
    output_tokens: outputTokens,
    service_tier: "standard",
  };
}

const signatureOf = (answer: Answer): string => `Sim${idText(answer.hash + 1, 57)}`;
const firstChoice = (answer: Answer): Choice => answer.choices[0] ?? { reasoning: [], content: [], tool: undefined, finish: "stop" };

function unaryBody(ask: Ask, answer: Answer): string {
  const { reasoning, content, tool, finish } = firstChoice(answer);
  const blocks: Values[] = [];
  if (reasoning.length > 0) blocks.push({ type: "thinking", thinking: reasoning.join(""), signature: signatureOf(answer) });
  if (tool !== undefined)
    blocks.push({ type: "tool_use", id: `toolu_${tool.id}`, name: tool.name, input: parsed(tool.pieces.join(""))?.value ?? {} });
  else if (content.length > 0) blocks.push({ type: "text", text: content.join("") });
  return JSON.stringify({
    model: ask.model,
    id: `msg_01${idText(answer.hash, 22)}`,
    type: "message",
    role: "assistant",
    content: blocks,
    stop_reason: FINISH[finish],
    stop_sequence: null,
    usage: usageOf(answer, answer.outputTokens),
  });
}

/** One event. Anthropic pads the JSON with spaces before its last brace; so do we, by a rule instead of at random. */
function event(type: string, members: Values, tokens = 0): Piece {
  const json = JSON.stringify({ type, ...members });
  return { text: `event: ${type}\ndata: ${json.slice(0, -1)}${" ".repeat(json.length % 16)}}\n\n`, tokens };
}

function* blockPieces(
  index: number,
  start: Values,
  deltas: Iterable<readonly [delta: Values, tokens: number]>,
  withPing: boolean,
): Generator<Piece> {
  yield event("content_block_start", { index, content_block: start });
  if (withPing) yield { text: 'event: ping\ndata: {"type": "ping"}\n\n', tokens: 0 };
  for (const [delta, tokens] of deltas) yield event("content_block_delta", { index, delta }, tokens);
  yield event("content_block_stop", { index });
}

function* streamPieces(ask: Ask, answer: Answer): Generator<Piece> {
  const { reasoning, content, tool, finish } = firstChoice(answer);
  const message = { model: ask.model, id: `msg_01${idText(answer.hash, 22)}`, type: "message", role: "assistant", content: [] };
  yield event("message_start", { message: { ...message, stop_reason: null, stop_sequence: null, usage: usageOf(answer, 1) } });
  let index = 0;
  if (reasoning.length > 0) {
    const deltas: [Values, number][] = reasoning.map((thinking) => [{ type: "thinking_delta", thinking }, 1]);
    deltas.push([{ type: "signature_delta", signature: signatureOf(answer) }, 0]);
    yield* blockPieces(index, { type: "thinking", thinking: "", signature: "" }, deltas, true);
    index += 1;
  }
  if (tool !== undefined) {
    const deltas: [Values, number][] = [[{ type: "input_json_delta", partial_json: "" }, 0]];
    for (const piece of tool.pieces) deltas.push([{ type: "input_json_delta", partial_json: piece }, 1]);
    yield* blockPieces(index, { type: "tool_use", id: `toolu_${tool.id}`, name: tool.name, input: {} }, deltas, index === 0);
  } else if (content.length > 0) {
    yield* blockPieces(
      index,
      { type: "text", text: "" },
      content.map((text) => [{ type: "text_delta", text }, 1]),
      index === 0,
    );
  }
  const { inputTokens, outputTokens } = answer;
  const usage = { input_tokens: inputTokens, cache_creation_input_tokens: 0, cache_read_input_tokens: 0, output_tokens: outputTokens };
  yield event("message_delta", { delta: { stop_reason: FINISH[finish], stop_sequence: null }, usage });
  yield event("message_stop", {});
}

/** What the real API refuses as well; the metadata rule shows whether a gateway took its own fields out. */
function problemOf(body: Values): string | undefined {
  if (!Array.isArray(body["messages"])) return "messages: Field required";
  const unknown = Object.keys(objectOf(body["metadata"])).find((key) => key !== "user_id");
  return unknown === undefined ? undefined : `metadata.${unknown}: Extra inputs are not permitted`;
}

/** POST …/v1/messages. */
export const anthropicMessages: Surface = {
  name: "anthropic.messages",
  style: anthropicStyle,
  match: (arrival) => arrival.method === "POST" && arrival.path.endsWith("/messages"),
  open(body): Opened | string {
    if (!isObject(body)) return "The request body is not valid JSON";
    const model = textOf(body["model"]);
    if (model === undefined || model === "") return "model: Field required";
    if (wholeOf(body["max_tokens"], { min: 0, max: 1 }) === undefined) return "max_tokens: Field required";
    const problem = problemOf(body);
    if (problem !== undefined) return problem;
    const ask = readAsk(body, model);
    const failure = JSON.stringify({
      type: "error",
      error: { details: null, type: "overloaded_error", message: "Overloaded" },
      request_id: REQUEST_ID,
    });
    return {
      ask,
      contentType: ask.streaming ? SSE_TYPE : JSON_TYPE,
      unary: (answer) => unaryBody(ask, answer),
      stream: (answer): StreamReply => ({ pieces: streamPieces(ask, answer), fail: () => `event: error\ndata: ${failure}\n\n` }),
    };
  },
};

/** POST …/v1/messages/count_tokens. */
export const anthropicCountTokens: Surface = {
  name: "anthropic.count_tokens",
  style: anthropicStyle,
  match: (arrival) => arrival.method === "POST" && arrival.path.endsWith("/messages/count_tokens"),
  open(body): Opened | string {
    if (!isObject(body)) return "The request body is not valid JSON";
    const model = textOf(body["model"]);
    if (model === undefined || model === "") return "model: Field required";
    const problem = problemOf(body);
    if (problem !== undefined) return problem;
    const { texts } = readAsk(body, model);
    const bytes = texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
    return {
      ask: { ...NO_ASK, model, texts },
      contentType: JSON_TYPE,
      unary: () => JSON.stringify({ input_tokens: inputTokensOf(bytes) }),
    };
  },
};

/** GET …/v1/models, for callers that send `anthropic-version`. */
export const anthropicModels: Surface = {
  name: "anthropic.models",
  style: anthropicStyle,
  match: (arrival) => arrival.method === "GET" && arrival.path.endsWith("/models") && arrival.headers["anthropic-version"] !== undefined,
  open(): Opened {
    const ids = ["claude-haiku-4-5", "claude-sonnet-4-5"];
    const data = ids.map((id) => ({ type: "model", id, display_name: id, created_at: "2025-10-01T00:00:00Z" }));
    return {
      ask: NO_ASK,
      contentType: JSON_TYPE,
      unary: () => JSON.stringify({ data, has_more: false, first_id: ids[0], last_id: ids.at(-1) }),
    };
  },
};
