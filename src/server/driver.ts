/**
 * Drives one gRPC stream of Envoy's: receive, step, do, send. The order of phases is the machine's (exchange/exchange.ts), what
 * is decided is the pipeline's; this file moves bytes between them, keeps the timers, and is the one place that catches the
 * unexpected.
 */
import type { Denial } from "../core/denials.ts";
import type { Ending } from "../core/record.ts";
import { decode, type EnvoyMessage, Head, modeProblem } from "../envoy/decode.ts";
import { encodeAnswerBody, encodeAnswerHeaders, encodeContinue, encodeForward, encodeReply } from "../envoy/encode.ts";
import type { WireRequest, WireResponse } from "../envoy/wire.ts";
import { type Command, type Exchange, type Input, START, step } from "../exchange/exchange.ts";
import { isComplete, type Judgement, judgeAnswer, openAnswer } from "../pipeline/answer.ts";
import { decide, type Forward } from "../pipeline/decide.ts";
import { admit, begin, identify } from "../pipeline/identify.ts";
import { refuse, turnAway } from "../pipeline/reply.ts";
import type { LocalReply, PipelineDeps, Work } from "../pipeline/work.ts";
import type { Log } from "../ports/log.ts";
import { AnswerTimers } from "./answer-timers.ts";
import { type Capacity, weightOf } from "./capacity.ts";
import { closeExchange } from "./close.ts";
import { EnvoysOwn } from "./envoys-own.ts";
import { HeldBody } from "./held-body.ts";
import type { Metrics } from "./metrics.ts";
import { replacedHeaders, StreamedAnswer } from "./streamed-answer.ts";

/** Envoy's side of the stream, as much of it as the driver uses. */
export interface Wire {
  send(message: WireResponse): void;
  /** Ends the call with a status other than OK; Envoy fails the exchange closed. */
  fail(why: string): void;
}

export interface DriverDeps extends PipelineDeps {
  readonly capacity: Capacity;
  readonly metrics: Metrics;
  readonly log: Log;
}

const NO_BYTES = Buffer.alloc(0);

export class Driver {
  readonly #wire: Wire;
  readonly #deps: DriverDeps;
  #now: Exchange = START;
  #work: Work | undefined;
  #first = true;
  /** When the message at hand came, monotonic. */
  #receivedMs = 0;
  #bytes: Buffer = NO_BYTES;
  #responseHead: Head | undefined;
  #origin: { cluster: string | undefined; attempts: number | undefined; details: string | undefined } = NO_ORIGIN;
  #reply: LocalReply | undefined;
  #forward: Forward | undefined;
  #judgement: Judgement | undefined;
  readonly #held = new HeldBody();
  #heldBytes = 0;
  #stream: StreamedAnswer | undefined;
  /** Of `#heldBytes`, those that guards hold back. */
  #guardedBytes = 0;
  #answerDigest: string | undefined;
  /** Envoy sends a body after the headers; and it has begun to. */
  #hasBody = true;
  #bodyBegun = false;
  readonly #timers: AnswerTimers;
  #expiry: Denial | undefined;
  /** The decision, or the judgement of a long answer, while it is under way. */
  #working: Promise<void> | undefined;
  readonly #envoysOwn = new EnvoysOwn();

  constructor(wire: Wire, deps: DriverDeps) {
    this.#wire = wire;
    this.#deps = deps;
    this.#timers = new AnswerTimers(deps.clock);
    deps.capacity.exchanges += 1;
  }

  /** One message of Envoy's. */
  receive(wire: WireRequest): void {
    const started = this.#deps.clock.monotonicMs();
    this.#receivedMs = started;
    if (this.#first) {
      this.#first = false;
      const problem = modeProblem(wire);
      if (problem !== undefined) {
        this.#deps.log.error("ext_proc_misconfigured", { problem });
        this.#dispatch({ on: "fault" });
        return;
      }
    }
    const message = decode(wire);
    const own = message.phase === "invalid" ? undefined : this.#envoysOwn.answerTo(message, this.#work !== undefined);
    if (own !== undefined && own !== "fault") return this.#wire.send(own);
    this.#dispatch(message.phase === "invalid" || own === "fault" ? { on: "fault" } : this.#take(message));
    if (this.#work !== undefined) this.#work.sidecarMs += this.#deps.clock.monotonicMs() - started;
  }

  /** Envoy closed its side, cleanly or not: the exchange is over. */
  closed(): void {
    this.#dispatch({ on: "closed", complete: isComplete(this.#work) });
  }

  #take(message: EnvoyMessage): Input {
    switch (message.phase) {
      case "request_headers":
        this.#work = begin(message.head, message.peer, this.#deps);
        return { on: message.phase, end: message.end };
      case "response_headers":
        this.#responseHead = message.head;
        this.#hasBody = !message.end;
        this.#origin = message.servedBy ?? NO_ORIGIN;
        return { on: message.phase, end: message.end };
      case "request_body":
      case "response_body":
        this.#bodyBegun = message.phase === "response_body";
        this.#bytes = message.bytes;
        return { on: message.phase, end: message.end };
      default:
        return { on: message.phase };
    }
  }

