/**
 * Public keys of token issuers, in memory. Each source is read at once and then by its period, a file when it changes; what
 * was read last stays in use while its source fails, for a day. Calls read memory and never wait, but for `refresh`.
 */
import { readFile, stat } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import type { KeySet, KeySource } from "../../core/credentials.ts";
import { KEY_ASK_GAP_MS, KEY_SET_BYTES_MAX, KEY_WAIT_MS } from "../../core/limits.ts";
import { err, ok, type Result } from "../../core/result.ts";
import type { Clock } from "../../ports/clock.ts";
import type { KeySetPort, KeySetStatus } from "../../ports/key-sets.ts";
import type { Log } from "../../ports/log.ts";
import { codeOf, parseAnswer } from "../http/request.ts";
import { fetchJson } from "./fetch.ts";
import { isRecord, readKeySet } from "./key-set.ts";

/** How often a file is looked at, milliseconds: a key taken out of it is out within a second. */
const FILE_POLL_MS = 400;
/** First wait after a failed fetch, doubled each time up to the period. */
const RETRY_MS = 2_000;
/** Keys that could not be confirmed for this long are no longer trusted: a day outlasts most outages of an issuer. */
const STALE_MS_MAX = 24 * 3_600_000;

export interface KeySetOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** For the proxy settings. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** The store; nothing is read before `keep`. */
export function openKeySets(options: KeySetOptions): KeySetPort {
  const followed = new Map<string, Follower>();
  return {
    current: (source) => followed.get(source.id)?.current(),
    refresh: async (source) => followed.get(source.id)?.ask(),
    keep: (sources) => {
      const wanted = new Set(sources.map(({ id }) => id));
      for (const [id, follower] of followed) {
        if (wanted.has(id)) continue;
        follower.stop();
        followed.delete(id);
      }
      for (const source of sources) if (!followed.has(source.id)) followed.set(source.id, new Follower(source, options));
    },
    settled: async (waitMs) => {
      const all = Promise.all([...followed.values()].map((follower) => follower.first));
      await atMost(all, waitMs);
    },
    status: () => [...followed.values()].map((follower) => follower.status()),
    close: () => {
      for (const follower of followed.values()) follower.stop();
      followed.clear();
    },
  };
}

/** Keeps one source fresh. */
class Follower {
  readonly #source: KeySource;
  readonly #options: KeySetOptions;
  readonly #stop = new AbortController();
  #set: KeySet | undefined;
  #digest = "";
  /** Monotonic time when the source last said that these are the keys. */
  #confirmedMs = 0;
  #failing: string | undefined;
  #failures = 0;
  /** Monotonic time of the last fetch that a token caused. */
  #askedMs = Number.NEGATIVE_INFINITY;
  #reading: Promise<void> | undefined;
  #fileState = "";
  #timer: NodeJS.Timeout | undefined;
  /** Done when the first attempt is, however it went. */
  readonly first: Promise<void>;

  constructor(source: KeySource, options: KeySetOptions) {
    this.#source = source;
    this.#options = options;
    this.first = this.#read();
  }

