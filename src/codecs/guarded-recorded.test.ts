/** Recorded traffic, read for guards: the same bytes for random cuts, other texts that are read again, and lanes that all end. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  checkAlike,
  checkCalls,
  checkEnds,
  checkIdentity,
  checkRemoval,
  checkRewrite,
  checkSameTexts,
  type GuardedCase,
} from "../../test/support/guarded.ts";
import { type Recorded, recordedExchanges } from "../../test/support/recorded-exchanges.ts";
import { parseJson } from "../core/json.ts";
import { findCodec } from "./index.ts";

const recorded = recordedExchanges(/^/);

describe("guarded recorded traffic", {
  skip: recorded === undefined ? "no recordings here; SLUICE_FIXTURES names their folder" : false,
}, () => {
  const cases = (recorded ?? []).flatMap((exchange) => caseOf(exchange) ?? []);
  test("there is much of it", () => assert(cases.length > 190));
  for (const one of cases) {
    test(one.name, () => {
      checkIdentity(one, []);
      for (let run = 0; run < 3; run++)
        checkIdentity(
          one,
          Array.from({ length: 12 }, () => Math.floor(Math.random() * one.bytes.length)),
        );
      checkRewrite(one, one.bytes.length);
      checkSameTexts(one);
      if (one.context.status < 400) checkEnds(one);
      checkCalls(one);
      checkRemoval(one);
      checkAlike(one);
    });
  }
});

function caseOf(exchange: Recorded): GuardedCase | undefined {
  const target = { method: "POST", path: exchange.path, query: new URLSearchParams(exchange.query) };
  const found = findCodec(target, { get: () => undefined });
  if (found === undefined || exchange.requestBody === "" || found.codec.openAnswer === undefined) return undefined;
  const doc = parseJson(Buffer.from(exchange.requestBody));
  if (!doc.ok) return undefined;
  const view = found.codec.readRequest?.(doc.value, found.facts);
  if (view?.ok !== true) return undefined;
  const { status, contentType, responseBytes: bytes } = exchange;
  const headers = { get: (name: string) => exchange.responseHeaders.get(name) };
  return { name: exchange.id, codec: found.codec, context: { view: view.value, usageForced: false, status, contentType, headers }, bytes };
}
