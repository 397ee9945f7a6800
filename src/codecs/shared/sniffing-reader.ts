import type { AnswerContext, AnswerReader, Frame, FrameSteps, TailReason } from "../../core/codec.ts";
import type { Usage } from "../../core/usage.ts";
import type { AnswerSummary } from "../../core/view.ts";

const NO_BYTES = new Uint8Array(0);
/** White space looked past before the content type alone decides, in bytes. */
const BLANK_BYTES_MAX = 1024;
/** First bytes of the fields `data`, `event`, `id`, `retry`, of a comment, and of a byte order mark. */
const SSE_STARTS: ReadonlySet<number> = new Set([...Buffer.from("deir:"), 0xef]);

/**
 * Opens the reader that the answer's first byte asks for, because content types cannot be trusted: providers answer a request
 * for a stream with a JSON body (errors, filters), and compatible servers mislabel both. An object or array is a body; a field
 * or comment, where a stream was asked for, is a stream; anything else is what the content type says.
 */
export class SniffingReader implements AnswerReader {
  readonly #context: AnswerContext;
  readonly #open: (context: AnswerContext) => AnswerReader;
  #inner: AnswerReader | undefined;
  /** White space at the start, until something else comes. */
  #blank: Uint8Array = NO_BYTES;

  constructor(context: AnswerContext, open: (context: AnswerContext) => AnswerReader) {
    this.#context = context;
    this.#open = open;
  }

  push(chunk: Uint8Array): readonly Frame[] {
    const inner = this.#inner ?? this.#openedBy(chunk);
    if (inner === undefined) {
      this.#blank = this.#whole(chunk);
      return [];
    }
    const whole = this.#whole(chunk);
    this.#blank = NO_BYTES;
    return inner.push(whole);
  }
  pushSteps(chunk: Uint8Array | undefined): FrameSteps | undefined {
    if (chunk === undefined) return this.#inner?.pushSteps?.(chunk);
    const steps = (this.#inner ?? this.#openedBy(chunk))?.pushSteps?.(this.#whole(chunk));
    if (steps !== undefined) this.#blank = NO_BYTES;
    return steps;
  }

  /** undefined: nothing but blanks so far. */
  #openedBy(chunk: Uint8Array): AnswerReader | undefined {
    const first = chunk.find((byte) => byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09);
    if (first === undefined && this.#blank.length + chunk.length < BLANK_BYTES_MAX) return undefined;
    return this.#decided(first);
  }
  #whole(chunk: Uint8Array): Uint8Array {
    return this.#blank.length === 0 ? chunk : Buffer.concat([this.#blank, chunk]);
  }

  end(): readonly Frame[] {
    if (this.#inner !== undefined) return this.#inner.end();
    const inner = this.#decided(undefined);
    return [...inner.push(this.#blank), ...inner.end()];
  }

  usage(): Usage | undefined {
    return this.#inner?.usage();
  }
  summary(): AnswerSummary {
    return (this.#inner ?? this.#open(this.#context)).summary();
  }
  tail(reason: TailReason): Uint8Array {
    return (this.#inner ?? this.#decided(undefined)).tail(reason);
  }

  #decided(first: number | undefined): AnswerReader {
    let contentType = this.#context.contentType;
    if (first === 0x7b || first === 0x5b) contentType = "application/json";
    else if (first !== undefined && SSE_STARTS.has(first) && this.#context.view.streaming) contentType = "text/event-stream";
    this.#inner = this.#open({ ...this.#context, contentType });
    return this.#inner;
  }
}
