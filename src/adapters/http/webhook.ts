/**
 * Tells one URL of things that happened: JSON by POST, signed, tried again with growing waits, in order, bounded. What the receiver does
 * not take in the end is given up and counted, and who sent it is told so; nobody waits for it.
 */
import { createHmac } from "node:crypto";
import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import type { Json } from "../../core/json.ts";
import type { Log } from "../../ports/log.ts";
import { callHttp, codeOf } from "./request.ts";

export interface WebhookOptions {
  readonly url: string;
  /** Where the key for signatures is; absent: nothing is signed. */
  readonly secret: { readonly env?: string | undefined; readonly file?: string | undefined } | undefined;
  /** PEM file with the authorities to trust; absent: Node's. */
  readonly caFile: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly log: Log;
  /** First wait before a second try, milliseconds. */
  readonly retryMs?: number;
}
export interface Webhook {
  /** Takes a message at once. `done` hears what became of it, once; closed: nobody was told, and nobody tries any more. */
  send(message: { readonly [name: string]: Json }, done?: (outcome: Told) => void): void;
  /** Messages that were given up. */
  readonly dropped: number;
  /** Stops. */
  close(): void;
}

export type Told = "taken" | "given_up" | "closed";

const QUEUED_MAX = 1_000;
const TRIES = 6;
const RETRY_MS = 500;
const DEADLINE_MS = 5_000;
const ANSWER_BYTES_MAX = 64 * 1024;

export function openWebhook(options: WebhookOptions): Webhook {
  const queue: { readonly body: Uint8Array; readonly done: (outcome: Told) => void }[] = [];
  const stop = new AbortController();
  let dropped = 0;
  let sending = false;
  const drop = (why: string): void => {
    dropped += 1;
    options.log.warn("webhook_dropped", { host: hostOf(options.url), why, dropped });
  };
  const drain = async (): Promise<void> => {
    for (let next = queue[0]; next !== undefined && !stop.signal.aborted; next = queue[0]) {
      const problem = await deliver(next.body, options, stop.signal);
      if (problem !== undefined && stop.signal.aborted) break;
      if (problem !== undefined) drop(problem);
      queue.shift();
      next.done(problem === undefined ? "taken" : "given_up");
    }
    if (stop.signal.aborted) for (const { done } of queue.splice(0)) done("closed");
    sending = false;
  };
  return {
    send: (message, done = () => undefined) => {
      if (stop.signal.aborted) return done("closed");
      if (queue.length >= QUEUED_MAX) {
        drop("queue full");
        return done("given_up");
      }
      queue.push({ body: Buffer.from(JSON.stringify(message)), done });
      if (sending) return;
      sending = true;
      void drain();
    },
    get dropped() {
      return dropped;
    },
    close: () => stop.abort(),
  };
}

/** Why it was not taken in the end; undefined: it was. */
async function deliver(body: Uint8Array, options: WebhookOptions, signal: AbortSignal): Promise<string | undefined> {
  let problem: string | undefined;
  let waitMs = options.retryMs ?? RETRY_MS;
  for (let attempt = 1; attempt <= TRIES && !signal.aborted; attempt++) {
    problem = await attemptOnce(body, options, signal);
    if (problem === undefined || attempt === TRIES) return problem;
    await sleep(waitMs, undefined, { signal }).catch(() => undefined);
    waitMs *= 2;
  }
  return problem;
}

async function attemptOnce(
  body: Uint8Array,
  { url, secret, caFile, env }: WebhookOptions,
  signal: AbortSignal,
): Promise<string | undefined> {
  try {
    const at = String(Math.floor(Date.now() / 1000));
    const key = await keyOf(secret, env);
    const signature = key === undefined ? undefined : createHmac("sha256", key).update(`${at}.`).update(body).digest("hex");
    const answer = await callHttp(new URL(url), {
      method: "POST",
      headers: {
        "content-type": "application/json",
        "x-sluice-timestamp": at,
        ...(signature === undefined ? {} : { "x-sluice-signature": `sha256=${signature}` }),
      },
      body,
      ca: caFile === undefined ? undefined : await readFile(caFile, "utf8"),
      env,
      signal,
      deadlineMs: DEADLINE_MS,
      bytesMax: ANSWER_BYTES_MAX,
      plainHttp: true,
    });
    return answer.ok ? undefined : answer.error.message;
  } catch (cause) {
    return codeOf(cause);
  }
}

/** Read for each message, so that a key that is replaced counts at once. */
async function keyOf(secret: WebhookOptions["secret"], env: WebhookOptions["env"]): Promise<string | undefined> {
  if (secret === undefined) return undefined;
  const text = secret.file === undefined ? env[secret.env ?? ""] : await readFile(secret.file, "utf8");
  const key = text?.trim();
  if (key === undefined || key === "") throw new Error("no key");
  return key;
}

const hostOf = (url: string): string => (URL.canParse(url) ? new URL(url).host : "");
