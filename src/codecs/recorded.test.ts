/**
 * Recorded traffic of the providers whose surfaces have no test of their own for it: every recorded request is read, an empty plan changes
 * no byte of it, the recorded answer comes out as it went in for random cuts, and the usage is the recorded one.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { bytesOf, cutAt, readPieces } from "../../test/support/codec-runs.ts";
import { property } from "../../test/support/property.ts";
import { type Recorded, recordedExchanges } from "../../test/support/recorded-exchanges.ts";
import type { AnswerReader } from "../core/codec.ts";
import { field, type Json, parseJson } from "../core/json.ts";
import type { Usage } from "../core/usage.ts";
import { findCodec } from "./index.ts";

const PROVIDERS = ["cohere", "gemini", "bedrock", "vertex"];
/** Recorded, but of APIs that no surface here serves. */
const NOT_SERVED = [/^\/retrieveAndGenerate$/, /^\/(?:openai\/)?v1\/responses$/];

const recorded = recordedExchanges(/^/);
for (const provider of PROVIDERS) {
  describe(`recorded traffic of ${provider}`, {
    skip: recorded === undefined ? "no recordings here; SLUICE_FIXTURES names their folder" : false,
  }, () => {
    const exchanges = (recorded ?? []).filter((exchange) => exchange.provider === provider);
    test("there is some", () => assert(exchanges.length > 0));
    for (const exchange of exchanges) {
      // Some recordings have lost their request.
      if (NOT_SERVED.some((path) => path.test(exchange.path)) || exchange.requestBody === "") continue;
      let open: (() => AnswerReader) | undefined;
      property(
        exchange.id,
        fc.array(fc.nat(exchange.responseBytes.length), { maxLength: 30 }),
        (cuts) => {
          open ??= opened(exchange);
          const reader = open();
          const frames = readPieces(reader, cutAt(exchange.responseBytes, cuts));
          assert(bytesOf(frames).equals(exchange.responseBytes), "the answer's bytes");
          assertUsage(exchange, reader.usage());
          const summary = reader.summary();
          assert.deepEqual([summary.complete, summary.invalidEvents, summary.unknownEvents], [true, 0, 0]);
          assert.equal(summary.error === undefined, exchange.status < 400);
        },
        8,
      );
    }
  });
}

/** The answer's reader, after its request was read as the gateway reads it. */
function opened(exchange: Recorded): () => AnswerReader {
  const target = { method: "POST", path: exchange.path, query: new URLSearchParams(exchange.query) };
  const found = findCodec(target, { get: () => undefined });
  assert(found !== undefined, `no surface for ${exchange.path}`);
  const { codec, facts } = found;
  const doc = parseJson(Buffer.from(exchange.requestBody));
  assert(doc.ok, "the request is JSON");
  const view = codec.readRequest?.(doc.value, facts);
  assert(view?.ok === true, JSON.stringify(view));
  const request = { doc: doc.value, facts, view: view.value };
  const model = view.value.model;
  assert(model !== undefined && model !== "", "the model is known");
  assert([...view.value.texts()].length > 0 || /"(?:data|bytes)":/.test(exchange.requestBody), "there is text to inspect");
  const change = { dropContractFields: true, reportUsage: true, model };
  assert.deepEqual(codec.editRequest?.(request, change), [], "nothing is to change");
  return () => {
    const reader = codec.openAnswer?.({
      view: view.value,
      usageForced: false,
      status: exchange.status,
      contentType: exchange.contentType,
      headers: { get: (name) => exchange.responseHeaders.get(name) },
    });
    assert(reader !== undefined);
    return reader;
  };
}

/** Recordings keep the provider's own convention (their README): what we add up is added up here. */
function assertUsage({ usage, status }: Recorded, seen: Usage | undefined): void {
  const figure = (key: string): number | undefined => {
    const value = field(usage, key);
    return typeof value === "number" ? value : undefined;
  };
  const sum = (...figures: (number | undefined)[]): number | undefined => {
    const known = figures.filter((value) => value !== undefined);
    return known.length === 0 ? undefined : known.reduce((all, value) => all + value, 0);
  };
  const dialect = String(field(usage, "dialect"));
  if (usage === null || field(usage, "raw") === undefined) {
    if (status >= 400) assert.equal(seen, undefined);
    return;
  }
  assert(seen !== undefined, "usage was read");
  const cacheBeside = /^(?:anthropic|bedrock)$/.test(dialect);
  const isGemini = dialect.startsWith("gemini");
  const [cached, written] = [figure("cached"), figure("cache_write")];
  const input = cacheBeside
    ? sum(figure("input"), cached, written)
    : isGemini
      ? sum(figure("input"), figure("tool_input"))
      : figure("input");
  const output = isGemini ? sum(figure("output"), figure("reasoning")) : figure("output");
  const writes = sum(seen.cacheWriteTokens, seen.cacheWrite1hTokens);
  assert.deepEqual([seen.inputTokens, seen.outputTokens], [input, output]);
  assert.deepEqual([seen.cachedInputTokens, writes], [cached, written]);
  // A figure that the recording's reader did not know may still be there.
  if (figure("reasoning") !== undefined) assert.equal(seen.reasoningTokens, figure("reasoning"));
  for (const [path, value] of figures(field(usage, "raw") ?? null)) assert.equal(seen.reported[path], value, `reported.${path}`);
}

function* figures(value: Json, path = ""): Generator<readonly [string, number]> {
  if (typeof value === "number") yield [path, value];
  if (typeof value !== "object" || value === null) return;
  for (const [key, inner] of Object.entries(value)) yield* figures(inner, path === "" ? key : `${path}.${key}`);
}
