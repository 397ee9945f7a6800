import type { ParsedRequest, Said } from "../../core/codec.ts";
import { type Json, member } from "../../core/json.ts";
import { chatFigures } from "./chat-usage.ts";
import { OPENAI_DONE } from "./openai-error.ts";
import { choiceOf, JSON_TYPE, type SaidAnswer, SSE_TYPE } from "./said.ts";

const FINISH: Readonly<Record<Said["finish"], string>> = { stop: "stop", length: "length", filtered: "content_filter" };
/** Most choices that are answered; OpenAI allows as many. */
const CHOICES_MAX = 128;

/** A chat completion of one text in every choice that was asked for, or of a text for each. */
export function sayChat({ doc, view }: ParsedRequest, said: Said): SaidAnswer {
  const head = { id: `chatcmpl-${said.id}`, created: said.createdUnixS, model: said.model };
  const each = (make: (index: number, text: string, finish: string) => Json): Json[] =>
    Array.from({ length: Math.min(view.choices, CHOICES_MAX) }, (_, index) => {
      const { text, finish } = choiceOf(said, index);
      return make(index, text, FINISH[finish]);
    });
  if (!view.streaming) {
    const choices = each((index, content, finish) => ({
      index,
      message: { role: "assistant", content, refusal: null },
      ...{ logprobs: null, finish_reason: finish },
    }));
    return {
      contentType: JSON_TYPE,
      body: Buffer.from(JSON.stringify({ ...head, object: "chat.completion", choices, usage: chatFigures(said.usage) })),
    };
  }
  const chunk = (choices: readonly Json[], more: Readonly<Record<string, Json>> = {}): string =>
    `data: ${JSON.stringify({ ...head, object: "chat.completion.chunk", choices, ...more })}\n\n`;
  let text = chunk(each((index, content) => ({ index, delta: { role: "assistant", content }, logprobs: null, finish_reason: null })));
  text += chunk(each((index, _content, finish) => ({ index, delta: {}, logprobs: null, finish_reason: finish })));
  if (asksForUsage(doc)) text += chunk([], { usage: chatFigures(said.usage) });
  return { contentType: SSE_TYPE, body: Buffer.from(text + OPENAI_DONE) };
}

/** A completion of before chat, of one text. */
export function sayCompletion({ doc, view }: ParsedRequest, said: Said): SaidAnswer {
  const head = { id: `cmpl-${said.id}`, object: "text_completion", created: said.createdUnixS, model: said.model };
  const choices = (show: "text" | "finish" | "both"): Json[] =>
    Array.from({ length: Math.min(view.choices, CHOICES_MAX) }, (_, index) => {
      const { text, finish } = choiceOf(said, index);
      const ended = show === "text" ? null : FINISH[finish];
      return { text: show === "finish" ? "" : text, index, logprobs: null, finish_reason: ended };
    });
  if (!view.streaming) {
    const body = { ...head, choices: choices("both"), usage: chatFigures(said.usage) };
    return { contentType: JSON_TYPE, body: Buffer.from(JSON.stringify(body)) };
  }
  const event = (members: Readonly<Record<string, Json>>): string => `data: ${JSON.stringify({ ...head, ...members })}\n\n`;
  let text = event({ choices: choices("text") }) + event({ choices: choices("finish") });
  if (asksForUsage(doc)) text += event({ choices: [], usage: chatFigures(said.usage) });
  return { contentType: SSE_TYPE, body: Buffer.from(text + OPENAI_DONE) };
}

function asksForUsage(doc: ParsedRequest["doc"]): boolean {
  const asked = member(member(doc.root, "stream_options"), "include_usage");
  return asked?.kind === "literal" && asked.value === true;
}
