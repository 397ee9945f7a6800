import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { answerOf } from "./answer.ts";
import { anthropicCountTokens, anthropicMessages, anthropicModels, anthropicStyle } from "./anthropic.ts";
import { bedrockModels } from "./bedrock.ts";
import { cohereChat, cohereInputs } from "./cohere.ts";
import { Attempts, type Faults, readFaults } from "./faults.ts";
import { geminiList, geminiModels, geminiStyle } from "./gemini.ts";
import { openaiSpeech, openaiTranscripts } from "./openai-audio.ts";
import { openaiChat } from "./openai-chat.ts";
import { openaiCompletions, openaiModerations } from "./openai-completions.ts";
import { openaiEmbeddings, openaiModels } from "./openai-embeddings.ts";
import { openaiImages } from "./openai-images.ts";
import { openaiKept, openaiResponsesTools } from "./openai-kept.ts";
import { openaiResponses } from "./openai-responses.ts";
import { openaiStyle } from "./openai-style.ts";
import { Sender, sendStream, sendWhole } from "./send.ts";
import { type Arrival, type ErrorReply, type ErrorStyle, JSON_TYPE, type Opened, type Surface } from "./surface.ts";
import { parsed } from "./values.ts";
import { vertexModels } from "./vertex.ts";

/** First match wins: the surfaces that share a tail with another one stand before it. */
const SURFACES: readonly Surface[] = [
  openaiChat,
  openaiResponses,
  openaiResponsesTools,
  openaiKept,
  openaiCompletions,
  openaiModerations,
  openaiImages,
  openaiSpeech,
  openaiTranscripts,
  anthropicMessages,
  anthropicCountTokens,
  geminiModels,
  cohereChat,
  cohereInputs,
  bedrockModels,
  vertexModels,
  openaiEmbeddings,
  geminiList,
  anthropicModels,
  openaiModels,
];

export interface SimulatorOptions {
  /** 0, the default, takes any free port. */
  readonly port?: number;
  readonly host?: string;
  /** Changes every answer's words and ids; default 0. */
  readonly seed?: number;
  /** The one credential that is right. Without it any credential, or none, will do. */
  readonly requireKey?: string;
  /** How many requests are remembered; default 1000. Their bodies may take 64 MiB in all. */
  readonly requestsKept?: number;
}

/** One request as it arrived, and how its answer went. Grows until `endedAt` is set. */
export interface SimulatedRequest {
  readonly method: string;
  /** With the query, as it came. */
  readonly path: string;
  readonly headers: Readonly<IncomingMessage["headers"]>;
  readonly body: Buffer;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  readonly status: number | undefined;
  /** Bytes of the answer's body that were handed to the socket. */
  readonly bytesSent: number;
  /** Streamed tokens that were handed to the socket. */
  readonly tokensSent: number;
  /** The other side closed before the answer was whole. */
  readonly closedEarly: boolean;
  /** We broke the answer off, as a fault asked. */
  readonly brokenOff: boolean;
  readonly endedAt: number | undefined;
}

/** A whole answer of a test's own. */
export interface Takeover {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly chunks: readonly (Uint8Array | string)[];
  readonly chunkDelayMs?: number;
  /** Destroy the socket after the last chunk instead of ending the answer. */
  readonly thenDestroy?: boolean;
}
export type TakeoverHook = (request: SimulatedRequest) => Takeover | undefined;

export interface Simulator {
  readonly url: string;
  readonly port: number;
  /** The latest requests, oldest first. */
  readonly requests: readonly SimulatedRequest[];
  /** The hook sees each request before anything else; `undefined` from it leaves the request to the simulator. */
  respondWith(hook: TakeoverHook | undefined): void;
  close(): Promise<void>;
}

const BODY_BYTES_MAX = 64 * 1024 * 1024;
const KEPT_BYTES_MAX = 64 * 1024 * 1024;

type Entry = { -readonly [K in keyof SimulatedRequest]: SimulatedRequest[K] };

/** The latest requests, bounded by number and by bytes. */
class Ring {
  readonly entries: Entry[] = [];
  readonly #max: number;
  #bytes = 0;

  constructor(max: number) {
    this.#max = max;
  }

  add(entry: Entry): void {
    this.entries.push(entry);
    this.#bytes += entry.body.length;
    while (this.entries.length > this.#max || (this.#bytes > KEPT_BYTES_MAX && this.entries.length > 1)) {
      this.#bytes -= this.entries.shift()?.body.length ?? 0;
    }
  }
}

/** Reads the body; `undefined` when it is too large or the connection broke. */
async function readBody(request: IncomingMessage): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let length = 0;
    request.on("data", (chunk: Buffer) => {
      length += chunk.length;
      if (length > BODY_BYTES_MAX) {
        request.destroy();
        resolve(undefined);
      } else chunks.push(chunk);
    });
    request.on("end", () => resolve(chunks.length === 1 ? chunks[0] : Buffer.concat(chunks)));
    request.on("error", () => resolve(undefined));
    request.on("close", () => resolve(undefined));
  });
}

/** Whose words an unknown path is answered in. */
function styleOf(arrival: Arrival): ErrorStyle {
  if (arrival.headers["anthropic-version"] !== undefined) return anthropicStyle;
  return arrival.headers["x-goog-api-key"] !== undefined || /\/v1(?:beta|alpha)1?\//.test(arrival.path) ? geminiStyle : openaiStyle;
}

function sendError(
  sender: Sender,
  style: ErrorStyle,
  number: number,
  { status, body, headers }: ErrorReply,
  extra: Record<string, string> = {},
): void {
  sender.head(status, {
    "content-type": JSON_TYPE,
    ...style.headers(number),
    ...headers,
    ...extra,
    "content-length": Buffer.byteLength(body),
  });
  sender.end(body);
}

