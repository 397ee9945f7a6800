import type { Answer, Ask, Choice, OfferedTool, Piece } from "./answer.ts";
import type { Faults } from "./faults.ts";
import { modelOf } from "./openai-azure.ts";
import { openaiStyle, SERVER_ERROR } from "./openai-style.ts";
import { JSON_TYPE, type Opened, SSE_TYPE, type StreamReply, type Surface } from "./surface.ts";
import { idText } from "./text.ts";
import { isObject, listOf, objectOf, textOf, type Values, wholeOf } from "./values.ts";

const REASONING_MODEL = /^(?:o[1-9]|gpt-5)/;

/** Texts of a message's content: a string, or a list of parts. */
export function contentTexts(content: unknown): string[] {
  if (typeof content === "string") return [content];
  return listOf(content).flatMap((part) => textOf(objectOf(part)["text"]) ?? []);
}

function toolChoiceOf(raw: unknown): string {
  if (raw === "required") return "any";
  if (typeof raw === "string") return raw;
  return textOf(objectOf(objectOf(raw)["function"])["name"]) ?? "auto";
}

function readAsk(body: Values, model: string): Ask {
  const messages = listOf(body["messages"]).map(objectOf);
  const format = objectOf(body["response_format"]);
  const effort = textOf(body["reasoning_effort"]);
  const tools = listOf(body["tools"]).flatMap((tool): OfferedTool[] => {
    const definition = objectOf(objectOf(tool)["function"]);
    const name = textOf(definition["name"]);
    return name === undefined ? [] : [{ name, schema: definition["parameters"] }];
  });
  return {
    model,
    streaming: body["stream"] === true,
    texts: messages.flatMap((message) => contentTexts(message["content"])),
    lastUserText: contentTexts(messages.findLast((message) => message["role"] === "user")?.["content"]).join("\n"),
    afterToolResult: messages.at(-1)?.["role"] === "tool",
    maxTokens: wholeOf(body["max_completion_tokens"] ?? body["max_tokens"], { min: 0, max: 1_000_000 }),
    choices: wholeOf(body["n"], { min: 1, max: 128 }) ?? 1,
    tools,
    toolChoice: toolChoiceOf(body["tool_choice"] ?? "auto"),
    json: format["type"] === "json_schema" ? objectOf(format["json_schema"])["schema"] : format["type"] === "json_object" ? {} : undefined,
    reasoning: effort !== undefined ? effort !== "none" : REASONING_MODEL.test(model),
  };
}

function usageOf(answer: Answer): Values {
  return {
    prompt_tokens: answer.inputTokens,
    completion_tokens: answer.outputTokens,
    total_tokens: answer.inputTokens + answer.outputTokens,
    prompt_tokens_details: { cached_tokens: 0, audio_tokens: 0 },
    completion_tokens_details: {
      reasoning_tokens: answer.reasoningTokens,
      audio_tokens: 0,
      accepted_prediction_tokens: 0,
      rejected_prediction_tokens: 0,
    },
  };
}

const FINISH = { stop: "stop", length: "length", tool: "tool_calls" } as const;

function unaryBody(ask: Ask, answer: Answer, faults: Faults): string {
  const choices = answer.choices.map((choice, index) => ({
    index,
    message: {
      role: "assistant",
      content: choice.tool === undefined ? choice.content.join("") : null,
      ...(faults.reasoningContent === true && choice.reasoning.length > 0 ? { reasoning_content: choice.reasoning.join("") } : {}),
      ...(choice.tool === undefined
        ? {}
        : {
            tool_calls: [
              {
                id: `call_${choice.tool.id}`,
                type: "function",
                function: { name: choice.tool.name, arguments: choice.tool.pieces.join("") },
              },
            ],
          }),
      refusal: null,
      annotations: [],
    },
    logprobs: null,
    finish_reason: FINISH[choice.finish],
  }));
  const body = {
    id: `chatcmpl-${idText(answer.hash, 29)}`,
    object: "chat.completion",
    created: answer.createdUnixS,
    model: ask.model,
    choices,
    usage: usageOf(answer),
    service_tier: "default",
    system_fingerprint: "fp_simulated00",
  };
  return `${JSON.stringify(body, null, 2)}\n`;
}

