import type { AnswerContext, TailReason } from "../../core/codec.ts";
import { field, isJsonObject, type Json } from "../../core/json.ts";
import type { Usage } from "../../core/usage.ts";
import type { AnswerSummary } from "../../core/view.ts";
import type { AnswerMapper } from "./answer-reader.ts";
import { AnswerTally, isRewritable, listField, textField } from "./answer-tally.ts";
import { AnswerTexts, silentAnd } from "./answer-texts.ts";
import { geminiError } from "./gemini-error.ts";
import { geminiFigures, geminiUsage } from "./gemini-usage.ts";

/** Most candidates followed; the API allows eight. */
const CANDIDATES_MAX = 128;
/** Members of a GenerateContentResponse; a chunk with none of them is of a kind that we do not know. */
const KNOWN_MEMBERS = ["candidates", "usageMetadata", "promptFeedback", "modelVersion", "responseId", "createTime", "modelStatus"];
/** Members that are read, or hold no text, by where they stand. */
const KEYS = {
  chunk: silentAnd(...KNOWN_MEMBERS),
  feedback: silentAnd("blockReason", "safetyRatings"),
  candidate: silentAnd("content", "finishReason", "safetyRatings", "avgLogprobs", "tokenCount", "logprobsResult"),
  content: silentAnd("parts"),
  part: silentAnd("text", "functionCall", "executableCode", "toolCall", "codeExecutionResult", "audioTranscription", "inlineData"),
  call: silentAnd("name", "args", "partialArgs", "willContinue"),
  code: silentAnd("code", "language"),
  tool: silentAnd("toolType", "args"),
  result: silentAnd("output", "outcome", "text"),
  piece: silentAnd("jsonPath", "stringValue", "numberValue", "boolValue", "nullValue", "willContinue"),
};

const PLAIN_CODE = { plain: { key: "code" } };

/** Where one candidate's output stands. */
interface Candidate {
  /** Block of the latest delta; -1 before the first. */
  block: number;
  /** What the block holds. Text that goes on in the next part or chunk stays in its block; every call has one of its own. */
  holds: "content" | "reasoning" | "call" | "other";
  /** The call's arguments go on in the next chunk (`willContinue`). */
  callOpen: boolean;
  finish: string | undefined;
}

/** Counts finish reasons by candidate: older models repeat the reason in every chunk, and the last one counts. */
class GeminiTally extends AnswerTally {
  readonly candidates = new Map<number, Candidate>();
  /** Why the prompt itself was blocked; there are no candidates then. */
  blocked: string | undefined;

  override summary(): AnswerSummary {
    const reasons = [...this.candidates.values()].flatMap((candidate) => candidate.finish ?? []);
    return { ...super.summary(), finishReasons: this.blocked === undefined ? reasons : [this.blocked, ...reasons] };
  }
}

/**
 * Reads GenerateContentResponses: one body, or the chunks of a stream, whose usage is cumulative (the last one counts).
 *
 * Text is one block as long as it goes on, thoughts (`thought: true`) another, each function call its own. Arguments come as JSON text;
 * those that are streamed in parts come as their values, which guards see one after the other. An SSE stream has no last event: it is
 * complete once every candidate has a finish reason. What searches found, citations and messages stand beside the answer.
 *
 * A `thoughtSignature` is the model's thinking, sealed, and no checksum of the part that carries it (ai.google.dev, "Thought signatures",
 * read 2026-11: only its absence is refused); so a thought that has one counts as signed, a text or a call does not.
 */
export class GeminiAnswer implements AnswerMapper {
  readonly tally = new GeminiTally();
  readonly texts: AnswerTexts;
  readonly #choices: number;
  #usage: Usage | undefined;
  #usageMetadata: Json | undefined;
  /** Searches that each candidate is grounded on; a later list is of all of them. */
  readonly #searched = new Map<number, number>();
  #version: string | undefined;
  #id: string | undefined;

  constructor(context: AnswerContext) {
    this.texts = new AnswerTexts(context);
    this.#choices = Math.min(context.view.choices, CANDIDATES_MAX);
  }

