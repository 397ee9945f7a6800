/**
 * Drives one stream of the observing listener: Envoy sends copies (bodies in pieces, STREAMED) and hears nothing back. It collects
 * what the pipeline needs, within caps, and writes one record at the end. There is no flow control towards an observer, so a
 * body past its cap is let go and said to be.
 */

import { createHash } from "node:crypto";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Denial } from "../core/denials.ts";
import { decode, type EnvoyMessage } from "../envoy/decode.ts";
import type { WireRequest } from "../envoy/wire.ts";
import { feed, openAnswer, resumeFeed } from "../pipeline/answer.ts";
import { begin } from "../pipeline/identify.ts";
import { observe } from "../pipeline/observe.ts";
import type { Work } from "../pipeline/work.ts";
import { closeExchange } from "./close.ts";
import type { DriverDeps } from "./driver.ts";

const NO_MORE = { more: false };

export class Observer {
  readonly #deps: DriverDeps;
  readonly #hash = createHash("sha256");
  #work: Work | undefined;
  #body: Buffer[] = [];
  #held = 0;
  #observed: Promise<void> | undefined;
  /** Answer messages that came before the request was read. */
  #waiting: EnvoyMessage[] = [];
  #ended = false;
  #over = false;
  #tooLarge: Denial | undefined;

  constructor(deps: DriverDeps) {
    this.#deps = deps;
    deps.capacity.exchanges += 1;
  }

  receive(wire: WireRequest): void {
    try {
      const message = decode(wire);
      if (message.phase !== "invalid") this.#take(message);
    } catch (cause) {
      this.#deps.log.error("observer_fault", { id: this.#work?.id, cause });
    }
  }

  #take(message: EnvoyMessage): void {
    if (message.phase === "request_headers") {
      this.#work = begin(message.head, undefined, this.#deps);
      if (message.end) this.#read();
    } else if (message.phase === "request_body") {
      this.#collect(message.bytes);
      if (message.end) this.#read();
    } else if (message.phase === "request_trailers") this.#read();
    else if (this.#observed === undefined || this.#waiting.length > 0) this.#wait(message);
    else this.#answer(message);
  }

  #collect(bytes: Buffer): void {
    const max = this.#work?.snapshot.limits.bodyBytesMax ?? 0;
    if (this.#tooLarge !== undefined) return;
    if (this.#held + bytes.length > max || this.#deps.capacity.bytes > (this.#work?.snapshot.limits.inFlightBytesMax ?? 0)) {
      this.#tooLarge = { code: "input_too_large" };
      this.#letGo();
      return;
    }
    this.#body.push(bytes);
    this.#held += bytes.length;
    this.#deps.capacity.bytes += bytes.length;
  }

  #letGo(): void {
    this.#deps.capacity.bytes -= this.#held;
    this.#held = 0;
    this.#body = [];
  }

  #read(): void {
    const work = this.#work;
    if (work === undefined || this.#observed !== undefined) return;
    const body = this.#body.length === 0 ? undefined : Buffer.concat(this.#body);
    this.#body = [];
    if (this.#tooLarge !== undefined) work.denial = this.#tooLarge;
    const read = this.#tooLarge === undefined ? observe(work, body, this.#deps) : Promise.resolve();
    this.#observed = read
      .catch((cause: unknown) => this.#deps.log.error("observer_fault", { id: work.id, cause }))
      .then(() => {
        const waiting = this.#waiting;
        this.#waiting = [];
        for (const message of waiting) this.#answer(message);
      });
  }

  /** A provider may answer before the request was read: its first messages wait, within the body's cap. */
  #wait(message: EnvoyMessage): void {
    const bytes = "bytes" in message ? message.bytes.length : 0;
    if (this.#held + bytes > (this.#work?.snapshot.limits.bodyBytesMax ?? 0)) return;
    this.#held += bytes;
    this.#deps.capacity.bytes += bytes;
    this.#waiting.push(message);
    // Envoy answered before the body's end (an early error): nothing more of the request comes.
    if (this.#observed === undefined && message.phase === "response_headers") this.#read();
  }

  #answer(message: EnvoyMessage): void {
    const work = this.#work;
    if (work === undefined) return;
    if (message.phase === "response_headers") {
      const { cluster, attempts, details } = message.servedBy ?? {};
      openAnswer(work, message.head, { cluster, attempts, details }, this.#deps);
      if (message.end) this.#ended = true;
      return;
    }
    if (message.phase === "response_trailers") {
      this.#ended = true;
      return;
    }
    if (message.phase !== "response_body") return;
    work.answerBytes += message.bytes.length;
    this.#hash.update(message.bytes);
    this.#readOn(work, feed(work, message.bytes, this.#deps));
    if (message.end) this.#ended = true;
  }

  /** Text that is too much for one turn of the event loop. */
  #readOn(work: Work, { more }: { readonly more: boolean }): void {
    if (more && !this.#over) setImmediate(() => this.#readOn(work, this.#over ? NO_MORE : resumeFeed(work)));
  }

  /** The stream is over: the record, once. */
  closed(): void {
    if (this.#over) return;
    this.#over = true;
    const finish = async (): Promise<void> => {
      this.#letGo();
      this.#deps.capacity.exchanges -= 1;
      const work = this.#work;
      if (work === undefined) return;
      let left = feed(work, undefined, this.#deps);
      while (left.more) {
        await nextTurn();
        left = resumeFeed(work);
      }
      const ending = work.localReply ? "local_reply" : this.#ended ? "served" : "aborted";
      const digest = work.answerBytes > 0 ? this.#hash.digest("hex") : undefined;
      closeExchange(work, this.#deps, { ending, digest, more: { observed: true } });
    };
    const finished = this.#observed === undefined ? finish() : this.#observed.then(finish);
    finished.catch((cause: unknown) => this.#deps.log.error("observer_fault", { cause }));
  }
}
