import type { Answer, Ask, Choice, OfferedTool, Piece } from "./answer.ts";
import { contentTexts } from "./openai-chat.ts";
import { openaiStyle } from "./openai-style.ts";
import { JSON_TYPE, type Opened, SSE_TYPE, type StreamReply, type Surface } from "./surface.ts";
import { idText } from "./text.ts";
import { isObject, listOf, objectOf, textOf, type Values, wholeOf } from "./values.ts";

function toolChoiceOf(raw: unknown): string {
  if (raw === "required") return "any";
  if (typeof raw === "string") return raw;
  return textOf(objectOf(raw)["name"]) ?? "auto";
}

function readAsk(body: Values, model: string): Ask {
  const input = body["input"];
  const items = typeof input === "string" ? [{ role: "user", content: input }] : listOf(input).map(objectOf);
  const instructions = textOf(body["instructions"]);
  const format = objectOf(objectOf(body["text"])["format"]);
  const tools = listOf(body["tools"]).flatMap((raw): OfferedTool[] => {
    const tool = objectOf(raw);
    const name = textOf(tool["name"]);
    return tool["type"] === "function" && name !== undefined ? [{ name, schema: tool["parameters"] }] : [];
  });
  const effort = objectOf(body["reasoning"])["effort"];
  const texts = items.flatMap((item) => ("content" in item ? contentTexts(item["content"]) : contentTexts(objectOf(item)["output"])));
  return {
    model,
    streaming: body["stream"] === true,
    texts: instructions === undefined ? texts : [instructions, ...texts],
    lastUserText: contentTexts(items.findLast((item) => item["role"] === "user")?.["content"]).join("\n"),
    afterToolResult: objectOf(items.at(-1))["type"] === "function_call_output",
    maxTokens: wholeOf(body["max_output_tokens"], { min: 0, max: 1_000_000 }),
    choices: 1,
    tools,
    toolChoice: toolChoiceOf(body["tool_choice"] ?? "auto"),
    json: format["type"] === "json_schema" ? format["schema"] : format["type"] === "json_object" ? {} : undefined,
    reasoning: isObject(body["reasoning"]) && effort !== "none",
  };
}

/** The parts of one answer that its events and its final object share. */
class Turn {
  readonly #ask: Ask;
  readonly #answer: Answer;
  readonly #body: Values;
  readonly choice: Choice;
  readonly #id: string;

  constructor(ask: Ask, answer: Answer, body: Values) {
    this.#ask = ask;
    this.#answer = answer;
    this.#body = body;
    this.choice = answer.choices[0] ?? { reasoning: [], content: [], tool: undefined, finish: "stop" };
    this.#id = idText(answer.hash, 48).toLowerCase();
  }

  get summaryAsked(): boolean {
    const reasoning = objectOf(this.#body["reasoning"]);
    return typeof reasoning["summary"] === "string" || typeof reasoning["generate_summary"] === "string";
  }

  get obfuscate(): boolean {
    return objectOf(this.#body["stream_options"])["include_obfuscation"] !== false;
  }

  get finalStatus(): "completed" | "incomplete" {
    return this.choice.finish === "length" ? "incomplete" : "completed";
  }

  reasoningItem(summary: string | undefined): Values {
    return { id: `rs_${this.#id}`, type: "reasoning", summary: summary === undefined ? [] : [{ type: "summary_text", text: summary }] };
  }

  textPart(text: string): Values {
    return { type: "output_text", annotations: [], logprobs: [], text };
  }

  messageItem(status: string, text: string | undefined): Values {
    return { id: `msg_${this.#id}`, type: "message", status, content: text === undefined ? [] : [this.textPart(text)], role: "assistant" };
  }

  callItem(status: string, args: string): Values {
    const { tool } = this.choice;
    return {
      id: `fc_${this.#id}`,
      type: "function_call",
      status,
      arguments: args,
      call_id: `call_${tool?.id ?? ""}`,
      name: tool?.name ?? "",
    };
  }

  output(): Values[] {
    const { reasoning, content, tool } = this.choice;
    const items: Values[] = [];
    if (reasoning.length > 0) items.push(this.reasoningItem(this.summaryAsked ? reasoning.join("") : undefined));
    if (tool !== undefined) items.push(this.callItem(this.finalStatus, tool.pieces.join("")));
    else items.push(this.messageItem(this.finalStatus, content.join("")));
    return items;
  }

  response(status: "in_progress" | "completed" | "incomplete" | "failed"): Values {
    const body = this.#body;
    const over = status === "completed" || status === "incomplete";
    const reasoning = objectOf(body["reasoning"]);
    return {
      id: `resp_${this.#id}`,
      object: "response",
      created_at: this.#answer.createdUnixS,
      status,
      background: false,
      error: status === "failed" ? { code: "server_error", message: "An error occurred while processing your request." } : null,
      incomplete_details: status === "incomplete" ? { reason: "max_output_tokens" } : null,
      instructions: body["instructions"] ?? null,
      max_output_tokens: body["max_output_tokens"] ?? null,
      max_tool_calls: null,
      model: this.#ask.model,
      output: over ? this.output() : [],
      parallel_tool_calls: body["parallel_tool_calls"] ?? true,
      previous_response_id: body["previous_response_id"] ?? null,
      prompt_cache_key: null,
      reasoning: { effort: reasoning["effort"] ?? null, summary: reasoning["summary"] ?? null },
      safety_identifier: null,
      service_tier: over ? "default" : "auto",
      store: body["store"] ?? true,
      temperature: body["temperature"] ?? 1,
      text: body["text"] ?? { format: { type: "text" }, verbosity: "medium" },
      tool_choice: body["tool_choice"] ?? "auto",
      tools: body["tools"] ?? [],
      top_logprobs: 0,
      top_p: body["top_p"] ?? 1,
      truncation: "disabled",
      usage: over ? this.#usage() : null,
      user: null,
      metadata: body["metadata"] ?? {},
    };
  }

  #usage(): Values {
    const { inputTokens, outputTokens, reasoningTokens } = this.#answer;
    return {
      input_tokens: inputTokens,
      input_tokens_details: { cached_tokens: 0 },
      output_tokens: outputTokens,
      output_tokens_details: { reasoning_tokens: reasoningTokens },
      total_tokens: inputTokens + outputTokens,
    };
  }
}

/** Writes events with their running `sequence_number`, which counts from 0 over the whole stream. */
class EventWriter {
  #next = 0;

