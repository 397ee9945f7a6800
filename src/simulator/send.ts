import type { ServerResponse } from "node:http";
import { constants, createGzip, type Gzip, gzipSync } from "node:zlib";
import type { Piece } from "./answer.ts";
import type { Faults } from "./faults.ts";

/** What was sent of one answer, as it grows. */
export interface Progress {
  status: number | undefined;
  bytesSent: number;
  tokensSent: number;
}

/** One answer on its way: counts what was handed to the socket, and waits in a way that a closed connection ends at once. */
export class Sender {
  readonly #response: ServerResponse;
  readonly #progress: Progress;
  #closed = false;
  #brokenOff = false;
  #wake: (() => void) | undefined;

  constructor(response: ServerResponse, progress: Progress) {
    this.#response = response;
    this.#progress = progress;
    response.on("close", () => {
      this.#closed = true;
      this.#wake?.();
    });
    response.on("drain", () => this.#wake?.());
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** We broke off ourselves; the other side did not leave. */
  get brokenOff(): boolean {
    return this.#brokenOff;
  }

  head(status: number, headers: Record<string, string | number>): void {
    this.#progress.status = status;
    this.#response.writeHead(status, headers);
  }

  /** Sends the headers now, before the first byte of the body. */
  flush(): void {
    this.#response.flushHeaders();
  }

  /** Waits; less when the connection closes. */
  async wait(ms: number): Promise<void> {
    if (this.#closed) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        // A drain of the socket is no reason to hurry; only the end is.
        if (!this.#closed) return;
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wake = undefined;
  }

  /** Lets the event loop turn once, so that each piece leaves on its own and a closed connection is noticed. */
  async turn(): Promise<void> {
    await new Promise<void>((resolve) => setImmediate(resolve));
  }

  /** Writes; waits while the reader is slow. Bytes count when they are handed over. */
  async write(data: string | Uint8Array): Promise<void> {
    if (this.#closed) return;
    this.#progress.bytesSent += Buffer.byteLength(data);
    if (this.#response.write(data)) return;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    this.#wake = undefined;
  }

  end(data?: string | Uint8Array): void {
    if (this.#closed) return;
    if (data === undefined) {
      this.#response.end();
      return;
    }
    this.#progress.bytesSent += Buffer.byteLength(data);
    this.#response.end(data);
  }

  countTokens(tokens: number): void {
    this.#progress.tokensSent += tokens;
  }

  /** Breaks the connection off, once everything written has left this process. */
  async destroy(): Promise<void> {
    if (this.#closed) return;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      this.#response.write("", () => resolve());
    });
    this.#wake = undefined;
    this.#brokenOff = !this.#closed;
    this.#response.destroy();
  }
}

export interface UnaryOptions {
  readonly status: number;
  readonly headers: Record<string, string | number>;
  readonly body: string | Uint8Array;
  readonly faults: Faults;
}

/** Sends a whole answer; `cut` breaks off after half of its bytes. */
export async function sendWhole(sender: Sender, { status, headers, body, faults }: UnaryOptions): Promise<void> {
  const zipped = faults.gzip === true;
  const bytes = zipped ? gzipSync(body) : body;
  const length = Buffer.byteLength(bytes);
  sender.head(status, { ...headers, "content-length": length, ...(zipped ? { "content-encoding": "gzip" } : {}) });
  if (faults.cutAtToken === undefined) {
    sender.end(bytes);
    return;
  }
  await sender.write(Buffer.from(bytes).subarray(0, Math.floor(length / 2)));
  await sender.destroy();
}

/** Compresses piece by piece: what was put in comes out at once, so that gzip does not hold tokens back. */
class PieceZip {
  readonly #zip: Gzip = createGzip({ flush: constants.Z_SYNC_FLUSH });
  #out: Buffer[] = [];

  constructor() {
    this.#zip.on("data", (data: Buffer) => this.#out.push(data));
  }

  #take(): Buffer {
    const bytes = Buffer.concat(this.#out);
    this.#out = [];
    return bytes;
  }

  async push(text: string | Uint8Array): Promise<Buffer> {
    await new Promise<void>((resolve) => this.#zip.write(text, () => resolve()));
    return this.#take();
  }

  async end(): Promise<Buffer> {
    await new Promise<void>((resolve) => {
      this.#zip.on("end", resolve);
      this.#zip.end();
    });
    return this.#take();
  }
}

export interface StreamOptions {
  readonly headers: Record<string, string | number>;
  readonly pieces: Iterable<Piece>;
  readonly fail: () => string | Uint8Array;
  readonly faults: Faults;
}

/** Sends a streamed answer piece by piece, with the faults that its prompt asked for. */
export async function sendStream(sender: Sender, { headers, pieces, fail, faults }: StreamOptions): Promise<void> {
  const zip = faults.gzip === true ? new PieceZip() : undefined;
  sender.head(200, zip === undefined ? headers : { ...headers, "content-encoding": "gzip" });
  sender.flush();
  const write = async (text: string | Uint8Array): Promise<void> => sender.write(zip === undefined ? text : await zip.push(text));
  let sent = 0;
  for (const piece of pieces) {
    if (piece.tokens > 0) {
      if (sent === 0 && faults.firstTokenMs !== undefined) await sender.wait(faults.firstTokenMs);
      else if (faults.tokenDelayMs !== undefined) await sender.wait(faults.tokenDelayMs);
    }
    if (sender.closed) return;
    if (faults.errorAtToken !== undefined && sent >= faults.errorAtToken) {
      await write(fail());
      break;
    }
    await write(piece.text);
    sent += piece.tokens;
    sender.countTokens(piece.tokens);
    if (faults.cutAtToken !== undefined && sent >= faults.cutAtToken) {
      await sender.destroy();
      return;
    }
    await sender.turn();
  }
  sender.end(zip === undefined ? undefined : await zip.end());
}
