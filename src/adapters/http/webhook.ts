/**
 * Tells one URL of things that happened: JSON by POST, signed, tried again with growing waits, in order, bounded. What the receiver does
 * not take in the end is dropped and counted; nobody waits for it.
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
  /** Takes a message at once. */
  send(message: { readonly [name: string]: Json }): void;
  /** Messages that were given up. */
  readonly dropped: number;
  /** Stops; what waits is given up. */
  close(): void;
}

const QUEUED_MAX = 1_000;
const TRIES = 6;
const RETRY_MS = 500;
const DEADLINE_MS = 5_000;
const ANSWER_BYTES_MAX = 64 * 1024;

export function openWebhook(options: WebhookOptions): Webhook {
  const queue: Uint8Array[] = [];
  const stop = new AbortController();
  let dropped = 0;
  let sending = false;
  const drop = (why: string): void => {
    dropped += 1;
    options.log.warn("webhook_dropped", { host: hostOf(options.url), why, dropped });
  };
  const drain = async (): Promise<void> => {
    for (let body = queue[0]; body !== undefined && !stop.signal.aborted; body = queue[0]) {
      const problem = await deliver(body, options, stop.signal);
      if (problem !== undefined && !stop.signal.aborted) drop(problem);
      queue.shift();
    }
    sending = false;
  };
  return {
    send: (message) => {
      if (stop.signal.aborted) return;
      if (queue.length >= QUEUED_MAX) return drop("queue full");
      queue.push(Buffer.from(JSON.stringify(message)));
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
