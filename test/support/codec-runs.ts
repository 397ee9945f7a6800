import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import path from "node:path";
import type { AnswerReader, Codec, Frame, ParsedRequest, RequestChange } from "../../src/core/codec.ts";
import { applyEdits, parseJson } from "../../src/core/json.ts";
import type { Delta, RequestView } from "../../src/core/view.ts";

/** Bytes of a fixture of our own, by its path below test/fixtures. */
export function fixture(name: string): Buffer {
  return readFileSync(path.join(import.meta.dirname, "../fixtures", name));
}

/** A request as its codec reads it; fails the test when it does not. */
export function readRequest(codec: Codec, body: string): ParsedRequest {
  const doc = parseJson(Buffer.from(body));
  assert(doc.ok, "the request is JSON");
  const view = codec.readRequest?.(doc.value, {});
  assert(view?.ok === true, view === undefined ? "no reader" : JSON.stringify(view));
  return { doc: doc.value, facts: {}, view: view.value };
}

/** The body after the changes. */
export function edited(codec: Codec, body: string, change: RequestChange): string {
  const request = readRequest(codec, body);
  return applyEdits(request.doc, codec.editRequest?.(request, change) ?? []);
}

/** A request's texts as `place: text`. */
export function textsOf(view: RequestView): readonly string[] {
  return [...view.texts()].map(({ place, node, holds }) => `${place}${holds === undefined ? "" : `(${holds})`}: ${node.value}`);
}

export function openAnswer(
  codec: Codec,
  view: RequestView,
  answer: { readonly status?: number; readonly contentType?: string; readonly guarded?: true } = {},
): AnswerReader {
  const reader = codec.openAnswer?.({
    view,
    usageForced: false,
    status: answer.status ?? 200,
    ...(answer.guarded === undefined ? {} : { guarded: answer.guarded }),
    contentType: answer.contentType ?? (view.streaming ? "text/event-stream; charset=utf-8" : "application/json"),
  });
  assert(reader !== undefined);
  return reader;
}

/** Everything a reader gives for bytes that come in these pieces. */
export function readPieces(reader: AnswerReader, pieces: readonly Uint8Array[]): readonly Frame[] {
  return [...pieces.flatMap((piece) => reader.push(piece)), ...reader.end()];
}

/** The bytes, cut at these places. */
export function cutAt(bytes: Uint8Array, places: readonly number[]): readonly Uint8Array[] {
  const sorted = [...places].sort((a, b) => a - b);
  return [...sorted, bytes.length].map((end, index) => bytes.subarray(sorted[index - 1] ?? 0, end));
}

export function bytesOf(frames: readonly Frame[]): Buffer {
  return Buffer.concat(frames.map(({ bytes }) => bytes));
}

/** All text of an answer by `block/channel`. */
export function joined(deltas: readonly Delta[]): Readonly<Record<string, string>> {
  const texts: Record<string, string> = {};
  for (const { block, channel, text } of deltas) texts[`${block}/${channel}`] = (texts[`${block}/${channel}`] ?? "") + text;
  return texts;
}

/** Serves these bytes to every request, as an event stream unless said otherwise, for the official SDKs to read. */
export async function serving<T>(
  bytes: Uint8Array,
  use: (baseUrl: string) => Promise<T>,
  contentType = "text/event-stream; charset=utf-8",
): Promise<T> {
  const server = createServer((request, response) => {
    request.resume();
    response.writeHead(200, { "content-type": contentType });
    response.end(bytes);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  assert(address !== null && typeof address === "object");
  try {
    return await use(`http://127.0.0.1:${address.port}`);
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}
