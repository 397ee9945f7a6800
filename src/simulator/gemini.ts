import type { Answer, Ask, Choice, OfferedTool, Piece } from "./answer.ts";
import { type Arrival, type ErrorReply, type ErrorStyle, NO_ASK, type Opened, type StreamReply, type Surface } from "./surface.ts";
import { idText, inputTokensOf } from "./text.ts";
import { isObject, listOf, objectOf, parsed, textOf, type Values, wholeOf } from "./values.ts";

const JSON_TYPE = "application/json; charset=UTF-8";
const STATUS_NAMES: Readonly<Record<number, string>> = {
  400: "INVALID_ARGUMENT",
  401: "UNAUTHENTICATED",
  403: "PERMISSION_DENIED",
  404: "NOT_FOUND",
  409: "ABORTED",
  429: "RESOURCE_EXHAUSTED",
  500: "INTERNAL",
  501: "UNIMPLEMENTED",
  503: "UNAVAILABLE",
  504: "DEADLINE_EXCEEDED",
};

function errorObject(status: number, message: string, details?: readonly Values[]): Values {
  const name = STATUS_NAMES[status] ?? (status >= 500 ? "INTERNAL" : "FAILED_PRECONDITION");
  return { error: { code: status, message, status: name, ...(details === undefined ? {} : { details }) } };
}
const reply = (status: number, message: string, details?: readonly Values[]): ErrorReply => ({
  status,
  body: `${JSON.stringify(errorObject(status, message, details), null, 2)}\n`,
});
const errorInfo = (reason: string): Values => ({
  "@type": "type.googleapis.com/google.rpc.ErrorInfo",
  reason,
  domain: "googleapis.com",
  metadata: { service: "generativelanguage.googleapis.com" },
});

const OVERLOADED = "The model is overloaded. Please try again later.";

/** Google's errors. A wrong API key is a 400 there, a missing one a 403; only OAuth tokens get 401. */
export const geminiStyle: ErrorStyle = {
  name: "gemini",
  checkKey(arrival: Arrival, key: string): ErrorReply | undefined {
    const sent = arrival.headers["x-goog-api-key"] ?? arrival.query.get("key") ?? undefined;
    if (sent === key || arrival.headers.authorization === `Bearer ${key}`) return undefined;
    if (sent !== undefined) return reply(400, "API key not valid. Please pass a valid API key.", [errorInfo("API_KEY_INVALID")]);
    if (arrival.headers.authorization !== undefined) {
      return reply(
        401,
        "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid authentication credential.",
      );
    }
    return reply(
      403,
      "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or other form of API consumer identity to call this API.",
    );
  },
  notFound: (arrival) =>
    reply(404, `${arrival.path.replace(/^.*\/(?=models|tunedModels)/, "")} is not found for this API version, or is not supported.`),
  badRequest: (message) => reply(400, message),
  fault(status) {
    if (status === 429) return reply(429, "You exceeded your current quota, please check your plan and billing details.");
    return reply(
      status,
      status === 503
        ? OVERLOADED
        : status >= 500
          ? "An internal error has occurred. Please retry."
          : `Simulated failure with status ${status}.`,
    );
  },
  headers: () => ({ vary: "Origin, X-Origin, Referer", "server-timing": "gfet4t7; dur=1", "x-content-type-options": "nosniff" }),
};

/** Google's JSON parser takes both spellings of every field. */
const either = (node: Values, camel: string): unknown =>
  node[camel] ?? node[camel.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)];

const partsOf = (content: unknown): Values[] => listOf(objectOf(content)["parts"]).map(objectOf);
const textsOf = (content: unknown): string[] => partsOf(content).flatMap((part) => textOf(part["text"]) ?? []);
const allTextsOf = (content: unknown): string[] =>
  partsOf(content).flatMap((part) => {
    const response = either(part, "functionResponse");
    return textOf(part["text"]) ?? (response === undefined ? [] : JSON.stringify(objectOf(response)["response"] ?? null));
  });

function toolChoiceOf(body: Values): string {
  const config = objectOf(either(objectOf(either(body, "toolConfig")), "functionCallingConfig"));
  const mode = textOf(config["mode"])?.toUpperCase();
  if (mode === "NONE") return "none";
  return mode === "ANY" ? (textOf(listOf(either(config, "allowedFunctionNames"))[0]) ?? "any") : "auto";
}

