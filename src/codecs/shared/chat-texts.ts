import { field, isJsonObject, type Json } from "../../core/json.ts";
import { listField, textField } from "./answer-tally.ts";
import type { AnswerTexts } from "./answer-texts.ts";

/** Members of a completion, of a choice, of a message and of its parts that are read, or hold no text. What else there is, guards see as texts beside the answer. */
export const COMPLETION_KEYS: ReadonlySet<string> = new Set([
  ...["id", "object", "created", "model", "choices", "usage", "system_fingerprint", "service_tier", "obfuscation", "provider"],
  // `p` is Mistral's padding.
  ...["prompt_filter_results", "type", "p"],
]);
export const CHOICE_KEYS: ReadonlySet<string> = new Set([
  ...["index", "delta", "message", "text", "logprobs", "finish_reason", "native_finish_reason", "content_filter_results"],
  ...["content_filter_offsets", "token_ids", "prompt_token_ids", "prompt_logprobs", "type"],
]);
const MESSAGE_KEYS: ReadonlySet<string> = new Set([
  ...["role", "content", "refusal", "reasoning", "reasoning_content", "reasoning_details", "audio", "tool_calls", "function_call"],
  ...["name", "tool_call_id", "type", "channel"],
]);
const PART_KEYS: ReadonlySet<string> = new Set(["type", "text", "summary", "refusal", "thinking", "reference_ids", "closed", "signature"]);
const DETAIL_KEYS: ReadonlySet<string> = new Set(["type", "text", "summary", "signature", "format", "id", "index", "data"]);
const INNER_KEYS: ReadonlySet<string> = new Set(["type", "text"]);
const AUDIO_KEYS: ReadonlySet<string> = new Set(["id", "data", "transcript", "expires_at"]);

/** The texts of a message or of a piece of one, but for its calls. */
export function readMessage(texts: AnswerTexts, message: Json, choice: number): void {
  readReasoning(texts, message, choice);
  const content = field(message, "content");
  if (typeof content === "string") texts.add(choice, 0, "content", message, "content");
  else if (Array.isArray(content)) {
    for (const [index, part] of content.entries()) {
      if (typeof part === "string") texts.add(choice, 0, "content", content, index);
      else readPart(texts, part, choice, "content");
    }
  } else if (isJsonObject(content)) readPart(texts, content, choice, "content");
  texts.add(choice, 0, "refusal", message, "refusal");
  const audio = field(message, "audio");
  if (audio !== undefined && audio !== null) {
    // The sound itself says the same, and stays.
    texts.add(choice, 0, "content", audio, "transcript", "spoken");
    texts.walk(choice, 0, audio, AUDIO_KEYS);
  }
  texts.walk(choice, 0, message, MESSAGE_KEYS);
  texts.erase(choice, message, "annotations", "[]");
}

/**
 * `reasoning_content` is DeepSeek's and xAI's name, `reasoning` that of Groq, Ollama and OpenRouter. vLLM sends both, alike, and OpenRouter
 * says in `reasoning_details` once more what `reasoning` says; Claude's thoughts there are signed.
 */
function readReasoning(texts: AnswerTexts, message: Json, choice: number): void {
  const name = textField(message, "reasoning_content") === "" ? "reasoning" : "reasoning_content";
  const reasoning = textField(message, name);
  const details = listField(message, "reasoning_details");
  const [only] = details;
  const copied = details.length === 1 && only !== undefined && textField(only, "text") === reasoning;
  if (reasoning !== "") {
    texts.add(choice, 0, "reasoning", message, name, copied && isSigned(only) ? "signed" : undefined);
    if (copied) texts.copy(only, "text");
    if (name === "reasoning_content") {
      if (textField(message, "reasoning") === reasoning) texts.copy(message, "reasoning");
      else texts.beside(choice, 0, "reasoning", message, "reasoning");
    }
  }
  for (const detail of details) {
    const signed = isSigned(detail);
    if (reasoning === "") {
      const key = textField(detail, "text") === "" ? "summary" : "text";
      texts.add(choice, 0, "reasoning", detail, key, signed ? "signed" : undefined);
      if (key === "text") texts.beside(choice, 0, "reasoning", detail, "summary");
    } else if (texts.guarded) {
      if (!copied) texts.add(choice, 0, "reasoning", detail, "text", signed ? "both" : "repeats");
      texts.beside(choice, 0, "reasoning", detail, "summary");
    }
    texts.walk(choice, 0, detail, DETAIL_KEYS);
  }
}

const isSigned = (detail: Json): boolean => textField(detail, "signature") !== "" || textField(detail, "format").startsWith("anthropic");

/** A content part: Mistral's `{type: "thinking", thinking: [{type: "text", text}]}`, `{type: "text", text}`, and a refusal. */
function readPart(texts: AnswerTexts, part: Json, choice: number, channel: "content" | "reasoning"): void {
  const key = textField(part, "text") === "" ? "summary" : "text";
  texts.add(choice, 0, channel, part, key);
  if (key === "text") texts.beside(choice, 0, channel, part, "summary");
  texts.add(choice, 0, "refusal", part, "refusal");
  const thinking = field(part, "thinking");
  const mark = textField(part, "signature") === "" ? undefined : "signed";
  if (typeof thinking === "string") texts.add(choice, 0, "reasoning", part, "thinking", mark);
  else if (Array.isArray(thinking)) {
    for (const [index, inner] of thinking.entries()) {
      if (typeof inner === "string") texts.add(choice, 0, "reasoning", thinking, index, mark);
      else texts.add(choice, 0, "reasoning", inner, "text", mark);
      texts.walk(choice, 0, inner, INNER_KEYS);
    }
  } else texts.walk(choice, 0, thinking);
  texts.walk(choice, 0, part, PART_KEYS);
}
