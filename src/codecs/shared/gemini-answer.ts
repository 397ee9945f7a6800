import type { TailReason } from "../../core/codec.ts";
import { field, type Json, parseJsonValue } from "../../core/json.ts";
import type { Usage } from "../../core/usage.ts";
import type { AnswerSummary, Delta } from "../../core/view.ts";
import type { AnswerMapper } from "./answer-reader.ts";
import { AnswerTally, isRewritable, listField, textField } from "./answer-tally.ts";
import { AnswerTexts } from "./answer-texts.ts";
import { geminiError } from "./gemini-error.ts";
import { geminiUsage } from "./gemini-usage.ts";

/** Most candidates followed; the API allows eight. */
const CANDIDATES_MAX = 128;
const NO_DELTAS: readonly Delta[] = [];
/** Members of a GenerateContentResponse; a chunk with none of them is of a kind that we do not know. */
const KNOWN_MEMBERS = ["candidates", "usageMetadata", "promptFeedback", "modelVersion", "responseId", "createTime", "modelStatus"];

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
 * those that are streamed in parts come as their values. An SSE stream has no last event: it is complete once every candidate has a
 * finish reason.
 */
export class GeminiAnswer implements AnswerMapper {
  readonly tally = new GeminiTally();
  readonly texts = new AnswerTexts({});
  event(name: string | undefined, data: string): void {
    this.texts.give(this.#readEvent(name, data));
  }
  body(json: Json): void {
    this.texts.give(this.#readBody(json));
  }
  #usage: Usage | undefined;
  #usageMetadata: Json | undefined;
  #version: string | undefined;
  #id: string | undefined;

  #readEvent(_name: string | undefined, data: string): readonly Delta[] {
    const json = parseJsonValue(data);
    if (json === undefined) {
      this.tally.invalidEvents += 1;
      return NO_DELTAS;
    }
    const deltas = this.#chunks(json);
    this.tally.complete = this.finished;
    return deltas;
  }

  #readBody(json: Json): readonly Delta[] {
    const deltas = this.#chunks(json);
    this.tally.complete = true;
    return deltas;
  }

  usage(): Usage | undefined {
    return this.#usage;
  }

  /** Nothing to add to a stream that has ended; but an error is always said, in case its last chunk was not let through. */
  tail(reason: TailReason): string {
    if (reason.kind === "length" && this.finished) return "";
    return `data: ${this.lastChunk(reason)}\r\n\r\n`;
  }