function readAsk(body: Values, model: string, streaming: boolean): Ask {
  const config = objectOf(either(body, "generationConfig"));
  const contents = listOf(body["contents"]);
  const thinking = objectOf(either(config, "thinkingConfig"));
  const budget = either(thinking, "thinkingBudget");
  const tools = listOf(body["tools"]).flatMap((tool) => listOf(either(objectOf(tool), "functionDeclarations")));
  const offered = tools.flatMap((raw): OfferedTool[] => {
    const tool = objectOf(raw);
    const name = textOf(tool["name"]);
    return name === undefined ? [] : [{ name, schema: tool["parameters"] ?? either(tool, "parametersJsonSchema") }];
  });
  const schema = either(config, "responseSchema") ?? either(config, "responseJsonSchema");
  const wantsJson = textOf(either(config, "responseMimeType")) === "application/json";
  const isUser = (content: unknown): boolean => (objectOf(content)["role"] ?? "user") === "user" && textsOf(content).length > 0;
  return {
    model,
    streaming,
    texts: [...textsOf(either(body, "systemInstruction")), ...contents.flatMap(allTextsOf)],
    lastUserText: textsOf(contents.findLast(isUser)).join("\n"),
    afterToolResult: partsOf(contents.at(-1)).some((part) => either(part, "functionResponse") !== undefined),
    maxTokens: wholeOf(either(config, "maxOutputTokens"), { min: 0, max: 1_000_000 }),
    choices: wholeOf(either(config, "candidateCount"), { min: 1, max: 8 }) ?? 1,
    tools: offered,
    toolChoice: toolChoiceOf(body),
    json: wantsJson ? (schema ?? {}) : undefined,
    reasoning:
      either(thinking, "includeThoughts") === true ||
      (typeof budget === "number" && budget !== 0) ||
      either(thinking, "thinkingLevel") !== undefined,
  };
}

interface Counts {
  readonly output: number;
  readonly thoughts: number;
}

function usageOf(answer: Answer, { output, thoughts }: Counts): Values {
  return {
    promptTokenCount: answer.inputTokens,
    ...(output > 0 ? { candidatesTokenCount: output } : {}),
    totalTokenCount: answer.inputTokens + output + thoughts,
    promptTokensDetails: [{ modality: "TEXT", tokenCount: answer.inputTokens }],
    ...(thoughts > 0 ? { thoughtsTokenCount: thoughts } : {}),
  };
}

const FINISH = { stop: "STOP", length: "MAX_TOKENS", tool: "STOP" } as const;

function callPart(choice: Choice): Values | undefined {
  const { tool } = choice;
  if (tool === undefined || !tool.whole) return undefined;
  return { functionCall: { name: tool.name, args: parsed(tool.pieces.join(""))?.value ?? {}, id: tool.id.slice(0, 8).toLowerCase() } };
}

function envelope(ask: Ask, answer: Answer, candidates: readonly Values[], counts: Counts): Values {
  return { candidates, usageMetadata: usageOf(answer, counts), modelVersion: ask.model, responseId: idText(answer.hash, 22) };
}

function unaryBody(ask: Ask, answer: Answer, showThoughts: boolean): string {
  const candidates = answer.choices.map((choice, index) => {
    const parts: Values[] = [];
    if (showThoughts && choice.reasoning.length > 0) parts.push({ text: choice.reasoning.join(""), thought: true });
    if (choice.content.length > 0) parts.push({ text: choice.content.join("") });
    const call = callPart(choice);
    if (call !== undefined) parts.push(call);
    return { content: { ...(parts.length > 0 ? { parts } : {}), role: "model" }, finishReason: FINISH[choice.finish], index };
  });
  const counts = { output: answer.outputTokens - answer.reasoningTokens, thoughts: answer.reasoningTokens };
  return `${JSON.stringify(envelope(ask, answer, candidates, counts), null, 2)}\n`;
}

/** One chunk's parts with their tokens, candidate after candidate in turns. */
function* chunkParts(
  choice: Choice,
  showThoughts: boolean,
): Generator<{ readonly part: Values | undefined; readonly output: number; readonly thoughts: number }> {
  if (showThoughts) for (const text of choice.reasoning) yield { part: { text, thought: true }, output: 0, thoughts: 1 };
  else if (choice.reasoning.length > 0) yield { part: undefined, output: 0, thoughts: choice.reasoning.length };
  for (const text of choice.content) yield { part: { text }, output: 1, thoughts: 0 };
  const { tool } = choice;
  if (tool !== undefined) yield { part: callPart(choice), output: tool.pieces.length, thoughts: 0 };
}

function* streamValues(ask: Ask, answer: Answer, showThoughts: boolean): Generator<{ readonly value: Values; readonly tokens: number }> {
  let output = 0;
  let thoughts = 0;
  for (const [index, choice] of answer.choices.entries()) {
    for (const step of chunkParts(choice, showThoughts)) {
      output += step.output;
      thoughts += step.thoughts;
      if (step.part === undefined) continue;
      const candidate = { content: { parts: [step.part], role: "model" }, index };
      yield {
        value: envelope(ask, answer, [candidate], { output, thoughts }),
        tokens: "thought" in step.part ? step.thoughts : step.output,
      };
    }
    const last = { content: { parts: [{ text: "" }], role: "model" }, finishReason: FINISH[choice.finish], index };
    yield { value: envelope(ask, answer, [last], { output, thoughts }), tokens: 0 };
  }
}

