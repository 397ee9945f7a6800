/**
 * Nothing that a guard puts out may leave, whatever the bytes of the answer are cut into: recorded answers of every provider, where they
 * are there, and our own fixtures; a stretch of their text is the secret. `make fuzz` makes more than a million cuts.
 */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import fc from "fast-check";
import { findCodec } from "../../src/codecs/index.ts";
import type { AnswerContext, Codec } from "../../src/core/codec.ts";
import { parseJson } from "../../src/core/json.ts";
import { LaneText } from "../../src/core/lane-text.ts";
import type { Delta } from "../../src/core/view.ts";
import { Gate } from "../../src/pipeline/guards/gate.ts";
import { fixture } from "../support/codec-runs.ts";
import { view } from "../support/context.ts";
import { REFUSE, seat, wordGuard } from "../support/guards.ts";
import { property } from "../support/property.ts";
import { type Recorded, recordedExchanges } from "../support/recorded-exchanges.ts";

interface Answer {
  readonly name: string;
  readonly codec: Codec;
  readonly context: AnswerContext;
  readonly bytes: Buffer;
}

const OWN: readonly (readonly [file: string, path: string, type: string])[] = [
  ["openai-chat.sse", "/v1/chat/completions", "text/event-stream"],
  ["openai-chat-tools.sse", "/v1/chat/completions", "text/event-stream"],
  ["openai-chat.json", "/v1/chat/completions", "application/json"],
  ["openai.responses/stream.sse", "/v1/responses", "text/event-stream"],
  ["openai.responses/body.json", "/v1/responses", "application/json"],
  ["anthropic.messages/stream.sse", "/v1/messages", "text/event-stream"],
  ["anthropic.messages/body.json", "/v1/messages", "application/json"],
  ["gemini.stream/stream.sse", "/v1beta/models/m:streamGenerateContent", "text/event-stream"],
  ["gemini.stream/stream.json", "/v1beta/models/m:streamGenerateContent", "application/json"],
  ["gemini.generate/body.json", "/v1beta/models/m:generateContent", "application/json"],
  ["cohere/chat-v2.sse", "/v2/chat", "text/event-stream"],
  ["cohere/chat-v2.json", "/v2/chat", "application/json"],
];

const own = OWN.map(([file, path, type]): Answer => {
  const streaming = type === "text/event-stream" || file === "gemini.stream/stream.json";
  const query = new URLSearchParams(type === "text/event-stream" ? "alt=sse" : "");
  const found = findCodec({ method: "POST", path, query }, { get: () => undefined });
  assert.ok(found !== undefined, path);
  const framing = type === "text/event-stream" ? "sse" : streaming ? "json-array" : "json";
  const context = { view: view({ streaming, framing }), usageForced: false, status: 200, contentType: type, guarded: true as const };
  return { name: file, codec: found.codec, context, bytes: fixture(file) };
});

function recorded(exchange: Recorded): Answer | undefined {
  const target = { method: "POST", path: exchange.path, query: new URLSearchParams(exchange.query) };
  const found = findCodec(target, { get: () => undefined });
  if (found?.codec.openAnswer === undefined || exchange.requestBody === "" || exchange.status >= 400) return undefined;
  const doc = parseJson(Buffer.from(exchange.requestBody));
  const read = doc.ok ? found.codec.readRequest?.(doc.value, found.facts) : undefined;
  if (read?.ok !== true) return undefined;
  const { status, contentType, responseBytes: bytes } = exchange;
  const headers = { get: (name: string) => exchange.responseHeaders.get(name) };
  return {
    name: exchange.id,
    codec: found.codec,
    context: { view: read.value, usageForced: false, status, contentType, headers, guarded: true },
    bytes,
  };
}

