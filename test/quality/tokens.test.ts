import assert from "node:assert/strict";
import { test } from "node:test";
import { recordedExchanges } from "../support/recorded-exchanges.ts";
import { errorsOf, largerTexts, measureTokens, ownExchanges, tokenReport } from "./tokens.ts";

test("the project's own exchanges are estimated and reported by provider", () => {
  const measured = measureTokens(ownExchanges());
  assert.deepEqual([...new Set(measured.map(({ provider }) => provider))].sort(), ["anthropic", "gemini", "openai"]);
  for (const { provider, estimated } of measured) assert(estimated > 0, provider);
  assert.match(tokenReport(measured), /\| input \| [a-z]+ \| openai \| 1 \| [0-9.]+ % /);
});

const recorded = recordedExchanges(/^/);
test("estimates are near what providers counted", {
  skip: recorded === undefined ? "no recordings here; SLUICE_FIXTURES names their folder" : false,
}, (t) => {
  const measured = measureTokens(recorded ?? []);
  const texts = errorsOf(measured.filter(({ side, kind }) => side === "input" && kind === "text"));
  assert(texts.count >= 50, `only ${texts.count} were measured`);
  assert(texts.median <= 0.05, `input of texts: median ${texts.median}`);
  const input = errorsOf(largerTexts(measured, "input"));
  t.diagnostic(JSON.stringify({ texts, input }));
  assert(input.p95 <= 0.15, `input of larger texts: p95 ${input.p95}`);
  assert(input.underP95 <= 0.06, `input of larger texts: too low by ${input.underP95} at p95`);
  const tools = errorsOf(measured.filter(({ side, kind }) => side === "input" && kind === "tools"));
  assert(tools.median <= 0.1, `input with tools: median ${tools.median}`);
  const output = errorsOf(largerTexts(measured, "output"));
  assert(output.median <= 0.08, `output of larger texts: median ${output.median}`);
});
