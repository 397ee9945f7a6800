import type { Answer, Ask, Piece } from "./answer.ts";
import { modelOf } from "./openai-azure.ts";
import { openaiStyle, SERVER_ERROR } from "./openai-style.ts";
import { JSON_TYPE, NO_ASK, type Opened, SSE_TYPE, type StreamReply, type Surface } from "./surface.ts";
import { idText } from "./text.ts";
import { isObject, listOf, objectOf, textOf, type Values, wholeOf } from "./values.ts";

/** Prompts: one text, texts, a list of token ids, or lists of them. */
function promptsOf(raw: unknown): string[] {
  if (typeof raw === "string") return [raw];
  const items = listOf(raw);
  if (items.length > 0 && items.every((item) => typeof item === "number")) return [items.join(" ")];
  return items.map((item) => (typeof item === "string" ? item : listOf(item).join(" ")));
}

function readAsk(body: Values, model: string): Ask {
  const prompts = promptsOf(body["prompt"]);
  const suffix = textOf(body["suffix"]);
  return {
    ...NO_ASK,
    model,
    streaming: body["stream"] === true,
    texts: suffix === undefined ? prompts : [...prompts, suffix],
    lastUserText: prompts.at(-1) ?? "",
    maxTokens: wholeOf(body["max_tokens"], { min: 0, max: 1_000_000 }) ?? 16,
    choices: (wholeOf(body["n"], { min: 1, max: 128 }) ?? 1) * Math.max(1, prompts.length),
  };
}

const usageOf = (answer: Answer): Values => ({
  prompt_tokens: answer.inputTokens,
  completion_tokens: answer.outputTokens,
  total_tokens: answer.inputTokens + answer.outputTokens,
});
const finishOf = (answer: Answer, index: number): string => (answer.choices[index]?.finish === "length" ? "length" : "stop");

function* pieces(ask: Ask, answer: Answer, body: Values): Generator<Piece> {
  const withUsage = objectOf(body["stream_options"])["include_usage"] === true;
  const head = { id: `cmpl-${idText(answer.hash, 29)}`, object: "text_completion", created: answer.createdUnixS, model: ask.model };
  const event = (members: Values): string => `data: ${JSON.stringify({ ...head, ...members })}\n\n`;
  const none = withUsage ? { usage: null } : {};
  for (const [index, choice] of answer.choices.entries()) {
    for (const [at, text] of choice.content.entries()) {
      const last = at === choice.content.length - 1;
      yield {
        text: event({ choices: [{ text, index, logprobs: null, finish_reason: last ? finishOf(answer, index) : null }], ...none }),
        tokens: 1,
      };
    }
  }
  if (withUsage) yield { text: event({ choices: [], usage: usageOf(answer) }), tokens: 0 };
  yield { text: "data: [DONE]\n\n", tokens: 0 };
}

/** POST …/completions, as OpenAI answered before chat. */
export const openaiCompletions: Surface = {
  name: "openai.completions",
  style: openaiStyle,
  match: (arrival) => arrival.method === "POST" && /(?<!\/chat)\/completions$/.test(arrival.path),
  open(body, arrival): Opened | string {
    if (!isObject(body)) return "We could not parse the JSON body of your request.";
    const model = modelOf(body, arrival);
    if (model === undefined) return "you must provide a model parameter";
    const ask = readAsk(body, model);
    return {
      ask,
      contentType: ask.streaming ? SSE_TYPE : JSON_TYPE,
      unary(answer) {
        const choices = answer.choices.map(({ content }, index) => ({
          text: content.join(""),
          index,
          logprobs: null,
          finish_reason: finishOf(answer, index),
        }));
        const id = `cmpl-${idText(answer.hash, 29)}`;
        return `${JSON.stringify({ id, object: "text_completion", created: answer.createdUnixS, model, choices, usage: usageOf(answer) }, null, 2)}\n`;
      },
      stream: (answer): StreamReply => ({
        pieces: pieces(ask, answer, body),
        fail: () => `data: ${JSON.stringify({ error: SERVER_ERROR })}\n\n`,
      }),
    };
  },
};

/** POST …/moderations: nothing is ever flagged. */
export const openaiModerations: Surface = {
  name: "openai.moderations",
  style: openaiStyle,
  match: (arrival) => arrival.method === "POST" && arrival.path.endsWith("/moderations"),
  open(body): Opened | string {
    if (!isObject(body) || body["input"] === undefined) return "Missing required parameter: 'input'.";
    const model = textOf(body["model"]) ?? "omni-moderation-latest";
    const inputs = Array.isArray(body["input"]) ? listOf(body["input"]) : [body["input"]];
    const texts = inputs.map((input) => textOf(input) ?? textOf(objectOf(input)["text"]) ?? "");
    const result = {
      flagged: false,
      categories: { violence: false },
      category_scores: { violence: 0.00001 },
      category_applied_input_types: { violence: ["text"] },
    };
    return {
      ask: { ...NO_ASK, model, texts },
      contentType: JSON_TYPE,
      unary: (answer) => `${JSON.stringify({ id: `modr-${idText(answer.hash, 29)}`, model, results: texts.map(() => result) }, null, 2)}\n`,
    };
  },
};