  current(): KeySet | undefined {
    if (this.#set === undefined) return undefined;
    // A file that cannot be read for a moment is a deployment; an issuer that is away for a day may have lost its keys.
    return this.#options.clock.monotonicMs() - this.#confirmedMs > STALE_MS_MAX ? undefined : this.#set;
  }

  /** A token names a key that is not here. */
  async ask(): Promise<void> {
    const now = this.#options.clock.monotonicMs();
    if (now - this.#askedMs >= KEY_ASK_GAP_MS) {
      this.#askedMs = now;
      // A fetch under way may have begun before the issuer changed its keys, but most likely has not.
      await atMost(this.#read(), KEY_WAIT_MS);
    } else if (this.#reading !== undefined && now - this.#askedMs < KEY_WAIT_MS) {
      await atMost(this.#reading, KEY_WAIT_MS - (now - this.#askedMs));
    }
  }

  status(): KeySetStatus {
    const set = this.current();
    return {
      name: this.#source.name,
      keys: set?.keys.length ?? 0,
      ageMs: set === undefined ? undefined : this.#options.clock.monotonicMs() - this.#confirmedMs,
      failing: this.#failing,
    };
  }

  stop(): void {
    this.#stop.abort();
    clearTimeout(this.#timer);
  }

  /** One attempt at a time; the next is planned when it ends. */
  #read(): Promise<void> {
    this.#reading ??= this.#attempt().finally(() => {
      this.#reading = undefined;
      this.#plan();
    });
    return this.#reading;
  }

  #plan(): void {
    clearTimeout(this.#timer);
    if (this.#stop.signal.aborted) return;
    const { from, refreshMs } = this.#source;
    const backOffMs = Math.min(refreshMs, RETRY_MS * 2 ** Math.min(this.#failures - 1, 10));
    // A tenth of chance, so that many gateways do not ask one issuer at the same moment.
    const waitMs = from.kind === "file" ? FILE_POLL_MS : (this.#failures > 0 ? backOffMs : refreshMs) * (0.95 + Math.random() / 10);
    this.#timer = setTimeout(() => void this.#read(), waitMs);
    this.#timer.unref();
  }

  /** Never rejects. */
  async #attempt(): Promise<void> {
    const { from } = this.#source;
    const read = from.kind === "file" ? await this.#readFile(from.path) : await this.#fetch(from);
    if (this.#stop.signal.aborted) return;
    if (read.ok && read.value === "unchanged") {
      this.#confirm();
      return;
    }
    const found = read.ok ? readKeySet(read.value) : undefined;
    if (found === undefined) {
      this.#fail(read.ok ? "no key set" : read.error);
      return;
    }
    this.#confirm();
    if (found.digest === this.#digest) return;
    this.#set = found.set;
    this.#digest = found.digest;
    this.#options.log.info("jwks_in_force", { source: this.#source.name, keys: found.set.keys.length });
  }

  #confirm(): void {
    if (this.#failing !== undefined) this.#options.log.info("jwks_recovered", { source: this.#source.name });
    this.#failing = undefined;
    this.#failures = 0;
    this.#confirmedMs = this.#options.clock.monotonicMs();
  }

  #fail(why: string): void {
    this.#failures += 1;
    // A file is looked at every moment: one line for each new reason, not for each look.
    if (this.#failing !== why || this.#source.from.kind !== "file")
      this.#options.log.warn("jwks_failed", { source: this.#source.name, why, keysInUse: this.current()?.keys.length ?? 0 });
    this.#failing = why;
  }

  async #readFile(path: string): Promise<Result<unknown, string>> {
    try {
      // Kubernetes swaps a link to a folder: size, time and inode are those of the file behind it.
      const { size, mtimeMs, ino } = await stat(path);
      const state = `${size} ${mtimeMs} ${ino}`;
      if (state === this.#fileState && this.#failing === undefined) return ok("unchanged");
      if (size > KEY_SET_BYTES_MAX) return err(`larger than ${KEY_SET_BYTES_MAX} bytes`);
      const parsed = parseAnswer(await readFile(path, "utf8"));
      if (!parsed.ok) return err(parsed.error.message);
      this.#fileState = state;
      return parsed;
    } catch (cause) {
      return err(codeOf(cause));
    }
  }

  async #fetch(from: { readonly kind: "url" | "discovery"; readonly url: string }): Promise<Result<unknown, string>> {
    const { caFile } = this.#source;
    let ca: string | undefined;
    try {
      ca = caFile === undefined ? undefined : await readFile(caFile, "utf8");
    } catch (cause) {
      return err(`caFile: ${codeOf(cause)}`);
    }
    const get = (url: URL) => fetchJson(url, { ca, env: this.#options.env, signal: this.#stop.signal });
    const place = from.kind === "url" ? ok(new URL(from.url)) : await discover(from.url, get);
    if (!place.ok) return place;
    const got = await get(place.value);
    return got.ok ? got : err(got.error.message);
  }
}

/** OpenID Connect Discovery 1.0, section 4: the document names its issuer, which must be the one that was asked for. */
async function discover(issuer: string, get: (url: URL) => ReturnType<typeof fetchJson>): Promise<Result<URL, string>> {
  const base = issuer.replace(/\/$/, "");
  const got = await get(new URL(`${base}/.well-known/openid-configuration`));
  if (!got.ok) {
    if (got.error.code === "status" && got.error.status === 404) return ok(new URL(`${base}/.well-known/jwks.json`));
    return err(`openid-configuration: ${got.error.message}`);
  }
  const document = isRecord(got.value) ? got.value : {};
  if (document["issuer"] !== issuer) return err("openid-configuration: it is another issuer's");
  const place = document["jwks_uri"];
  return typeof place === "string" && URL.canParse(place) ? ok(new URL(place)) : err("openid-configuration: no jwks_uri");
}

/** Waits for a promise that never rejects, at most `ms`. */
async function atMost(promise: Promise<unknown>, ms: number): Promise<void> {
  const over = new AbortController();
  try {
    await Promise.race([promise, sleep(ms, undefined, { signal: over.signal }).catch(() => {})]);
  } finally {
    over.abort();
  }
}
