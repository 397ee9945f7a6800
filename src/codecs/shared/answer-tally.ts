import { field, type Json } from "../../core/json.ts";
import type { CreatedState, StateKind } from "../../core/state.ts";
import type { AnswerSummary, Delta } from "../../core/view.ts";

/** Most names and reasons kept of one answer; a record needs no more. */
const NAMES_MAX = 1000;
/** Most stored things kept of one answer; real ones make tens. */
const CREATED_MAX = 256;
/** Longest name, id or reason kept, in characters. */
const NAME_CHARS_MAX = 256;

/** What a reader has counted of an answer so far. Strings from the provider are cut to `NAME_CHARS_MAX`. */
export class AnswerTally {
  complete = false;
  unknownEvents = 0;
  invalidEvents = 0;
  #error: string | undefined;
  #model: string | undefined;
  #responseId: string | undefined;
  #serviceTier: string | undefined;
  readonly #finishReasons: string[] = [];
  readonly #toolCalls: string[] = [];
  readonly #created = new Map<string, CreatedState>();
  #outputChars = 0;

  /** The first error stays; only its type or code, never its message. */
  failed(type: Json | undefined): void {
    this.#error ??= text(type) ?? "unknown";
  }
  answeredBy(model: Json | undefined, id: Json | undefined): void {
    this.#model = text(model) ?? this.#model;
    this.#responseId = text(id) ?? this.#responseId;
  }
  /** The provider's name of the way in which it was served. */
  servedIn(tier: Json | undefined): void {
    this.#serviceTier = text(tier) ?? this.#serviceTier;
  }
  finished(reason: Json | undefined): void {
    const value = text(reason);
    if (value !== undefined && this.#finishReasons.length < NAMES_MAX) this.#finishReasons.push(value);
  }
  calledTool(name: Json | undefined): void {
    const value = text(name);
    if (value !== undefined && this.#toolCalls.length < NAMES_MAX) this.#toolCalls.push(value);
  }
  /** Notes what the answer made at the provider; at most `CREATED_MAX` things. */
  made(kind: StateKind, id: Json | undefined): void {
    const value = text(id);
    if (value !== undefined && this.#created.size < CREATED_MAX) this.#created.set(`${kind} ${value}`, { kind, id: value });
  }
  count(deltas: readonly Delta[]): void {
    for (const delta of deltas) if (delta.repeats !== true) this.#outputChars += delta.text.length;
  }
  /** Output that no delta counts. */
  countChars(chars: number): void {
    this.#outputChars += chars;
  }
  /** Reads the error object that every dialect here shares: `{error: {type, code}}`. False when there is none. */
  readError(body: Json | undefined): boolean {
    const error = field(body, "error");
    if (error === undefined || error === null) return false;
    this.failed(text(field(error, "type")) ?? text(field(error, "code")) ?? (typeof error === "string" ? "error" : undefined));
    return true;
  }

  summary(): AnswerSummary {
    return {
      complete: this.complete,
      error: this.#error,
      finishReasons: [...this.#finishReasons],
      model: this.#model,
      responseId: this.#responseId,
      ...(this.#serviceTier === undefined ? {} : { serviceTier: this.#serviceTier }),
      ...(this.#created.size === 0 ? {} : { created: [...this.#created.values()] }),
      toolCalls: [...this.#toolCalls],
      unknownEvents: this.unknownEvents,
      invalidEvents: this.invalidEvents,
      outputChars: this.#outputChars,
    };
  }
}

/** A string that says something, cut to a sane length. */
function text(value: Json | undefined): string | undefined {
  return typeof value === "string" && value !== "" ? value.slice(0, NAME_CHARS_MAX) : undefined;
}

/** Text of an answer's member; "" when it is none. */
export function textField(value: Json | undefined, key: string): string {
  const found = field(value, key);
  return typeof found === "string" ? found : "";
}

/** Items of an answer's array member; none when it is no array. */
export function listField(value: Json | undefined, key: string): readonly Json[] {
  const found = field(value, key);
  return Array.isArray(found) ? found : [];
}

/**
 * Deepest nesting of provider JSON that Sluice writes out again when it ends a stream. Well below where a recursive writer
 * could run out of stack; real answers have some twenty levels.
 */
const REWRITE_DEPTH_MAX = 200;

/** Can this value be kept and written out again? */
export function isRewritable(value: Json): boolean {
  let level: Json[] = [value];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > REWRITE_DEPTH_MAX) return false;
    const next: Json[] = [];
    for (const item of level) {
      if (typeof item !== "object" || item === null) continue;
      for (const inner of Object.values(item)) if (typeof inner === "object" && inner !== null) next.push(inner);
    }
    level = next;
  }
  return true;
}

/** One SSE event with JSON data, as both SDK families read it. */
export function sseEvent(name: string, data: Json): string {
  return `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
}
