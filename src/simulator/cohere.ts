import type { Answer, Ask, Choice, OfferedTool, Piece } from "./answer.ts";
import { contentTexts } from "./openai-chat.ts";
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

const reply = (status: number, message: string): ErrorReply => ({ status, body: JSON.stringify({ id: idText(status, 24), message }) });

/** Cohere's errors: a message, and in newer versions an id. */
export const cohereStyle: ErrorStyle = {
  name: "cohere",
  checkKey(arrival: Arrival, key: string): ErrorReply | undefined {
    if (arrival.headers.authorization === `Bearer ${key}`) return undefined;
    return reply(401, arrival.headers.authorization === undefined ? "no api key supplied" : "invalid api token");
  },
  notFound: (arrival) => reply(404, `${arrival.path} not found`),
  badRequest: (message) => reply(400, message),
  fault: (status) =>
    reply(
      status,
      status === 429
        ? "You are past the per minute request limit, please wait and try again later."
        : status >= 500
          ? "internal server error"
          : `simulated failure with status ${status}`,
    ),
  headers: (number) => ({ "x-debug-trace-id": idText(number, 32), "num-chars": "1" }),
};

const FINISH = { stop: "COMPLETE", length: "MAX_TOKENS", tool: "TOOL_CALL" } as const;

/** Tokens beside those of the prompt: the template that Cohere puts around it, read but not billed. */
const TEMPLATE_TOKENS = 200;
const usageOf = (answer: Answer): Values => ({
  billed_units: { input_tokens: answer.inputTokens, output_tokens: answer.outputTokens },
  tokens: { input_tokens: answer.inputTokens + TEMPLATE_TOKENS, output_tokens: answer.outputTokens },
});

function readTools(body: Values): OfferedTool[] {
  return listOf(body["tools"]).flatMap((raw): OfferedTool[] => {
    const tool = objectOf(raw);
    const definition = objectOf(tool["function"] ?? tool);
    const name = textOf(definition["name"]);
    return name === undefined ? [] : [{ name, schema: definition["parameters"] }];
  });
}

/** Version 2 has messages; version 1 has one message, and what was before it. */
function readAsk(body: Values, model: string, version: 1 | 2): Ask {
  const messages = listOf(body["messages"]).map(objectOf);
  const history = listOf(body["chat_history"]).flatMap((turn) => textOf(objectOf(turn)["message"]) ?? []);
  const message = textOf(body["message"]) ?? "";
  const documents = listOf(body["documents"]).map((document) => (typeof document === "string" ? document : JSON.stringify(document)));
  const format = objectOf(body["response_format"]);
  return {
    ...NO_ASK,
    model,
    streaming: body["stream"] === true,
    texts: [
      ...(version === 2
        ? messages.flatMap((each) => contentTexts(each["content"]))
        : [textOf(body["preamble"]) ?? "", ...history, message]),
      ...documents,
    ].filter((text) => text !== ""),
    lastUserText: version === 2 ? contentTexts(messages.findLast((each) => each["role"] === "user")?.["content"]).join("\n") : message,
    afterToolResult: version === 2 ? messages.at(-1)?.["role"] === "tool" : listOf(body["tool_results"]).length > 0,
    maxTokens: wholeOf(body["max_tokens"], { min: 0, max: 1_000_000 }),
    choices: 1,
    tools: readTools(body),
    toolChoice: body["tool_choice"] === "REQUIRED" ? "any" : body["tool_choice"] === "NONE" ? "none" : "auto",
    json: format["type"] === "json_object" ? (format["json_schema"] ?? format["schema"] ?? {}) : undefined,
  };
}

const toolCall = (choice: Choice, args: string): Values | undefined =>
  choice.tool === undefined
    ? undefined
    : { id: `${choice.tool.name}_${choice.tool.id.slice(0, 12)}`, type: "function", function: { name: choice.tool.name, arguments: args } };

function unaryV2(answer: Answer): string {
  const [choice] = answer.choices;
  if (choice === undefined) return "{}";
  const call = toolCall(choice, choice.tool?.pieces.join("") ?? "");
  const message = {
    role: "assistant",
    ...(call === undefined
      ? { content: [{ type: "text", text: choice.content.join("") }] }
      : { tool_plan: "I will use a tool.", tool_calls: [call] }),
  };
  return JSON.stringify({ id: idText(answer.hash, 36), message, finish_reason: FINISH[choice.finish], usage: usageOf(answer) });
}

const event = (type: string, rest: Values): string => `event: ${type}\ndata: ${JSON.stringify({ type, ...rest })}\n\n`;
const within = (message: Values): Values => ({ delta: { message } });

function* piecesV2(answer: Answer): Generator<Piece> {
  const [choice] = answer.choices;
  if (choice === undefined) return;
  const start = { role: "assistant", content: [], tool_plan: "", tool_calls: [], citations: [] };
  yield { text: event("message-start", { id: idText(answer.hash, 36), ...within(start) }), tokens: 0 };
  const { tool } = choice;
  if (tool === undefined) {
    yield { text: event("content-start", { index: 0, ...within({ content: { type: "text", text: "" } }) }), tokens: 0 };
    for (const text of choice.content) yield { text: event("content-delta", { index: 0, ...within({ content: { text } }) }), tokens: 1 };
    yield { text: event("content-end", { index: 0 }), tokens: 0 };
  } else {
    yield { text: event("tool-call-start", { index: 0, ...within({ tool_calls: toolCall(choice, "") ?? {} }) }), tokens: 0 };
    for (const piece of tool.pieces) {
      yield { text: event("tool-call-delta", { index: 0, ...within({ tool_calls: { function: { arguments: piece } } }) }), tokens: 1 };
    }
    yield { text: event("tool-call-end", { index: 0 }), tokens: 0 };
  }
  yield { text: event("message-end", { delta: { finish_reason: FINISH[choice.finish], usage: usageOf(answer) } }), tokens: 0 };
  yield { text: "data: [DONE]\n\n", tokens: 0 };
}

