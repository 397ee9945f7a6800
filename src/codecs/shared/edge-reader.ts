import type { AnswerContext, AnswerReader, Frame, TailReason } from "../../core/codec.ts";
import { parseJsonValue } from "../../core/json.ts";
import { YIELD_CHARS } from "../../core/limits.ts";
import type { Usage } from "../../core/usage.ts";
import type { AnswerSummary } from "../../core/view.ts";
import { type AnswerMapper, openReader, unreadFrame } from "./answer-reader.ts";
import { encodeText } from "./guarded-texts.ts";

/** What is kept of each end of a large body, in bytes; the members that count are a few hundred. */
const EDGE_BYTES = 4096;
/** `"model": "…"` and `"usage": {…}` without nested objects past one level. */
const MODEL = /"model"\s*:\s*"[^"\\]{0,256}"/;
const USAGE = /"usage"\s*:\s*\{(?:[^{}]|\{[^{}]*\})*\}/;
const OPENAI_MEMBERS = [MODEL, USAGE];

/**
 * Reader of an answer that holds no text, only vectors; an error, which often repeats what was sent, is read like any other body.
 * `members`: those of a large body that count, each with its name; the last bytes are searched before the first.
 */
export function openEdgeReader(
  context: AnswerContext,
  mapper: AnswerMapper,
  errorBody: (reason: TailReason) => string,
  members: readonly RegExp[] = OPENAI_MEMBERS,
): AnswerReader {
  if (context.status >= 400) return openReader({ ...context, contentType: "application/json" }, mapper, errorBody);
  return new EdgeReader(mapper, errorBody, members);
}

/**
 * Passes every chunk on at once and reads model and usage out of the body's first and last bytes, so that megabytes of numbers are
 * neither held nor parsed. Small bodies are read whole, and held where guards look.
 */
class EdgeReader implements AnswerReader {
  readonly #mapper: AnswerMapper;
  readonly #errorBody: (reason: TailReason) => string;
  readonly #members: readonly RegExp[];
  #small: Uint8Array[] | undefined = [];
  #bytes = 0;
  #head: Uint8Array = new Uint8Array(0);
  #tail: Uint8Array = new Uint8Array(0);

  constructor(mapper: AnswerMapper, errorBody: (reason: TailReason) => string, members: readonly RegExp[]) {
    this.#members = members;
    this.#mapper = mapper;
    this.#errorBody = errorBody;
  }

  push(chunk: Uint8Array): readonly Frame[] {
    if (chunk.length === 0) return [];
    this.#bytes += chunk.length;
    const small = this.#small;
    if (this.#bytes <= YIELD_CHARS) small?.push(chunk);
    else this.#small = undefined;
    if (this.#head.length < EDGE_BYTES) this.#head = Buffer.concat([this.#head, chunk.subarray(0, EDGE_BYTES - this.#head.length)]);
    if (chunk.length >= EDGE_BYTES) this.#tail = chunk.slice(-EDGE_BYTES);
    else this.#tail = Buffer.concat([this.#tail, chunk]).subarray(-EDGE_BYTES);
    if (!this.#mapper.texts.guarded || small === undefined) return [{ bytes: chunk, deltas: [] }];
    // A small one may be an error that came with status 200, and is looked at.
    return this.#small === undefined ? [...small, chunk].map((bytes) => ({ bytes, deltas: [] })) : [];
  }

  end(): readonly Frame[] {
    if (this.#bytes === 0) return [];
    const { texts, tally } = this.#mapper;
    const whole = this.#small === undefined ? undefined : Buffer.concat(this.#small);
    const text = whole?.toString("utf8") ?? this.#edges();
    const json = parseJsonValue(text);
    const seen = texts.guarded ? whole : undefined;
    if (json === undefined) {
      tally.invalidEvents++;
      return seen === undefined ? [] : [unreadFrame(texts, seen)];
    }
    if (seen !== undefined) texts.begin(json, text);
    this.#mapper.body(json);
    if (seen === undefined) return [];
    texts.endAll();
    return [texts.frame(seen, encodeText)];
  }

  usage(): Usage | undefined {
    return this.#mapper.usage();
  }
  summary(): AnswerSummary {
    return this.#mapper.tally.summary();
  }
  tail(reason: TailReason): Uint8Array {
    return new TextEncoder().encode(this.#bytes === 0 ? this.#errorBody(reason) : "");
  }

  /** The members that were found, as a body of their own; not JSON when the large body is none. */
  #edges(): string {
    const head = Buffer.from(this.#head).toString("latin1");
    const tail = Buffer.from(this.#tail).toString("latin1");
    if (!head.trimStart().startsWith("{") || !tail.trimEnd().endsWith("}")) return "";
    const members = this.#members.map((member) => member.exec(tail)?.[0] ?? member.exec(head)?.[0]);
    return `{${members.filter((member) => member !== undefined).join(",")}}`;
  }
}