/** What guards see of each lane, and of each text that is whole by itself. */
function shownTexts({ codec, context }: Answer, bytes: Uint8Array): readonly string[] {
  const reader = codec.openAnswer?.(context);
  const lanes = new Map<string, { readonly lane: LaneText; text: string }>();
  const deltas = [...(reader?.push(bytes) ?? []), ...(reader?.end() ?? [])].flatMap((frame) => frame.deltas);
  for (const [index, delta] of deltas.entries()) {
    const key = `${delta.choice}/${delta.block}/${delta.channel}${delta.repeats === true ? `/${index}` : ""}`;
    let entry = lanes.get(key);
    if (entry === undefined) {
      entry = { lane: new LaneText(kindOf(delta)), text: "" };
      lanes.set(key, entry);
    }
    entry.text += entry.lane.push(delta.text);
  }
  return [...lanes.values()].map(({ lane, text }) => text + lane.end());
}
const kindOf = ({ channel }: Delta): "arguments" | "content" | "plain" =>
  channel === "tool_arguments" ? "arguments" : channel === "content" ? "content" : "plain";

const ANSWERS = [...own, ...(recordedExchanges(/^/) ?? []).flatMap((exchange) => recorded(exchange) ?? [])]
  .filter(({ bytes }) => bytes.length <= 60_000)
  .map((answer) => ({
    ...answer,
    stretches: shownTexts(answer, answer.bytes).flatMap((text) => text.match(/[\p{L}\p{N}][\p{L}\p{N} ,.@_-]{2,22}[\p{L}\p{N}]/gu) ?? []),
  }))
  .filter(({ stretches }) => stretches.length > 0);

let cuts = 0;
after(() => process.stdout.write(`leaks: ${cuts} cuts of ${ANSWERS.length} answers, none leaked\n`));

/** What leaves of the answer, cut at these places. */
function leaves(
  answer: Answer,
  secret: string,
  ends: boolean,
  places: readonly number[],
): { readonly out: Buffer; readonly stop: unknown } {
  const reader = answer.codec.openAnswer?.(answer.context);
  const gate = new Gate([seat("rule", wordGuard(secret, "\u2603", ends ? { stop: REFUSE } : {}))], Number.POSITIVE_INFINITY);
  const bytes: Uint8Array[] = [];
  let stop: unknown;
  const take = (passed: ReturnType<Gate["push"]>): void => {
    bytes.push(...passed.bytes);
    stop ??= passed.stop;
    if (passed.more) take(gate.resume());
  };
  for (const [index, end] of [...places, answer.bytes.length].entries())
    take(gate.push(reader?.push(answer.bytes.subarray(places[index - 1] ?? 0, end)) ?? []));
  take(gate.end(reader?.end() ?? []));
  return { out: Buffer.concat(bytes), stop };
}

test("there are answers of every dialect", () => {
  assert.deepEqual(
    ["openai", "anthropic", "gemini", "cohere"].filter((dialect) => !ANSWERS.some(({ codec }) => codec.dialect === dialect)),
    [],
  );
});

property(
  "I8: what leaves is that of the whole body, and the secret is not in it",
  fc.tuple(fc.nat(), fc.nat(), fc.array(fc.nat(), { minLength: 40, maxLength: 80 }), fc.boolean()),
  ([which, what, places, ends]) => check(which, what, places, ends),
  700,
);

function check(which: number, what: number, places: readonly number[], ends: boolean): void {
  const answer = ANSWERS[which % ANSWERS.length];
  const secret = answer?.stretches[what % answer.stretches.length];
  assert.ok(answer !== undefined && secret !== undefined);
  const sorted = [...new Set(places.map((place) => place % answer.bytes.length))].sort((a, b) => a - b);
  cuts += sorted.length;
  const whole = leaves(answer, secret, ends, []);
  const cut = leaves(answer, secret, ends, sorted);
  assert.deepEqual(cut.stop, whole.stop, answer.name);
  assert.ok(cut.out.equals(whole.out), `${answer.name}: ${JSON.stringify(secret)} cut at ${sorted.join(", ")}`);
  for (const text of shownTexts(answer, cut.out)) assert.ok(!text.includes(secret), `${answer.name}: ${JSON.stringify(secret)} leaked`);
}