interface ChunkShape {
  /** Everything before the choices. */
  readonly head: string;
  /** Everything after them: the null usage member, when usage was asked for. */
  readonly tail: string;
  readonly obfuscate: boolean;
}

function chunk(shape: ChunkShape, index: number, delta: string, finish: string | null): string {
  // OpenAI pads each chunk with a random member so that its size tells nothing (`include_obfuscation`, 2025).
  const padding = shape.obfuscate && finish === null ? `,"obfuscation":"${idText(delta.length, 4 + (delta.length % 11))}"` : "";
  const reason = finish === null ? "null" : `"${finish}"`;
  return `${shape.head}[{"index":${index},"delta":${delta},"logprobs":null,"finish_reason":${reason}}]${shape.tail}${padding}}\n\n`;
}

function* choicePieces(shape: ChunkShape, choice: Choice, index: number, faults: Faults): Generator<Piece> {
  const { tool } = choice;
  if (tool === undefined) yield { text: chunk(shape, index, `{"role":"assistant","content":"","refusal":null}`, null), tokens: 0 };
  if (faults.reasoningContent === true) {
    for (const token of choice.reasoning)
      yield { text: chunk(shape, index, `{"reasoning_content":${JSON.stringify(token)}}`, null), tokens: 1 };
  }
  for (const token of choice.content) yield { text: chunk(shape, index, `{"content":${JSON.stringify(token)}}`, null), tokens: 1 };
  if (tool !== undefined) {
    const opening = JSON.stringify([{ index: 0, id: `call_${tool.id}`, type: "function", function: { name: tool.name, arguments: "" } }]);
    yield { text: chunk(shape, index, `{"role":"assistant","content":null,"tool_calls":${opening},"refusal":null}`, null), tokens: 0 };
    for (const piece of tool.pieces) {
      yield {
        text: chunk(shape, index, `{"tool_calls":[{"index":0,"function":{"arguments":${JSON.stringify(piece)}}}]}`, null),
        tokens: 1,
      };
    }
  }
  yield { text: chunk(shape, index, "{}", FINISH[choice.finish]), tokens: 0 };
}

function* streamPieces(ask: Ask, answer: Answer, faults: Faults, body: Values): Generator<Piece> {
  const options = objectOf(body["stream_options"]);
  const withUsage = options["include_usage"] === true;
  const fields = `{"id":"chatcmpl-${idText(answer.hash, 29)}","object":"chat.completion.chunk","created":${answer.createdUnixS},"model":${JSON.stringify(ask.model)}`;
  const head = `data: ${fields},"service_tier":"default","system_fingerprint":"fp_simulated00","choices":`;
  const shape: ChunkShape = { head, tail: withUsage ? `,"usage":null` : "", obfuscate: options["include_obfuscation"] !== false };
  // Choices take turns, a piece each, as they do when they are generated side by side.
  let running = answer.choices.map((choice, index) => choicePieces(shape, choice, index, faults));
  while (running.length > 0) {
    const next: typeof running = [];
    for (const pieces of running) {
      const step = pieces.next();
      if (step.done === true) continue;
      yield step.value;
      next.push(pieces);
    }
    running = next;
  }
  if (withUsage) yield { text: `${head}[],"usage":${JSON.stringify(usageOf(answer))}}\n\n`, tokens: 0 };
  yield { text: "data: [DONE]\n\n", tokens: 0 };
}

/** POST …/chat/completions, as OpenAI answers it. */
export const openaiChat: Surface = {
  name: "openai.chat",
  style: openaiStyle,
  match: (arrival) => arrival.method === "POST" && arrival.path.endsWith("/chat/completions"),
  open(body, arrival): Opened | string {
    if (!isObject(body)) return "We could not parse the JSON body of your request.";
    const model = modelOf(body, arrival);
    if (model === undefined) return "you must provide a model parameter";
    if (!Array.isArray(body["messages"])) return "Missing required parameter: 'messages'.";
    const ask = readAsk(body, model);
    return {
      ask,
      contentType: ask.streaming ? SSE_TYPE : JSON_TYPE,
      unary: (answer, faults) => unaryBody(ask, answer, faults),
      stream: (answer, faults): StreamReply => ({
        pieces: streamPieces(ask, answer, faults, body),
        fail: () => `data: ${JSON.stringify({ error: SERVER_ERROR })}\n\n`,
      }),
    };
  },
};
