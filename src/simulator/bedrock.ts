import { crc32 } from "node:zlib";
import type { Answer, Ask, OfferedTool, Piece } from "./answer.ts";
import {
  type Arrival,
  type ErrorReply,
  type ErrorStyle,
  JSON_TYPE,
  NO_ASK,
  type Opened,
  type StreamReply,
  type Surface,
} from "./surface.ts";
import { idText, inputTokensOf } from "./text.ts";
import { isObject, listOf, objectOf, parsed, textOf, type Values, wholeOf } from "./values.ts";

const STREAM_TYPE = "application/vnd.amazon.eventstream";

const TYPES: Readonly<Record<number, string>> = {
  400: "ValidationException",
  403: "AccessDeniedException",
  404: "ResourceNotFoundException",
  408: "ModelTimeoutException",
  424: "ModelErrorException",
  429: "ThrottlingException",
  500: "InternalServerException",
  503: "ServiceUnavailableException",
};
const typeOf = (status: number): string => TYPES[status] ?? (status >= 500 ? "InternalServerException" : "ValidationException");
const reply = (status: number, message: string): ErrorReply => ({
  status,
  body: JSON.stringify({ message }),
  headers: { "x-amzn-errortype": `${typeOf(status)}:http://internal.amazon.com/coral/com.amazon.bedrock/` },
});

/** AWS's errors: a message, and the type in a header. */
export const bedrockStyle: ErrorStyle = {
  name: "bedrock",
  checkKey(arrival: Arrival, key: string): ErrorReply | undefined {
    const sent = arrival.headers.authorization;
    if (sent === `Bearer ${key}` || sent?.startsWith(`AWS4-HMAC-SHA256 Credential=${key}/`) === true) return undefined;
    return reply(403, sent === undefined ? "Missing Authentication Token" : "The security token included in the request is invalid.");
  },
  notFound: () => reply(404, "Unable to determine service/operation name to be authorized"),
  badRequest: (message) => reply(400, message),
  fault: (status) =>
    reply(status, status === 429 ? "Too many requests, please wait before trying again." : `Simulated failure with status ${status}.`),
  headers: (number) => ({ "x-amzn-requestid": idText(number, 36) }),
};

/** One frame of AWS's event stream encoding. */
function frame(headers: Readonly<Record<string, string>>, payload: string): Buffer {
  const block = Buffer.concat(
    Object.entries(headers).map(([name, value]) => {
      const length = Buffer.byteLength(value);
      return Buffer.concat([
        Buffer.from([name.length]),
        Buffer.from(name),
        Buffer.from([7, length >> 8, length & 255]),
        Buffer.from(value),
      ]);
    }),
  );
  const body = Buffer.from(payload);
  const total = 16 + block.length + body.length;
  const out = Buffer.alloc(total);
  out.writeUInt32BE(total, 0);
  out.writeUInt32BE(block.length, 4);
  out.writeUInt32BE(crc32(out.subarray(0, 8)), 8);
  out.set(block, 12);
  out.set(body, 12 + block.length);
  out.writeUInt32BE(crc32(out.subarray(0, total - 4)), total - 4);
  return out;
}
const event = (type: string, value: Values): Buffer =>
  // Bedrock pads each event, so that its size tells nothing.
  frame(
    { ":event-type": type, ":content-type": "application/json", ":message-type": "event" },
    JSON.stringify({ ...value, p: "abcdefghijklmnopqrstuvwxyz".slice(0, 1 + (JSON.stringify(value).length % 26)) }),
  );
const exception = (): Buffer =>
  frame(
    { ":exception-type": "internalServerException", ":content-type": "application/json", ":message-type": "exception" },
    JSON.stringify({ message: "The system encountered an unexpected error during processing. Try your request again." }),
  );

const textsOf = (content: unknown): string[] =>
  listOf(content).flatMap((raw): string[] => {
    const part = objectOf(raw);
    const result = objectOf(part["toolResult"]);
    return [...(textOf(part["text"]) === undefined ? [] : [String(part["text"])]), ...textsOf(result["content"])];
  });