/** Answers with what the directives ask for instead of an answer. False: the answer itself may go on. */
async function sendFault(sender: Sender, style: ErrorStyle, number: number, opened: Opened, faults: Faults): Promise<boolean> {
  if (faults.hang === true) return true;
  if (faults.delayMs !== undefined) await sender.wait(faults.delayMs);
  if (sender.closed) return true;
  if (faults.status !== undefined && faults.status >= 400) {
    const extra = faults.retryAfterS === undefined ? {} : { "retry-after": String(faults.retryAfterS) };
    sendError(sender, style, number, style.fault(faults.status), extra);
    return true;
  }
  const body =
    faults.garbage === true ? "<html><body>Simulated proxy page: this is not JSON</body></html>" : faults.empty === true ? "" : undefined;
  if (body === undefined) return false;
  await sendWhole(sender, { status: 200, headers: { "content-type": opened.contentType, ...style.headers(number) }, body, faults });
  return true;
}

class Running {
  readonly #options: SimulatorOptions;
  readonly #ring: Ring;
  readonly #attempts = new Attempts();
  #count = 0;
  hook: TakeoverHook | undefined;

  constructor(options: SimulatorOptions) {
    this.#options = options;
    this.#ring = new Ring(Math.max(1, options.requestsKept ?? 1000));
  }

  get requests(): readonly SimulatedRequest[] {
    return this.#ring.entries;
  }

  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const startedAt = Date.now();
    const body = await readBody(request);
    if (body === undefined) return;
    const entry: Entry = {
      method: request.method ?? "",
      path: request.url ?? "",
      headers: request.headers,
      body,
      startedAt,
      status: undefined,
      bytesSent: 0,
      tokensSent: 0,
      closedEarly: false,
      brokenOff: false,
      endedAt: undefined,
    };
    this.#count += 1;
    this.#ring.add(entry);
    const sender = new Sender(response, entry);
    response.on("close", () => {
      entry.endedAt = Date.now();
      entry.brokenOff = sender.brokenOff;
      entry.closedEarly = !response.writableFinished && !sender.brokenOff;
    });
    await this.#answer(entry, sender, this.#count);
  }

  async #answer(entry: Entry, sender: Sender, number: number): Promise<void> {
    const takeover = this.hook?.(entry);
    if (takeover !== undefined) return sendTakeover(sender, takeover);
    const at = entry.path.indexOf("?");
    const arrival: Arrival = {
      method: entry.method,
      path: at < 0 ? entry.path : entry.path.slice(0, at),
      query: new URLSearchParams(at < 0 ? "" : entry.path.slice(at)),
      headers: entry.headers,
    };
    const surface = SURFACES.find((candidate) => candidate.match(arrival));
    const style = surface?.style ?? styleOf(arrival);
    const refusal = this.#options.requireKey === undefined ? undefined : style.checkKey(arrival, this.#options.requireKey);
    if (refusal !== undefined) return sendError(sender, style, number, refusal);
    if (surface === undefined) return sendError(sender, style, number, style.notFound(arrival));
    const text = entry.body.toString("utf8");
    const opened = surface.open(entry.method === "GET" ? undefined : parsed(text)?.value, arrival, entry.body);
    if (typeof opened === "string") return sendError(sender, style, number, style.badRequest(opened));
    const faults = readFaults(opened.ask.texts, text, this.#attempts);
    if (await sendFault(sender, style, number, opened, faults)) return;
    await sendAnswer(sender, style.headers(number), opened, faults, this.#options.seed ?? 0);
  }
}

async function sendAnswer(sender: Sender, common: Record<string, string>, opened: Opened, faults: Faults, seed: number): Promise<void> {
  const answer = answerOf(opened.ask, faults, seed);
  const headers = { "content-type": opened.contentType, ...common, ...opened.headers?.(answer) };
  const reply = opened.ask.streaming ? opened.stream?.(answer, faults) : undefined;
  if (reply !== undefined) return sendStream(sender, { headers, pieces: reply.pieces, fail: () => reply.fail(), faults });
  await sendWhole(sender, { status: 200, headers, body: opened.unary(answer, faults), faults });
}

async function sendTakeover(sender: Sender, takeover: Takeover): Promise<void> {
  sender.head(takeover.status, { ...takeover.headers });
  sender.flush();
  for (const [index, chunk] of takeover.chunks.entries()) {
    if (index > 0 && takeover.chunkDelayMs !== undefined) await sender.wait(takeover.chunkDelayMs);
    if (sender.closed) return;
    await sender.write(chunk);
    await sender.turn();
  }
  if (takeover.thenDestroy === true) await sender.destroy();
  else sender.end();
}

/** Starts a provider that speaks every dialect. README.md says what it answers and which faults it can be asked for. */
export async function startSimulator(options: SimulatorOptions = {}): Promise<Simulator> {
  const running = new Running(options);
  const server = createServer({ keepAlive: true, noDelay: true, requestTimeout: 0, headersTimeout: 0 }, (request, response) => {
    response.on("error", () => response.destroy());
    // Nothing in `handle` throws on input; whatever does is a mistake here, and the caller sees a broken connection.
    running.handle(request, response).catch(() => response.destroy());
  });
  // A server that closes idle connections races with a proxy that reuses them; providers' edges keep them for minutes.
  server.keepAliveTimeout = 0;
  const host = options.host ?? "127.0.0.1";
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port ?? 0, host, () => {
      server.off("error", reject);
      resolve();
    });
  });
  const address: AddressInfo | string | null = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return {
    url: `http://${host.includes(":") ? `[${host}]` : host}:${port}`,
    port,
    get requests() {
      return running.requests;
    },
    respondWith(hook) {
      running.hook = hook;
    },
    async close() {
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
    },
  };
}