function wholeV1(answer: Answer): Values {
  const [choice] = answer.choices;
  const tool = choice?.tool;
  const calls = tool === undefined ? {} : { tool_calls: [{ name: tool.name, parameters: parsed(tool.pieces.join(""))?.value ?? {} }] };
  return {
    response_id: idText(answer.hash, 36),
    generation_id: idText(answer.hash + 1, 36),
    text: choice?.content.join("") ?? "",
    ...calls,
    finish_reason: choice?.finish === "length" ? "MAX_TOKENS" : "COMPLETE",
    meta: { api_version: { version: "1" }, ...usageOf(answer) },
  };
}

function* piecesV1(answer: Answer): Generator<Piece> {
  const whole = wholeV1(answer);
  const line = (event_type: string, rest: Values): string =>
    `${JSON.stringify({ is_finished: event_type === "stream-end", event_type, ...rest })}\n`;
  yield { text: line("stream-start", { generation_id: whole["generation_id"] }), tokens: 0 };
  for (const text of answer.choices[0]?.content ?? []) yield { text: line("text-generation", { text }), tokens: 1 };
  yield { text: line("stream-end", { finish_reason: whole["finish_reason"], response: whole }), tokens: 0 };
}

/** POST /v2/chat and /v1/chat. */
export const cohereChat: Surface = {
  name: "cohere.chat",
  style: cohereStyle,
  match: (arrival) => arrival.method === "POST" && /\/v[12]\/chat$/.test(arrival.path),
  open(body, arrival): Opened | string {
    if (!isObject(body)) return "invalid request: could not parse the body as JSON";
    const version = arrival.path.endsWith("/v2/chat") ? 2 : 1;
    const model = textOf(body["model"]) ?? (version === 1 ? "command-r" : "");
    if (model === "") return "invalid request: model is required";
    if (version === 2 ? listOf(body["messages"]).length === 0 : textOf(body["message"]) === undefined)
      return version === 2 ? "invalid request: messages must be specified" : "invalid request: message must be specified";
    if (body["metadata"] !== undefined) return 'invalid request: unknown field "metadata"';
    const ask = readAsk(body, model, version);
    const streamed = version === 2 ? SSE_TYPE : "application/stream+json";
    return {
      ask,
      contentType: ask.streaming ? streamed : JSON_TYPE,
      unary: (answer) => (version === 2 ? unaryV2(answer) : JSON.stringify(wholeV1(answer))),
      stream: (answer): StreamReply => ({
        pieces: version === 2 ? piecesV2(answer) : piecesV1(answer),
        fail: () =>
          version === 2
            ? event("message-end", { delta: { finish_reason: "ERROR", error: "internal server error" } })
            : `${JSON.stringify({ is_finished: true, event_type: "stream-end", finish_reason: "ERROR" })}\n`,
      }),
    };
  },
};

const textsOf = (list: unknown): string[] => listOf(list).map((item) => (typeof item === "string" ? item : JSON.stringify(item)));

/** POST /v1/embed, /v2/embed and their rerank. */
export const cohereInputs: Surface = {
  name: "cohere.inputs",
  style: cohereStyle,
  match: (arrival) => arrival.method === "POST" && /\/v[12]\/(?:embed|rerank)$/.test(arrival.path),
  open(body, arrival): Opened | string {
    if (!isObject(body)) return "invalid request: could not parse the body as JSON";
    const model = textOf(body["model"]);
    if (model === undefined || model === "") return "invalid request: model is required";
    const version = arrival.path.includes("/v2/") ? "2" : "1";
    const meta = (billed: Values): Values => ({ meta: { api_version: { version }, billed_units: billed } });
    if (arrival.path.endsWith("/rerank")) {
      const documents = textsOf(body["documents"]);
      const results = documents.map((_, index) => ({ index, relevance_score: 1 / (index + 2) }));
      const texts = [textOf(body["query"]) ?? "", ...documents];
      return {
        ask: { ...NO_ASK, model, texts },
        contentType: JSON_TYPE,
        unary: () =>
          JSON.stringify({ id: idText(documents.length, 36), results, ...meta({ search_units: Math.ceil(documents.length / 100) || 1 }) }),
      };
    }
    const texts = [...textsOf(body["texts"]), ...textsOf(body["inputs"])];
    const tokens = texts.reduce((sum, text) => sum + inputTokensOf(Buffer.byteLength(text)), 0);
    const vectors = texts.map((text) => [text.length / 1000, 0.5, -0.25]);
    return {
      ask: { ...NO_ASK, model, texts },
      contentType: JSON_TYPE,
      unary: () =>
        JSON.stringify({
          id: idText(tokens, 36),
          embeddings: version === "2" ? { float: vectors } : vectors,
          texts,
          ...meta({ input_tokens: tokens }),
        }),
    };
  },
};