  /** JSON of the chunk that ends a stream which we cut. */
  lastChunk(reason: TailReason): string {
    if (reason.kind === "error") return JSON.stringify(geminiError(reason.denial, reason.requestId));
    const open = [...this.tally.candidates].filter(([, candidate]) => candidate.finish === undefined).map(([index]) => index);
    const indexes = open.length > 0 || this.tally.candidates.size > 0 ? open : [0];
    const candidates = indexes.map((index) => ({ content: { parts: [{ text: "" }], role: "model" }, finishReason: "MAX_TOKENS", index }));
    return JSON.stringify({
      candidates,
      ...(this.#usageMetadata === undefined ? {} : { usageMetadata: this.#usageMetadata }),
      ...(this.#version === undefined ? {} : { modelVersion: this.#version }),
      ...(this.#id === undefined ? {} : { responseId: this.#id }),
    });
  }

  /** Errors of the streaming method come as an array of one, whatever framing was asked for. */
  #chunks(json: Json): readonly Delta[] {
    return Array.isArray(json) ? json.flatMap((item: Json) => this.#chunk(item)) : this.#chunk(json);
  }

  #chunk(json: Json): readonly Delta[] {
    const error = field(json, "error");
    if (error !== undefined && error !== null) {
      this.tally.failed(textField(error, "status") || textField(error, "code") || "error");
      return NO_DELTAS;
    }
    if (!KNOWN_MEMBERS.some((key) => field(json, key) !== undefined)) {
      this.tally.unknownEvents += 1;
      return NO_DELTAS;
    }
    this.#takeUsage(field(json, "usageMetadata"));
    this.#version = textField(json, "modelVersion").slice(0, 256) || this.#version;
    this.#id = textField(json, "responseId").slice(0, 256) || this.#id;
    this.tally.answeredBy(this.#version, this.#id);
    this.tally.blocked = reasonOf(field(field(json, "promptFeedback"), "blockReason")) ?? this.tally.blocked;
    const out: Delta[] = [];
    for (const [position, candidate] of listField(json, "candidates").entries()) this.#candidate(candidate, position, out);
    return out;
  }

  #takeUsage(metadata: Json | undefined): void {
    if (metadata === undefined) return;
    const usage = geminiUsage(metadata);
    if (Object.keys(usage.reported).length === 0) return;
    this.#usage = usage;
    this.#usageMetadata = isRewritable(metadata) ? metadata : undefined;
  }

  /** Every candidate has a finish reason, or the prompt was blocked. */
  get finished(): boolean {
    if (this.tally.blocked !== undefined) return true;
    const candidates = [...this.tally.candidates.values()];
    return candidates.length > 0 && candidates.every(({ finish }) => finish !== undefined);
  }

  #candidate(json: Json, position: number, out: Delta[]): void {
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
    for (const part of listField(field(json, "content"), "parts")) this.#part(part, candidate, choice, out);
    candidate.finish = reasonOf(field(json, "finishReason")) ?? candidate.finish;
  }

  #part(part: Json, candidate: Candidate, choice: number, out: Delta[]): void {
    const add = (channel: Delta["channel"], text: string): void => {
      if (text !== "") out.push({ choice, block: candidate.block, channel, text });
    };
    const text = textField(part, "text");
    if (text !== "") {
      const channel = field(part, "thought") === true ? "reasoning" : "content";
      if (candidate.holds !== channel || candidate.block < 0) openBlock(candidate, channel);
      add(channel, text);
    }
    const call = field(part, "functionCall");
    if (call !== undefined) {
      this.#call(call, candidate, add);
      return;
    }
    // What Google's own tools run and return on its side; the caller gets it as part of the answer.
    const code = field(part, "executableCode");
    const other = field(part, "toolCall");
    if (code !== undefined || other !== undefined) {
      openBlock(candidate, "other");
      this.tally.calledTool(code !== undefined ? "codeExecution" : field(other, "toolType"));
      add("tool_arguments", code !== undefined ? textField(code, "code") : jsonText(field(other, "args")));
    }
    const result = textField(field(part, "codeExecutionResult"), "output") || textField(field(part, "audioTranscription"), "text");
    if (result !== "") {
      openBlock(candidate, "other");
      add("content", result);
    }
  }

  #call(call: Json, candidate: Candidate, add: (channel: Delta["channel"], text: string) => void): void {
    const name = textField(call, "name");
    if (name !== "" || candidate.holds !== "call" || !candidate.callOpen) {
      openBlock(candidate, "call");
      this.tally.calledTool(name);
    }
    candidate.callOpen = field(call, "willContinue") === true;
    add("tool_arguments", jsonText(field(call, "args")));
    for (const piece of listField(call, "partialArgs")) add("tool_arguments", partialText(piece));
  }
}

const newCandidate = (): Candidate => ({ block: -1, holds: "other", callOpen: false, finish: undefined });

/** A reason by its name, or by its number where enumerations are asked for as such; 0 is UNSPECIFIED, which is none. */
function reasonOf(value: Json | undefined): string | undefined {
  if (typeof value === "number") return value === 0 ? undefined : String(value);
  if (typeof value !== "string" || value === "" || value.endsWith("_UNSPECIFIED")) return undefined;
  return value.slice(0, 256);
}

function openBlock(candidate: Candidate, holds: Candidate["holds"]): void {
  candidate.block += 1;
  candidate.holds = holds;
  candidate.callOpen = false;
}

/** Value of one streamed piece of arguments (`PartialArg`): a string's next characters, or a whole number or truth value. */
function partialText(piece: Json): string {
  const value = field(piece, "stringValue") ?? field(piece, "numberValue") ?? field(piece, "boolValue");
  return typeof value === "string" ? value : value === undefined ? "" : jsonText(value);
}

/** JSON text of a value. One that is nested too deep to be written out gives its strings, so that it can still be inspected. */
function jsonText(value: Json | undefined): string {
  if (value === undefined) return "";
  if (isRewritable(value)) return JSON.stringify(value);
  const strings: string[] = [];
  const work: Json[] = [value];
  for (let item = work.pop(); item !== undefined; item = work.pop()) {
    if (typeof item === "string") strings.push(item);
    else if (typeof item === "object" && item !== null) for (const [key, inner] of Object.entries(item)) work.push(key, inner);
  }
  return strings.reverse().join("\n");
}
