import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import type { AnswerContext, AnswerReader, Codec, Frame, ParsedRequest, RequestChange } from "../../src/core/codec.ts";
import { applyEdits, type Json, parseJson, parseJsonValue } from "../../src/core/json.ts";
import type { Usage } from "../../src/core/usage.ts";
import type { AnswerSummary, RequestView } from "../../src/core/view.ts";

const ROOT = resolve(import.meta.dirname, "../..");
export const fixture = (name: string): Buffer => readFileSync(resolve(ROOT, "test/fixtures", name));

/** One recorded HTTP exchange, as the folder's own README describes it. */
export interface Exchange {
  readonly id: string;
  readonly provider: string;
  readonly method: string;
  readonly path: string;
  readonly request_body: string | null;
  readonly status: number;
  readonly response_headers: Readonly<Record<string, string>>;
  readonly response_body: string;
  readonly shape: string;
  readonly streaming: boolean;
  readonly usage: RecordedUsage | null;
}
/** null: not reported. */
export interface RecordedUsage {
  readonly input: number | null;
  readonly output: number | null;
  readonly cached: number | null;
  readonly cache_write: number | null;
  readonly reasoning: number | null;
}

const folder = resolve(ROOT, process.env["SLUICE_FIXTURES"] ?? "../shared/fixtures", "exchanges");
/** Reason to skip tests on recorded traffic; undefined where it is present. */
export const NO_RECORDINGS: string | undefined = existsSync(folder) ? undefined : "no recorded traffic (set SLUICE_FIXTURES)";

/** Recorded exchanges whose path ends so, of any provider. */
export function recordings(pathEnd: string): readonly Exchange[] {
  if (NO_RECORDINGS !== undefined) return [];
  const providers = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  const files = providers.flatMap(({ name }) => readdirSync(resolve(folder, name)).map((file) => resolve(folder, name, file)));
  const all: readonly Exchange[] = files.map((file) => JSON.parse(readFileSync(file, "utf8")));
  return all.filter((exchange) => exchange.path.endsWith(pathEnd));
}

/** A request as its codec reads it; fails the test when it does not. */
export function parseRequest(codec: Codec, body: string | Json): ParsedRequest {
  const doc = parseJson(Buffer.from(typeof body === "string" ? body : JSON.stringify(body)));
  assert(doc.ok, "the request is JSON");
  const view = codec.readRequest?.(doc.value, {});
  assert(view?.ok, `the request is readable: ${JSON.stringify(view)}`);
  return { doc: doc.value, facts: {}, view: view.value };
}

/** Where reading a request fails. */
export function problemOf(codec: Codec, body: Json): string | undefined {
  const doc = parseJson(Buffer.from(JSON.stringify(body)));
  assert(doc.ok);
  const view = codec.readRequest?.(doc.value, {});
  return view === undefined || view.ok ? undefined : view.error.where;
}

/** The body after a change, as text. */
export function changed(codec: Codec, body: string | Json, change: RequestChange): string {
  const request = parseRequest(codec, body);
  return applyEdits(request.doc, codec.editRequest?.(request, change) ?? []);
}

export interface Read {
  /** What the caller gets. */
  readonly bytes: Buffer;
  /** Text by `choice.block.channel`, in the order of their first pieces. */
  readonly texts: Readonly<Record<string, string>>;
  readonly usage: Usage | undefined;
  readonly summary: AnswerSummary;
}

/** Reads a whole answer, cut at the given places. */
export function readAnswer(codec: Codec, context: AnswerContext, bytes: Uint8Array, cuts: Iterable<number> = []): Read {
  const reader = codec.openAnswer?.(context);
  assert(reader !== undefined);
  const frames: Frame[] = [];
  let from = 0;
  for (const cut of cuts) {
    // A copy, so that a reader that keeps what it was lent is found out.
    const piece = bytes.slice(from, cut);
    frames.push(...reader.push(piece));
    from = cut;
  }
  frames.push(...reader.push(bytes.slice(from)), ...reader.end());
  return collect(reader, frames);
}

export function collect(reader: AnswerReader, frames: readonly Frame[]): Read {
  const texts: Record<string, string> = {};
  for (const { choice, block, channel, text } of frames.flatMap((frame) => frame.deltas)) {
    const key = `${choice}.${block}.${channel}`;
    texts[key] = (texts[key] ?? "") + text;
  }
  return { bytes: Buffer.concat(frames.map((frame) => frame.bytes)), texts, usage: reader.usage(), summary: reader.summary() };
}

/** Every place where an answer can be cut. */
export const everyByte = (bytes: Uint8Array): number[] => Array.from({ length: Math.max(0, bytes.length - 1) }, (_, index) => index + 1);

/** The JSON of every `data` line but `[DONE]`. */
export function dataOf(sse: string): Json[] {
  const lines = sse.split(/\r\n|\n/).filter((line) => line.startsWith("data: ") && line !== "data: [DONE]");
  return lines.map((line) => parseJsonValue(line.slice(6)) ?? null);
}

export const answerContext = (view: RequestView, more: Partial<AnswerContext> = {}): AnswerContext => ({
  view,
  usageForced: false,
  status: 200,
  contentType: view.streaming ? "text/event-stream" : "application/json",
  ...more,
});

/** Is this what the recording says, counted in the way of the dialect? */
export function assertUsage(found: Usage | undefined, recorded: RecordedUsage | null, what: string): void {
  const figures = (usage: Usage | undefined) => ({
    input: usage?.inputTokens ?? null,
    output: usage?.outputTokens ?? null,
    cached: usage?.cachedInputTokens ?? null,
    cache_write: usage?.cacheWriteTokens ?? null,
    reasoning: usage?.reasoningTokens ?? null,
  });
  const { input, output, cached, cache_write, reasoning } = recorded ?? {
    input: null,
    output: null,
    cached: null,
    cache_write: null,
    reasoning: null,
  };
  assert.deepStrictEqual(figures(found), { input, output, cached, cache_write, reasoning }, what);
}