  /** The one catch for the unexpected: the cause is logged, the caller gets a text of the table, never a bypass. */
  #dispatch(input: Input): void {
    this.#attempt(() => this.#advance(input));
  }

  #attempt(work: () => void): void {
    try {
      work();
    } catch (cause) {
      this.#deps.log.error("exchange_fault", { id: this.#work?.id, state: this.#now.state, cause });
      try {
        this.#advance({ on: "fault" });
      } catch (second) {
        this.#deps.log.error("exchange_fault", { id: this.#work?.id, state: this.#now.state, cause: second });
        this.#wire.fail("internal");
      }
    }
  }

  #advance(input: Input): void {
    const [next, commands] = step(this.#now, input);
    this.#now = next;
    for (const command of commands) this.#execute(command);
  }

  #execute(command: Command): void {
    switch (command.do) {
      case "identify":
        return this.#identify();
      case "decide":
        return this.#decide(command.at);
      case "continue":
        return this.#wire.send(encodeContinue(command.at));
      case "forward":
        return this.#sendForward(command.at);
      case "reply":
        return this.#sendReply();
      case "open":
        return this.#open();
      case "hold":
        return this.#hold();
      case "judge":
        return this.#judge(command.why);
      case "release":
        return this.#release(command.end);
      case "stream_headers":
        return this.#requireStream().headers(this.#hasBody);
      case "feed":
        return this.#feed(command.end);
      case "flush":
        return this.#requireStream().flush();
      case "tail":
        this.#timers.stop();
        return this.#requireStream().tail(command.why === "fault" ? { code: "internal" } : (this.#expiry ?? { code: "internal" }));
      case "finish":
        this.#timers.stop();
        return this.#requireStream().finish();
      case "fail":
        this.#deps.log.error("exchange_failed", { id: this.#work?.id, why: command.why });
        return this.#wire.fail(command.why);
      case "settle":
        return this.#settle(command.ending);
    }
  }

  #requireWork(): Work {
    if (this.#work === undefined) throw new Error("no request headers yet");
    return this.#work;
  }

  #identify(): void {
    const work = this.#requireWork();
    const known = identify(work, this.#deps);
    if (!(known instanceof Promise)) return this.#identified(known.reply);
    known.then(
      (caller) => {
        // Late: the client left, or Envoy answered on its own. The record stays as it is.
        if (this.#now.state === "await_identified") this.#attempt(() => this.#identified(admit(work, caller)));
      },
      (cause: unknown) => this.#fault(cause),
    );
  }

  #fault(cause: unknown): void {
    this.#deps.log.error("exchange_fault", { id: this.#work?.id, state: this.#now.state, cause });
    this.#dispatch({ on: "fault" });
  }

  #identified(reply: LocalReply | undefined): void {
    this.#reply = reply;
    this.#advance({ on: "identified", reply: reply === undefined ? undefined : "refused" });
  }

  #decide(at: "request_headers" | "request_body"): void {
    const work = this.#requireWork();
    const body = at === "request_body" ? this.#bytes : undefined;
    this.#grow(body === undefined ? 0 : weightOf(body));
    const started = this.#deps.clock.monotonicMs();
    const isOver = this.#deps.capacity.overfull(work.snapshot, this.#heldBytes);
    this.#working = (isOver ? turnAway(work) : decide(work, body, this.#deps)).then(
      (outcome) => {
        this.#working = undefined;
        work.sidecarMs += this.#deps.clock.monotonicMs() - started;
        if ("forward" in outcome) {
          this.#forward = outcome.forward;
          this.#dispatch({ on: "decided", reply: undefined });
        } else {
          this.#reply = outcome.reply;
          this.#dispatch({ on: "decided", reply: outcome.answered ? "answered" : "refused" });
        }
      },
      (cause: unknown) => {
        this.#working = undefined;
        this.#fault(cause);
      },
    );
  }

  #sendForward(at: "request_headers" | "request_body"): void {
    const work = this.#requireWork();
    const forward = this.#forward;
    if (forward === undefined) throw new Error("forward without a plan");
    work.forwarded = true;
    this.#wire.send(
      encodeForward(at, {
        headers: { set: forward.set, remove: forward.remove },
        body: forward.body,
        chain: forward.chain,
        log: { exchange: work.id, policy: work.policy?.name ?? "", model: work.plan?.choice.model.name ?? "" },
      }),
    );
  }

  #sendReply(): void {
    const work = this.#requireWork();
    const reply = this.#reply ?? refuse(work, { code: "internal" });
    work.status = reply.status;
    work.answerSentBytes = reply.body.length;
    this.#immediate(reply);
  }

  #immediate({ status, headers, body, details }: LocalReply): void {
    this.#wire.send(encodeReply({ status, headers: { set: headers, remove: [] }, body, details }));
  }

  #open(): void {
    const work = this.#requireWork();
    const as = openAnswer(work, this.#responseHead ?? NO_HEAD, this.#origin, this.#deps);
    const elapsedMs = this.#deps.clock.monotonicMs() - work.arrivedMs;
    if (this.#hasBody) this.#timers.start(work, elapsedMs, (denial) => this.#expire(denial));
    this.#advance({ on: "opened", as });
  }

  #expire(denial: Denial): void {
    this.#expiry ??= denial;
    this.#dispatch({ on: "expired", complete: isComplete(this.#work) });
  }

  #hold(): void {
    const work = this.#requireWork();
    this.#timers.refresh(this.#receivedMs);
    work.answerBytes += this.#bytes.length;
    if (this.#bytes.length === 0) return;
    this.#held.add(this.#bytes);
    this.#grow(this.#bytes.length);
    const { bodyBytesMax, inFlightBytesMax } = work.snapshot.limits;
    if (work.answerBytes > bodyBytesMax)
      this.#expire({ code: "upstream_invalid", detail: `The provider's answer is larger than ${bodyBytesMax} bytes.` });
    else if (this.#deps.capacity.bytes > inFlightBytesMax) this.#expire({ code: "overloaded", retryAfterMs: 1000 });
  }

  #grow(bytes: number): void {
    this.#heldBytes += bytes;
    this.#deps.capacity.bytes += bytes;
  }

  #judge(why: "whole" | "expired" | "fault"): void {
    this.#timers.stop();
    const work = this.#requireWork();
    const { body, digest } = this.#held.take();
    this.#answerDigest = digest;
    const denial = why === "whole" ? undefined : why === "expired" ? this.#expiry : { code: "internal" as const };
    const judged = judgeAnswer(work, body, denial, this.#deps);
    if (!(judged instanceof Promise)) return this.#judged(judged);
    this.#working = judged.then(
      (judgement) => {
        this.#working = undefined;
        this.#attempt(() => this.#judged(judgement));
      },
      (cause: unknown) => {
        this.#working = undefined;
        this.#fault(cause);
      },
    );
  }

  #judged(judgement: Judgement): void {
    this.#judgement = judgement;
    this.#advance({ on: "judged", as: judgement.as, ending: judgement.ending });
  }

  #release(end: boolean): void {
    const work = this.#requireWork();
    const judgement = this.#judgement;
    if (judgement === undefined) throw new Error("release without a judgement");
    if (judgement.as === "pass") {
      work.answerSentBytes = judgement.body.length;
      this.#wire.send(encodeAnswerHeaders(judgement));
      if (this.#hasBody) this.#wire.send(encodeAnswerBody(judgement.body, end));
      return;
    }
    const { reply } = judgement;
    work.answerSentBytes = reply.body.length;
    work.status = reply.status;
    if (!this.#bodyBegun) {
      // Envoy takes a body of ours only in a body phase of its own; an immediate response brings one.
      this.#immediate(reply);
      return;
    }
    this.#wire.send(replacedHeaders(work, reply));
    this.#wire.send(encodeAnswerBody(reply.body, end));
  }

  #requireStream(): StreamedAnswer {
    this.#stream ??= new StreamedAnswer(this.#requireWork(), this.#deps, {
      send: (message) => this.#wire.send(message),
      cut: () => {
        this.#timers.stop();
        this.#advance({ on: "cut", ending: "cut" });
      },
      holds: (bytes) => this.#guards(bytes),
      later: (work) => this.#attempt(work),
    });
    return this.#stream;
  }

  #feed(end: boolean): void {
    this.#timers.refresh(this.#receivedMs);
    if (end) this.#timers.stop();
    this.#requireStream().feed(this.#bytes, end);
  }

  #guards(bytes: number): void {
    this.#grow(bytes - this.#guardedBytes);
    this.#guardedBytes = bytes;
    if (bytes > 0 && this.#deps.capacity.bytes > this.#requireWork().snapshot.limits.inFlightBytesMax)
      this.#expire({ code: "overloaded", retryAfterMs: 1000 });
  }

  /** Once, however the stream ended. What is still being decided, or read, is waited for: its open entry gets its record, and its usage counts. */
  #settle(ending: Ending): void {
    this.#timers.stop();
    this.#stream?.close();
    if (this.#working !== undefined) {
      this.#working.then(() => this.#close(ending)).catch((cause: unknown) => this.#deps.log.error("settle_fault", { cause }));
      return;
    }
    this.#close(ending);
  }

  #close(ending: Ending): void {
    const { capacity } = this.#deps;
    capacity.exchanges -= 1;
    capacity.bytes -= this.#heldBytes;
    this.#heldBytes = 0;
    const work = this.#work;
    // Envoy can open a stream and close it before it says anything: no exchange, no record.
    if (work === undefined) return;
    // The caller got nothing of a head that was still held: Envoy tells it something of its own, if it is there.
    const isHeld = this.#judgement === undefined && this.#reply === undefined && this.#stream?.headSent !== true;
    work.headHeld = work.headersMs !== undefined && isHeld;
    const ended = ending === "aborted" && capacity.draining ? "shutdown" : ending;
    closeExchange(work, this.#deps, { ending: ended, digest: this.#answerDigest ?? this.#stream?.digest() });
  }
}

const NO_ORIGIN = { cluster: undefined, attempts: undefined, details: undefined };
const NO_HEAD = new Head(new Map());