  event(_name: string | undefined, data: string): void {
    const json = this.texts.parsed(data);
    if (json === undefined) {
      this.tally.invalidEvents += 1;
      this.texts.unread(data);
      return;
    }
    if (!(Array.isArray(json) ? json.every(isJsonObject) : isJsonObject(json))) {
      this.tally.unknownEvents += 1;
      this.texts.unread(data);
      return;
    }
    this.texts.begin(json, data);
    this.#chunks(json);
    this.tally.complete = this.finished;
  }

  body(json: Json): void {
    this.#chunks(json);
    this.tally.complete = true;
  }

  usage(): Usage | undefined {
    if (this.#usage === undefined || this.#searched.size === 0) return this.#usage;
    if (BILLS_PROMPTS.test(this.#version ?? "")) return { ...this.#usage, queries: 1 };
    let queries = 0;
    for (const count of this.#searched.values()) queries += count;
    return { ...this.#usage, queries };
  }

  /** Nothing to add to a stream that has ended; but an error is always said, in case its last chunk was not let through. */
  tail(reason: TailReason): string {
    if (reason.kind !== "error" && this.finished) return "";
    return `data: ${this.lastChunk(reason)}\r\n\r\n`;
  }

  /** JSON of the chunk that ends a stream which we cut: every candidate without a finish reason gets one, and the text that is said. */
  lastChunk(reason: TailReason): string {
    if (reason.kind === "error") return JSON.stringify(geminiError(reason.denial, reason.requestId));
    const open = new Set(Array.from({ length: Math.max(1, this.#choices) }, (_, index) => index));
    for (const [index, { finish }] of this.tally.candidates) {
      if (finish === undefined) open.add(index);
      else open.delete(index);
    }
    const text = reason.kind === "filtered" ? (reason.text ?? "") : "";
    const finishReason = reason.kind === "filtered" ? "SAFETY" : "MAX_TOKENS";
    return JSON.stringify({
      candidates: [...open].sort((a, b) => a - b).map((index) => ({ content: { parts: [{ text }], role: "model" }, finishReason, index })),
      ...usageMember(this.#usageMetadata, reason.usage),
      ...(this.#version === undefined ? {} : { modelVersion: this.#version }),
      ...(this.#id === undefined ? {} : { responseId: this.#id }),
    });
  }

  /** Errors of the streaming method come as an array of one, whatever framing was asked for. */
  #chunks(json: Json): void {
    if (Array.isArray(json)) for (const item of json) this.#chunk(item);
    else this.#chunk(json);
  }

  #chunk(json: Json): void {
    this.texts.walk(0, 0, json, KEYS.chunk);
    const error = field(json, "error");
    if (error !== undefined && error !== null) {
      this.tally.failed(textField(error, "status") || textField(error, "code") || "error");
      this.texts.endAll();
      return;
    }
    if (!KNOWN_MEMBERS.some((key) => field(json, key) !== undefined)) {
      this.tally.unknownEvents += 1;
      return;
    }
    this.#takeUsage(field(json, "usageMetadata"));
    this.#version = textField(json, "modelVersion").slice(0, 256) || this.#version;
    this.#id = textField(json, "responseId").slice(0, 256) || this.#id;
    this.tally.answeredBy(this.#version, this.#id);
    const feedback = field(json, "promptFeedback");
    this.tally.blocked = reasonOf(field(feedback, "blockReason")) ?? this.tally.blocked;
    this.texts.walk(0, 0, feedback, KEYS.feedback);
    for (const [position, candidate] of listField(json, "candidates").entries()) this.#candidate(candidate, position);
  }

  #takeUsage(metadata: Json | undefined): void {
    if (metadata === undefined) return;
    const usage = geminiUsage(metadata);
    if (Object.keys(usage.reported).length === 0) return;
    this.#usage = usage;
    this.tally.servedIn(tierOf(metadata));
    this.#usageMetadata = isRewritable(metadata) ? metadata : undefined;
  }

  /** Every candidate has a finish reason, or the prompt was blocked. */
  get finished(): boolean {
    if (this.tally.blocked !== undefined) return true;
    const candidates = [...this.tally.candidates.values()];
    return candidates.length > 0 && candidates.every(({ finish }) => finish !== undefined);
  }

  #candidate(json: Json, position: number): void {
    const named = field(json, "index");
    const choice = typeof named === "number" && Number.isSafeInteger(named) && named >= 0 ? named : position;
    let candidate = this.tally.candidates.get(choice);
    if (candidate === undefined) {
      if (this.tally.candidates.size >= CANDIDATES_MAX) {
        this.tally.unknownEvents += 1;
        candidate = newCandidate();
      } else {
        candidate = newCandidate();
        this.tally.candidates.set(choice, candidate);
      }
    }
    const { texts } = this;
    const content = field(json, "content");
    for (const part of listField(content, "parts")) this.#part(part, candidate, choice);
    if (texts.guarded) this.#beside(json, content, choice, Math.max(0, candidate.block));
    const searches = listField(field(json, "groundingMetadata"), "webSearchQueries").length;
    if (searches > 0 && this.#searched.size < CANDIDATES_MAX)
      this.#searched.set(choice, Math.max(searches, this.#searched.get(choice) ?? 0));
    // Older models repeat the reason in every chunk, so it ends no lane by itself.
    candidate.finish = reasonOf(field(json, "finishReason")) ?? candidate.finish;
  }

  /** What a candidate shows besides its parts, and what of it goes with a changed text. */
  #beside(json: Json, content: Json | undefined, choice: number, block: number): void {
    const { texts } = this;
    texts.walk(choice, block, content, KEYS.content);
    texts.walk(choice, block, json, KEYS.candidate);
    for (const key of ["logprobsResult", "citationMetadata", "groundingAttributions"]) texts.erase(choice, json, key, "nothing");
    texts.erase(choice, field(json, "groundingMetadata"), "groundingSupports", "nothing");
  }

  #part(part: Json, candidate: Candidate, choice: number): void {
    const { texts } = this;
    if (typeof field(part, "text") === "string") {
      const channel = field(part, "thought") === true ? "reasoning" : "content";
      if (candidate.holds !== channel || candidate.block < 0) this.#openBlock(candidate, channel, choice);
      const signed = channel === "reasoning" && textField(part, "thoughtSignature") !== "";
      texts.add(choice, candidate.block, channel, part, "text", signed ? "signed" : undefined);
    }
    const call = field(part, "functionCall");
    if (call !== undefined) this.#call(call, candidate, choice);
    // A part is one thing; of one that is several each is read.
    this.#othersWork(part, candidate, choice);
    texts.file(field(field(part, "inlineData"), "data"));
    texts.walk(choice, Math.max(0, candidate.block), part, KEYS.part);
  }

  /** What Google's own tools run and return on its side; the caller gets it as part of the answer. */
  #othersWork(part: Json, candidate: Candidate, choice: number): void {
    const { texts } = this;
    const code = field(part, "executableCode");
    const other = field(part, "toolCall");
    texts.readAsCall(code);
    texts.readAsCall(other);
    if (code !== undefined) {
      this.#openBlock(candidate, "other", choice);
      this.tally.calledTool("codeExecution");
      texts.call(choice, candidate.block, "codeExecution", textField(code, "id"), PLAIN_CODE);
      texts.add(choice, candidate.block, "tool_arguments", code, "code");
      texts.walk(choice, candidate.block, code, KEYS.code);
      texts.end(choice, candidate.block);
    }
    if (other !== undefined) {
      this.#openBlock(candidate, "other", choice);
      const name = textField(other, "toolType");
      this.tally.calledTool(name);
      texts.call(choice, candidate.block, name, textField(other, "id"));
      this.#value(choice, candidate.block, other, "args");
      texts.walk(choice, candidate.block, other, KEYS.tool);
      texts.end(choice, candidate.block);
    }
    const result = field(part, "codeExecutionResult");
    const key = textField(result, "output") === "" ? "text" : "output";
    const found = key === "output" ? result : field(part, "audioTranscription");
    if (textField(found, key) !== "") {
      this.#openBlock(candidate, "other", choice);
      texts.add(choice, candidate.block, "content", found, key);
    }
    if (!texts.guarded) return;
    for (const one of [result, field(part, "audioTranscription")]) texts.walk(choice, Math.max(0, candidate.block), one, KEYS.result);
  }

  #call(call: Json, candidate: Candidate, choice: number): void {
    const { texts } = this;
    const name = textField(call, "name");
    texts.readAsCall(call);
    if (name !== "" || candidate.holds !== "call" || !candidate.callOpen) {
      this.#openBlock(candidate, "call", choice);
      this.tally.calledTool(name);
      texts.call(choice, candidate.block, name, textField(call, "id"));
    }
    candidate.callOpen = field(call, "willContinue") === true;
    this.#value(choice, candidate.block, call, "args");
    for (const piece of listField(call, "partialArgs")) {
      const key = ["stringValue", "numberValue", "boolValue"].find((one) => field(piece, one) !== undefined) ?? "stringValue";
      if (typeof field(piece, key) === "string") texts.add(choice, candidate.block, "tool_arguments", piece, key);
      else this.#value(choice, candidate.block, piece, key);
      texts.walk(choice, candidate.block, piece, KEYS.piece);
    }
    texts.walk(choice, candidate.block, call, KEYS.call);
    if (!candidate.callOpen) texts.end(choice, candidate.block);
  }

  /** A value as JSON text. One that is nested too deep to be written out gives its strings. */
  #value(choice: number, block: number, holder: Json | undefined, key: string): void {
    if (this.texts.addValue(choice, block, "tool_arguments", holder, key)) return;
    this.texts.loose(choice, block, "tool_arguments", stringsOf(field(holder, key)));
  }

  /** A block begins; nothing more comes of the one before. */
  #openBlock(candidate: Candidate, holds: Candidate["holds"], choice: number): void {
    if (candidate.block >= 0) this.texts.end(choice, candidate.block);
    candidate.block += 1;
    candidate.holds = holds;
    candidate.callOpen = false;
  }
}

const newCandidate = (): Candidate => ({ block: -1, holds: "other", callOpen: false, finish: undefined });

/** Models before Gemini 3 bill a prompt that was grounded on searches, however many there were (ai.google.dev/gemini-api/docs/pricing). */
const BILLS_PROMPTS = /gemini-[12]\b/;

/** The tier that served: Gemini's own name, or Vertex AI's kind of traffic (`ON_DEMAND_PRIORITY`). */
function tierOf(metadata: Json): string | undefined {
  const tier = textField(metadata, "serviceTier") || textField(metadata, "trafficType").replace(/^ON_DEMAND_/, "");
  return tier === "" ? undefined : tier;
}

/** A reason by its name, or by its number where enumerations are asked for as such; 0 is UNSPECIFIED, which is none. */
function reasonOf(value: Json | undefined): string | undefined {
  if (typeof value === "number") return value === 0 ? undefined : String(value);
  if (typeof value !== "string" || value === "" || value.endsWith("_UNSPECIFIED")) return undefined;
  return value.slice(0, 256);
}

/** The strings of a value, one a line. */
function stringsOf(value: Json | undefined): string {
  const strings: string[] = [];
  const work: Json[] = value === undefined ? [] : [value];
  for (let item = work.pop(); item !== undefined; item = work.pop()) {
    if (typeof item === "string") strings.push(item);
    else if (typeof item === "object" && item !== null) for (const [key, inner] of Object.entries(item)) work.push(key, inner);
  }
  return strings.reverse().join("\n");
}

/** The provider's own figures, which come with each chunk, or ours. */
function usageMember(known: Json | undefined, ours: Usage | undefined): { readonly usageMetadata?: Json } {
  if (known !== undefined) return { usageMetadata: known };
  return ours === undefined ? {} : { usageMetadata: geminiFigures(ours) };
}