/** Google's SSE: CRLF, and a space after each colon of a member. */
const ssePiece = (value: Values): string => `data: ${spaced(value)}\r\n\r\n`;
function spaced(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(spaced).join(",")}]`;
  if (!isObject(value)) return JSON.stringify(value);
  return `{${Object.entries(value)
    .map(([key, member]) => `${JSON.stringify(key)}: ${spaced(member)}`)
    .join(",")}}`;
}

function* framed(values: Generator<{ readonly value: Values; readonly tokens: number }>, sse: boolean): Generator<Piece> {
  let first = true;
  for (const { value, tokens } of values) {
    yield { text: sse ? ssePiece(value) : `${first ? "[" : ",\r\n"}${JSON.stringify(value, null, 2)}\n`, tokens };
    first = false;
  }
  if (!sse) yield { text: first ? "[]" : "]", tokens: 0 };
}

/** Members of GenerateContentRequest; Google refuses any other, so a gateway's own fields show up here. */
const KNOWN_MEMBERS = new Set(
  [
    "contents",
    "systemInstruction",
    "generationConfig",
    "safetySettings",
    "tools",
    "toolConfig",
    "cachedContent",
    "model",
    "labels",
    "store",
    "serviceTier",
  ].flatMap((name) => [name, name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)]),
);
const PATH =
  /\/v1(?:beta1?|alpha|internal)?\/((?:.*\/)?(?:models|tunedModels)\/([^/]+?))(?::|%3[aA])(generateContent|streamGenerateContent|countTokens|embedContent|batchEmbedContents)$/;

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** One vector for each content; the answer says nothing of usage, as the older embedding models do. */
function openEmbed(body: Values, single: boolean): Opened | string {
  const requests = single ? [body] : listOf(body["requests"]).map(objectOf);
  const texts = requests.map((request) => textsOf(request["content"]).join(" "));
  if (requests.length === 0) return "* BatchEmbedContentsRequest.requests: requests is not specified\n";
  const vectors = texts.map((text) => ({ values: [text.length / 1000, 0.5, -0.25] }));
  const answer = single ? { embedding: vectors[0] } : { embeddings: vectors };
  return { ask: { ...NO_ASK, texts }, contentType: JSON_TYPE, unary: () => `${JSON.stringify(answer, null, 2)}\n` };
}

/** POST …:generateContent, :streamGenerateContent, :countTokens, :embedContent and :batchEmbedContents. */
export const geminiModels: Surface = {
  name: "gemini.generate",
  style: geminiStyle,
  match: (arrival) => arrival.method === "POST" && PATH.test(arrival.path),
  open(body, arrival): Opened | string {
    const [, , rawModel = "", method = ""] = PATH.exec(arrival.path) ?? [];
    if (!isObject(body)) return "Invalid JSON payload received. Unexpected token.";
    if (method === "countTokens") {
      const inner = either(body, "generateContentRequest");
      const { texts } = readAsk(isObject(inner) ? inner : body, "", false);
      const total = inputTokensOf(texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0));
      const counted = { totalTokens: total, promptTokensDetails: [{ modality: "TEXT", tokenCount: total }] };
      return { ask: { ...NO_ASK, texts }, contentType: JSON_TYPE, unary: () => `${JSON.stringify(counted, null, 2)}\n` };
    }
    if (method === "embedContent" || method === "batchEmbedContents") return openEmbed(body, method === "embedContent");
    const unknown = Object.keys(body).find((key) => !KNOWN_MEMBERS.has(key));
    if (unknown !== undefined) return `Invalid JSON payload received. Unknown name "${unknown.slice(0, 64)}": Cannot find field.`;
    if (listOf(body["contents"]).length === 0) return "* GenerateContentRequest.contents: contents is not specified\n";
    const streaming = method === "streamGenerateContent";
    const sse = streaming && arrival.query.get("alt") === "sse";
    const ask = readAsk(body, decoded(rawModel), streaming);
    const showThoughts = either(objectOf(either(objectOf(either(body, "generationConfig")), "thinkingConfig")), "includeThoughts") === true;
    return {
      ask,
      contentType: sse ? "text/event-stream" : JSON_TYPE,
      unary: (answer) => unaryBody(ask, answer, showThoughts),
      stream: (answer): StreamReply => ({
        pieces: framed(streamValues(ask, answer, showThoughts), sse),
        fail: () => (sse ? ssePiece(errorObject(503, OVERLOADED)) : `,\r\n${JSON.stringify(errorObject(503, OVERLOADED), null, 2)}\n]`),
      }),
    };
  },
};

/** GET …/v1beta/models. */
export const geminiList: Surface = {
  name: "gemini.models",
  style: geminiStyle,
  match: (arrival) => arrival.method === "GET" && /\/v1(?:beta|alpha)\/models$/.test(arrival.path),
  open(): Opened {
    const models = ["gemini-2.5-flash", "gemini-2.5-pro"].map((id) => ({
      name: `models/${id}`,
      version: "001",
      displayName: id,
      inputTokenLimit: 1_048_576,
      outputTokenLimit: 65_536,
      supportedGenerationMethods: ["generateContent", "countTokens"],
    }));
    return { ask: NO_ASK, contentType: JSON_TYPE, unary: () => `${JSON.stringify({ models }, null, 2)}\n` };
  },
};
