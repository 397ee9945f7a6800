/**
 * A service beside Sluice that texts are sent to as JSON. All calls for one request share one deadline; few run at once, a bounded
 * number waits; after failures in a row it is left alone for a while. What it answers is believed only as far as a reader accepts it.
 */
import { readFile } from "node:fs/promises";
import type { Json } from "../../core/json.ts";
import { REMOTE_ANSWER_BYTES_MAX, REMOTE_QUEUED_MAX, REMOTE_SECRET_KEPT_MS } from "../../core/limits.ts";
import { err, ok, type Result } from "../../core/result.ts";
import type { PortError } from "../../core/stage.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Log } from "../../ports/log.ts";
import type { RemoteSettings } from "../../ports/remote.ts";
import { Breaker } from "./breaker.ts";
import type { RemoteFigures } from "./remote-figures.ts";
import { Connections, callHttp, codeOf, type HttpError, parseAnswer } from "./request.ts";

export interface RemoteDeps {
  readonly clock: Clock;
  readonly log: Log;
  /** Proxy settings, and secrets in variables. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly figures: RemoteFigures;
}
/** One call: what is sent, and what its answer says; undefined: an answer that cannot be true. */
export interface Ask<T> {
  readonly body: Json;
  read(answer: unknown): T | undefined;
}

interface Access {
  readonly headers: Readonly<Record<string, string>>;
  readonly ca: string | undefined;
}

export class Remote {
  readonly #settings: RemoteSettings;
  readonly #deps: RemoteDeps;
  readonly #url: URL;
  readonly #connections: Connections;
  readonly #breaker: Breaker;
  readonly #waiting: (() => void)[] = [];
  #running = 0;
  #access: { readonly atMs: number; readonly access: Promise<Access> } | undefined;

  constructor(settings: RemoteSettings, deps: RemoteDeps) {
    this.#settings = settings;
    this.#deps = deps;
    this.#url = new URL(settings.url);
    this.#connections = new Connections(this.#url, deps.env, settings.concurrent);
    this.#breaker = new Breaker(
      () => deps.clock.monotonicMs(),
      (up, why) => {
        deps.figures.noteUp(settings.name, up);
        if (up) deps.log.info("remote_back", { name: settings.name });
        else deps.log.error("remote_lost", { name: settings.name, why });
      },
    );
  }

  /** All answers, in order, within one deadline; the first failure ends the rest. `signal`: the caller no longer waits. */
  async askAll<T>(asks: readonly Ask<T>[], signal: AbortSignal): Promise<Result<readonly T[], PortError>> {
    if (asks.length === 0) return ok([]);
    const { name } = this.#settings;
    const { figures } = this.#deps;
    if (!this.#breaker.admits()) {
      figures.note(name, "unavailable");
      return unavailable("it is left alone after failures");
    }
    const failed = new AbortController();
    const late = AbortSignal.timeout(this.#settings.deadlineMs);
    const within = AbortSignal.any([signal, late, failed.signal]);
    let problem: PortError | undefined;
    const answers = await Promise.all(
      asks.map(async (ask) => {
        const answer = await this.#ask(ask, within);
        if (answer.ok) return answer.value;
        problem ??= answer.error;
        failed.abort();
        return undefined;
      }),
    );
    if (problem === undefined) {
      this.#breaker.succeeded();
      figures.note(name, "ok");
      return ok(answers.filter((answer) => answer !== undefined));
    }
    figures.note(name, signal.aborted ? "left" : problem.code);
    if (signal.aborted) this.#breaker.forgone();
    else this.#breaker.failed(`${problem.code}: ${String(problem.cause)}`);
    return err(problem);
  }

  close(): void {
    this.#connections.close();
  }

  async #ask<T>({ body, read }: Ask<T>, signal: AbortSignal): Promise<Result<T, PortError>> {
    if (!(await this.#enter(signal))) return signal.aborted ? timeout("no place came free") : unavailable("too many calls wait");
    try {
      const { headers, ca } = await this.#accessNow();
      const answer = await callHttp(this.#url, {
        method: "POST",
        headers: { "content-type": "application/json", accept: "application/json", ...headers },
        body: Buffer.from(JSON.stringify(body)),
        ...{ ca, signal, env: this.#deps.env, connections: this.#connections },
        deadlineMs: this.#settings.deadlineMs,
        bytesMax: REMOTE_ANSWER_BYTES_MAX,
        plainHttp: true,
      });
      if (!answer.ok) return err(portError(answer.error));
      const parsed = parseAnswer(answer.value.toString("utf8"));
      const value = parsed.ok ? read(parsed.value) : undefined;
      if (value !== undefined) return ok(value);
      return err({ code: "corrupt", cause: parsed.ok ? "not of the documented form, or not true" : parsed.error.message });
    } catch (cause) {
      return unavailable(codeOf(cause));
    } finally {
      this.#leave();
    }
  }

  /** Waits for a free place; false: there are too many before it, or `signal` ended the wait. */
  async #enter(signal: AbortSignal): Promise<boolean> {
    if (signal.aborted) return false;
    if (this.#running < this.#settings.concurrent) {
      this.#running += 1;
      return true;
    }
    if (this.#waiting.length >= REMOTE_QUEUED_MAX) return false;
    const turn = Promise.withResolvers<boolean>();
    const take = (): void => turn.resolve(true);
    const give = (): void => {
      const at = this.#waiting.indexOf(take);
      if (at < 0) return;
      this.#waiting.splice(at, 1);
      turn.resolve(false);
    };
    this.#waiting.push(take);
    signal.addEventListener("abort", give, { once: true });
    const mine = await turn.promise;
    signal.removeEventListener("abort", give);
    return mine;
  }

  /** Hands the place on, or frees it. */
  #leave(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#running -= 1;
    else next();
  }

  /** Read again now and then, so that a key that is replaced counts soon. */
  #accessNow(): Promise<Access> {
    const now = this.#deps.clock.monotonicMs();
    if (this.#access !== undefined && now - this.#access.atMs < REMOTE_SECRET_KEPT_MS) return this.#access.access;
    const access = this.#readAccess();
    this.#access = { atMs: now, access };
    access.catch(() => {
      this.#access = undefined;
    });
    return access;
  }

  async #readAccess(): Promise<Access> {
    const { header, caFile } = this.#settings;
    const ca = caFile === undefined ? undefined : await readFile(caFile, "utf8");
    if (header === undefined) return { headers: {}, ca };
    const text = header.file === undefined ? this.#deps.env[header.env ?? ""] : await readFile(header.file, "utf8");
    const secret = text?.trim() ?? "";
    if (!/^[\x21-\x7e]+$/.test(secret)) throw new Error("no key");
    return { headers: { [header.name]: `${header.prefix}${secret}` }, ca };
  }
}

const unavailable = (cause: string): Result<never, PortError> => err({ code: "unavailable", cause });
const timeout = (cause: string): Result<never, PortError> => err({ code: "timeout", cause });

function portError({ code, message }: HttpError): PortError {
  if (code === "timeout") return { code: "timeout", cause: message };
  // More than any true answer has.
  return { code: code === "large" ? "corrupt" : "unavailable", cause: message };
}