function converseAsk(body: Values, model: string, streaming: boolean): Ask {
  const messages = listOf(body["messages"]).map(objectOf);
  const config = objectOf(body["toolConfig"]);
  const choice = objectOf(config["toolChoice"]);
  const tools = listOf(config["tools"]).flatMap((raw): OfferedTool[] => {
    const spec = objectOf(objectOf(raw)["toolSpec"]);
    const name = textOf(spec["name"]);
    return name === undefined ? [] : [{ name, schema: objectOf(spec["inputSchema"])["json"] }];
  });
  const isUser = (message: Values): boolean => message["role"] === "user" && textsOf(message["content"]).length > 0;
  const limits = objectOf(body["inferenceConfig"]);
  return {
    ...NO_ASK,
    model,
    streaming,
    texts: [...textsOf(body["system"]), ...messages.flatMap((message) => textsOf(message["content"]))],
    lastUserText: textsOf(messages.findLast(isUser)?.["content"]).join("\n"),
    afterToolResult: listOf(messages.at(-1)?.["content"]).some((part) => objectOf(part)["toolResult"] !== undefined),
    maxTokens: wholeOf(limits["maxTokens"] ?? limits["max_new_tokens"], { min: 0, max: 1_000_000 }),
    choices: 1,
    tools,
    toolChoice: textOf(objectOf(choice["tool"])["name"]) ?? (choice["any"] === undefined ? "auto" : "any"),
  };
}

const usageOf = (answer: Answer): Values => ({
  inputTokens: answer.inputTokens,
  outputTokens: answer.outputTokens,
  totalTokens: answer.inputTokens + answer.outputTokens,
});
const STOP = { stop: "end_turn", length: "max_tokens", tool: "tool_use" } as const;

function converseBody(answer: Answer): Values {
  const [choice] = answer.choices;
  const tool = choice?.tool;
  const content =
    tool === undefined
      ? [{ text: choice?.content.join("") ?? "" }]
      : [{ toolUse: { toolUseId: `tooluse_${tool.id}`, name: tool.name, input: parsed(tool.pieces.join(""))?.value ?? {} } }];
  return {
    metrics: { latencyMs: 1 },
    output: { message: { content, role: "assistant" } },
    stopReason: STOP[choice?.finish ?? "stop"],
    usage: usageOf(answer),
  };
}

function* conversePieces(answer: Answer): Generator<Piece> {
  const [choice] = answer.choices;
  if (choice === undefined) return;
  const { tool } = choice;
  yield { text: event("messageStart", { role: "assistant" }), tokens: 0 };
  if (tool !== undefined) {
    const start = { toolUse: { toolUseId: `tooluse_${tool.id}`, name: tool.name } };
    yield { text: event("contentBlockStart", { contentBlockIndex: 0, start }), tokens: 0 };
    for (const input of tool.pieces)
      yield { text: event("contentBlockDelta", { contentBlockIndex: 0, delta: { toolUse: { input } } }), tokens: 1 };
  }
  for (const text of choice.content) yield { text: event("contentBlockDelta", { contentBlockIndex: 0, delta: { text } }), tokens: 1 };
  yield { text: event("contentBlockStop", { contentBlockIndex: 0 }), tokens: 0 };
  yield { text: event("messageStop", { stopReason: STOP[choice.finish] }), tokens: 0 };
  yield { text: event("metadata", { metrics: { latencyMs: 1 }, usage: usageOf(answer) }), tokens: 0 };
}

/** InvokeModel: Anthropic's messages, and for everyone else one prompt in Llama's shape. */
function invokeAsk(body: Values, model: string, streaming: boolean): Ask {
  const messages = listOf(body["messages"]).map(objectOf);
  const contentOf = (content: unknown): string[] => (typeof content === "string" ? [content] : textsOf(content));
  const prompt = textOf(body["prompt"]) ?? textOf(body["inputText"]) ?? "";
  const last = messages.findLast((message) => message["role"] === "user");
  return {
    ...NO_ASK,
    model,
    streaming,
    texts:
      messages.length === 0 ? [prompt] : [...contentOf(body["system"]), ...messages.flatMap((message) => contentOf(message["content"]))],
    lastUserText: messages.length === 0 ? prompt : contentOf(last?.["content"]).join("\n"),
    maxTokens: wholeOf(body["max_tokens"] ?? body["max_gen_len"], { min: 0, max: 1_000_000 }),
    choices: 1,
  };
}

