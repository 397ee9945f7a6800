/**
 * Passes a streamed answer on: reads what Envoy brings, sends what the pipeline lets through, ends it well formed where it must.
 *
 * Where guards look at the answer its headers wait for the first bytes that may go: what is stopped before that is refused with a
 * status of its own. More text than one turn of the event loop should take is read on in further turns.
 */
import type { TailReason } from "../core/codec.ts";
import type { Denial } from "../core/denials.ts";
import type { Stop } from "../core/guard.ts";
import { encodeAnswerBody, encodeAnswerHeaders, encodeContinue } from "../envoy/encode.ts";
import type { WireResponse } from "../envoy/wire.ts";
import { answerHeaders, feed, resumeFeed, tailOf } from "../pipeline/answer.ts";
import type { Passed } from "../pipeline/guards/gate.ts";
import { renderDenialOf } from "../pipeline/reply.ts";
import type { LocalReply, PipelineDeps, Work } from "../pipeline/work.ts";
import { BodyDigest } from "./body-digest.ts";

/** What the driver does for it. */
export interface StreamPort {
  send(message: WireResponse): void;
  /** Guards ended the answer; its end has been sent. */
  cut(): void;
  /** Bytes that guards hold back now. */
  holds(bytes: number): void;
  /** Runs work of a later turn; what it throws is a fault of the exchange. */
  later(work: () => void): void;
}

const NO_BYTES = Buffer.alloc(0);
const TRAILERS = encodeContinue("response_trailers");

export class StreamedAnswer {
  readonly #work: Work;
  readonly #deps: PipelineDeps;
  readonly #port: StreamPort;
  readonly #digest = new BodyDigest();
  #headersDue = false;
  /** The provider's last bytes were read; whether the end is ours to send (no trailers follow). */
  #last: { readonly end: boolean } | undefined;
  #over = false;
  /** A later turn goes on with what is left. */
  #resuming = false;

  constructor(work: Work, deps: PipelineDeps, port: StreamPort) {
    this.#work = work;
    this.#deps = deps;
    this.#port = port;
  }

  /** SHA-256 of the provider's bytes, hex; once, at the end. */
  digest(): string | undefined {
    return this.#digest.hex();
  }

  /** The caller has got a head. */
  get headSent(): boolean {
    return !this.#headersDue;
  }

  /** `hasBody` false: the headers are all there is. */
  headers(hasBody: boolean): void {
    this.#headersDue = true;
    if (this.#work.gate === undefined || !hasBody) this.#sendHeaders();
  }

  /** A piece of the answer; `last`: the provider's last. */
  feed(bytes: Buffer, last: boolean): void {
    this.#work.answerBytes += bytes.length;
    if (bytes.length > 0) {
      this.#digest.add(bytes);
      const passed = feed(this.#work, bytes, this.#deps);
      if (!last || passed.stop !== undefined) return this.#pass(passed);
      this.#last = { end: true };
      return this.#pass(both(passed, feed(this.#work, undefined, this.#deps)));
    }
    if (last) this.finish();
  }

  /** The provider sends no more: gives up what is held, and ends the answer. */
  finish(): void {
    this.#last = { end: true };
    this.#pass(feed(this.#work, undefined, this.#deps));
  }

  /** As `finish`, but trailers follow: the end is theirs, and they wait for it. */
  flush(): void {
    if (this.#over) return this.#port.send(TRAILERS);
    this.#last = { end: false };
    this.#pass(feed(this.#work, undefined, this.#deps));
  }

  /** Ends the running answer: a timer, a cap, a fault. */
  tail(denial: Denial): void {
    this.#work.denial = denial;
    // A latency cap is the caller's or the policy's own wish, so the answer so far ends like one that met its length.
    if (denial.code === "latency_cap") this.#end(NO_BYTES, { kind: "length" }, denial, true);
    else this.#end(NO_BYTES, this.#error(denial), denial, true);
  }

  /** The exchange is over: nothing more is read or sent. */
  close(): void {
    this.#over = true;
    this.#work.feed?.close();
  }

  #pass(passed: Passed): void {
    if (this.#over) return;
    const { stop, more, bytes } = passed;
    const body = bytes.length === 1 ? (bytes[0] ?? NO_BYTES) : Buffer.concat(bytes);
    if (stop !== undefined) {
      this.#end(body, this.#reason(stop.stop), stop.stop.denial, this.#last?.end ?? true);
      this.#port.cut();
      return;
    }
    const end = !more && this.#last !== undefined;
    this.#send(body, end && this.#last?.end === true);
    if (end) this.#finished();
    const { feed } = this.#work;
    if (feed !== undefined) this.#port.holds(feed.heldBytes);
    if (!more || this.#resuming) return;
    this.#resuming = true;
    setImmediate(() => this.#port.later(() => this.#resume()));
  }

  #resume(): void {
    this.#resuming = false;
    if (!this.#over) this.#pass(resumeFeed(this.#work));
  }

  #reason(stop: Stop): TailReason {
    if (stop.kind === "length") return { kind: "length" };
    if (stop.kind === "filtered") return { kind: "filtered", ...(stop.text === undefined ? {} : { text: stop.text }) };
    return this.#error(stop.denial);
  }
  #error(denial: Denial): TailReason {
    return { kind: "error", denial, requestId: this.#work.id };
  }

  /** Sends what is left and the tail. Where nothing was sent, an error is a refusal with its own status. */
  #end(body: Uint8Array, reason: TailReason, denial: Denial, end: boolean): void {
    if (this.#over) return;
    this.#written(body, reason, denial, end);
    this.#finished();
  }

  /** The body is with Envoy: trailers that wait may go on. */
  #finished(): void {
    this.#over = true;
    if (this.#last?.end !== false) return;
    if (this.#headersDue) this.#sendHeaders();
    this.#port.send(TRAILERS);
  }

  #written(body: Uint8Array, reason: TailReason, denial: Denial, end: boolean): void {
    if (this.#headersDue && body.length === 0 && reason.kind === "error") return this.#refuse(renderDenialOf(this.#work, denial), end);
    const tail = tailOf(this.#work, reason) ?? NO_BYTES;
    this.#send(body.length === 0 ? tail : Buffer.concat([body, tail]), end);
    this.#work.feed?.close();
    this.#port.holds(0);
  }

  #refuse(reply: LocalReply, end: boolean): void {
    const work = this.#work;
    this.#headersDue = false;
    work.status = reply.status;
    work.answerSentBytes += reply.body.length;
    this.#port.send(replacedHeaders(work, reply));
    this.#port.send(encodeAnswerBody(reply.body, end));
    work.feed?.close();
    this.#port.holds(0);
  }

  #send(body: Uint8Array, end: boolean): void {
    // What is held back is owed no answer: FULL_DUPLEX lets answers and messages differ in number.
    if (body.length === 0 && !end) return;
    if (this.#headersDue) this.#sendHeaders();
    this.#work.answerSentBytes += body.length;
    this.#port.send(encodeAnswerBody(body, end));
  }

  #sendHeaders(): void {
    this.#headersDue = false;
    this.#port.send(encodeAnswerHeaders(answerHeaders(this.#work)));
  }
}

/** Headers of a reply of ours in place of a provider's whose body has begun. */
export function replacedHeaders(work: Work, reply: LocalReply): WireResponse {
  return encodeAnswerHeaders({
    set: [[":status", String(reply.status)], ...reply.headers],
    remove: ["content-length", "content-encoding", "location", ...answerHeaders(work).remove],
  });
}

const both = (first: Passed, second: Passed): Passed => ({ ...second, bytes: [...first.bytes, ...second.bytes] });