  event(type: string, members: Values, tokens = 0): Piece {
    const text = `event: ${type}\ndata: ${JSON.stringify({ type, sequence_number: this.#next, ...members })}\n\n`;
    this.#next += 1;
    return { text, tokens };
  }
}

const paddingOf = (turn: Turn, delta: string): Values =>
  turn.obfuscate ? { obfuscation: idText(delta.length + 1, 16 - Math.min(12, delta.length)) } : {};

function* reasoningPieces(turn: Turn, events: EventWriter): Generator<Piece> {
  const summary = turn.choice.reasoning.join("");
  const item = turn.reasoningItem(undefined);
  const at = { item_id: item["id"], output_index: 0, summary_index: 0 };
  yield events.event("response.output_item.added", { output_index: 0, item });
  if (turn.summaryAsked) {
    yield events.event("response.reasoning_summary_part.added", { ...at, part: { type: "summary_text", text: "" } });
    for (const delta of turn.choice.reasoning)
      yield events.event("response.reasoning_summary_text.delta", { ...at, delta, ...paddingOf(turn, delta) }, 1);
    yield events.event("response.reasoning_summary_text.done", { ...at, text: summary });
    yield events.event("response.reasoning_summary_part.done", { ...at, part: { type: "summary_text", text: summary } });
  }
  yield events.event("response.output_item.done", { output_index: 0, item: turn.reasoningItem(turn.summaryAsked ? summary : undefined) });
}

function* messagePieces(turn: Turn, events: EventWriter, index: number): Generator<Piece> {
  const item = turn.messageItem("in_progress", undefined);
  const at = { item_id: item["id"], output_index: index, content_index: 0 };
  const text = turn.choice.content.join("");
  yield events.event("response.output_item.added", { output_index: index, item });
  yield events.event("response.content_part.added", { ...at, part: turn.textPart("") });
  for (const delta of turn.choice.content)
    yield events.event("response.output_text.delta", { ...at, delta, logprobs: [], ...paddingOf(turn, delta) }, 1);
  yield events.event("response.output_text.done", { ...at, text, logprobs: [] });
  yield events.event("response.content_part.done", { ...at, part: turn.textPart(text) });
  yield events.event("response.output_item.done", { output_index: index, item: turn.messageItem(turn.finalStatus, text) });
}

function* callPieces(turn: Turn, events: EventWriter, index: number): Generator<Piece> {
  const pieces = turn.choice.tool?.pieces ?? [];
  const item = turn.callItem("in_progress", "");
  const at = { item_id: item["id"], output_index: index };
  yield events.event("response.output_item.added", { output_index: index, item });
  for (const delta of pieces) yield events.event("response.function_call_arguments.delta", { ...at, delta, ...paddingOf(turn, delta) }, 1);
  yield events.event("response.function_call_arguments.done", { ...at, arguments: pieces.join("") });
  yield events.event("response.output_item.done", { output_index: index, item: turn.callItem(turn.finalStatus, pieces.join("")) });
}

function* streamPieces(turn: Turn, events: EventWriter): Generator<Piece> {
  yield events.event("response.created", { response: turn.response("in_progress") });
  yield events.event("response.in_progress", { response: turn.response("in_progress") });
  const thinks = turn.choice.reasoning.length > 0;
  if (thinks) yield* reasoningPieces(turn, events);
  if (turn.choice.tool === undefined) yield* messagePieces(turn, events, thinks ? 1 : 0);
  else yield* callPieces(turn, events, thinks ? 1 : 0);
  yield events.event(`response.${turn.finalStatus}`, { response: turn.response(turn.finalStatus) });
}

/** POST …/responses, as OpenAI answers it. Nothing is kept: ids of earlier responses are echoed, not looked up. */
export const openaiResponses: Surface = {
  name: "openai.responses",
  style: openaiStyle,
  match: (arrival) => arrival.method === "POST" && arrival.path.endsWith("/responses"),
  open(body): Opened | string {
    if (!isObject(body)) return "We could not parse the JSON body of your request.";
    const model = textOf(body["model"]);
    if (model === undefined || model === "") return "Missing required parameter: 'model'.";
    const ask = readAsk(body, model);
    return {
      ask,
      contentType: ask.streaming ? SSE_TYPE : JSON_TYPE,
      unary(answer) {
        const turn = new Turn(ask, answer, body);
        return `${JSON.stringify(turn.response(turn.finalStatus), null, 2)}\n`;
      },
      stream(answer): StreamReply {
        const turn = new Turn(ask, answer, body);
        const events = new EventWriter();
        const error = {
          type: "server_error",
          code: "server_error",
          message: "An error occurred while processing your request.",
          param: null,
        };
        return {
          pieces: streamPieces(turn, events),
          fail: () =>
            `${events.event("error", { error }).text}${events.event("response.failed", { response: turn.response("failed") }).text}`,
        };
      },
    };
  },
};