function invokeBody(answer: Answer, messages: boolean): Values {
  const text = answer.choices[0]?.content.join("") ?? "";
  const cut = answer.choices[0]?.finish === "length";
  if (!messages)
    return {
      generation: text,
      prompt_token_count: answer.inputTokens,
      generation_token_count: answer.outputTokens,
      stop_reason: cut ? "length" : "stop",
    };
  return {
    id: `msg_bdrk_${idText(answer.hash, 24)}`,
    type: "message",
    role: "assistant",
    model: "claude-simulated",
    content: [{ type: "text", text }],
    stop_reason: cut ? "max_tokens" : "end_turn",
    stop_sequence: null,
    usage: { input_tokens: answer.inputTokens, output_tokens: answer.outputTokens },
  };
}

function* invokePieces(answer: Answer, messages: boolean): Generator<Piece> {
  const chunk = (value: Values, tokens = 0): Piece => ({
    text: event("chunk", { bytes: Buffer.from(JSON.stringify(value)).toString("base64") }),
    tokens,
  });
  const metrics = {
    "amazon-bedrock-invocationMetrics": {
      inputTokenCount: answer.inputTokens,
      outputTokenCount: answer.outputTokens,
      invocationLatency: 1,
      firstByteLatency: 1,
    },
  };
  const content = answer.choices[0]?.content ?? [];
  if (!messages) {
    for (const [index, generation] of content.entries())
      yield chunk(
        { generation, prompt_token_count: index === 0 ? answer.inputTokens : null, generation_token_count: index + 1, stop_reason: null },
        1,
      );
    yield chunk({ generation: "", prompt_token_count: null, generation_token_count: content.length, stop_reason: "stop", ...metrics });
    return;
  }
  const { content: _content, ...message } = invokeBody(answer, true);
  yield chunk({
    type: "message_start",
    message: { ...message, content: [], stop_reason: null, usage: { input_tokens: answer.inputTokens, output_tokens: 1 } },
  });
  yield chunk({ type: "content_block_start", index: 0, content_block: { type: "text", text: "" } });
  for (const text of content) yield chunk({ type: "content_block_delta", index: 0, delta: { type: "text_delta", text } }, 1);
  yield chunk({ type: "content_block_stop", index: 0 });
  yield chunk({
    type: "message_delta",
    delta: { stop_reason: message["stop_reason"], stop_sequence: null },
    usage: { output_tokens: answer.outputTokens },
  });
  yield chunk({ type: "message_stop", ...metrics });
}

const PATH = /\/model\/([^/]+)\/(converse|converse-stream|invoke|invoke-with-response-stream|count-tokens)$/;

/** POST /model/{model}/converse, converse-stream, invoke, invoke-with-response-stream and count-tokens. */
export const bedrockModels: Surface = {
  name: "bedrock.models",
  style: bedrockStyle,
  match: (arrival) => arrival.method === "POST" && PATH.test(arrival.path),
  open(body, arrival): Opened | string {
    const [, encoded = "", method = ""] = PATH.exec(arrival.path) ?? [];
    if (!isObject(body)) return "The request body could not be parsed.";
    const model = decodeURIComponent(encoded);
    const streaming = method.endsWith("stream");
    const contentType = streaming ? STREAM_TYPE : JSON_TYPE;
    if (method === "count-tokens") {
      const { texts } = converseAsk(objectOf(objectOf(body["input"])["converse"]), model, false);
      const inputTokens = inputTokensOf(texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0));
      return { ask: { ...NO_ASK, texts }, contentType, unary: () => JSON.stringify({ inputTokens }) };
    }
    if (method.startsWith("converse")) {
      if (listOf(body["messages"]).length === 0) return "A conversation must start with a user message.";
      const ask = converseAsk(body, model, streaming);
      return {
        ask,
        contentType,
        unary: (answer) => JSON.stringify(converseBody(answer)),
        stream: (answer): StreamReply => ({ pieces: conversePieces(answer), fail: exception }),
      };
    }
    const messages = body["anthropic_version"] !== undefined;
    const ask = invokeAsk(body, model, streaming);
    return {
      ask,
      contentType,
      headers: (answer): Record<string, string> =>
        streaming
          ? { "x-amzn-bedrock-content-type": "application/json" }
          : {
              "x-amzn-bedrock-input-token-count": String(answer.inputTokens),
              "x-amzn-bedrock-output-token-count": String(answer.outputTokens),
            },
      unary: (answer) => JSON.stringify(invokeBody(answer, messages)),
      stream: (answer): StreamReply => ({ pieces: invokePieces(answer, messages), fail: exception }),
    };
  },
};
