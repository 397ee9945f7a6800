/** Answers that go on without some of their calls: byte for byte those that a provider would have given without them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { answerContext } from "../../test/support/answers.ts";
import { cutAt, readPieces } from "../../test/support/codec-runs.ts";
import { view } from "../../test/support/context.ts";
import { DIALECTS, type Dialect, geminiOf, geminiPart, json, messageEvents, named, sse, TYPES } from "../../test/support/dialects.ts";
import { open } from "../../test/support/guarded.ts";
import { seat, wordGuard } from "../../test/support/guards.ts";
import { property } from "../../test/support/property.ts";
import type { AnswerGuard, Stop } from "../core/guard.ts";
import type { Json } from "../core/json.ts";
import { Gate, type Passed } from "../pipeline/guards/gate.ts";
import { geminiGenerate } from "./gemini-generate.ts";
import { openaiResponses } from "./openai-responses.ts";

const STOP: Stop = { kind: "filtered", denial: { code: "tool_not_allowed" } };
const guard: AnswerGuard = {
  judgesCall: (name) => name === "wipe",
  judgeCall: () => ({ kind: "remove", stop: STOP }),
  evidence: () => undefined,
};

/** What leaves of the answer. */
function run(of: Dialect, bytes: Buffer, cuts: readonly number[] = []): { readonly out: string; readonly stop: Stop | undefined } {
  const context = answerContext(view({ streaming: of.framing !== "json", framing: of.framing }), {
    contentType: of.type ?? TYPES[of.framing],
  });
  const reader = open({ name: "", codec: of.codec, context, bytes });
  const gate = new Gate(
    [seat("redact", wordGuard("secret", "[hidden]")), seat("access", guard)],
    Number.POSITIVE_INFINITY,
    "",
    of.codec.removeCalls?.(),
  );
  const out: Uint8Array[] = [];
  let stop: Stop | undefined;
  const take = (passed: Passed): void => {
    out.push(...passed.bytes);
    stop ??= passed.stop?.stop;
    if (passed.more) take(gate.resume());
  };
  for (const frame of readPieces(reader, cutAt(bytes, cuts))) take(gate.push([frame]));
  take(gate.end([]));
  return { out: Buffer.concat(out).toString("latin1"), stop };
}

for (const of of DIALECTS) {
  const name = `${of.codec.surface} (${of.framing}, ${of.filtered})`;
  property(
    `without its calls that are not allowed an answer is what a provider would have said without them: ${name}`,
    fc.tuple(fc.array(fc.boolean(), { minLength: 1, maxLength: 5 }), fc.array(fc.nat(3000), { maxLength: 6 })),
    ([going, cuts]) => {
      const calls = going.map((goes, id) => ({ id, goes }));
      const left = calls.filter(({ goes }) => !goes);
      const bytes = of.make("a secret", calls);
      const { out, stop } = run(
        of,
        bytes,
        cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b),
      );
      assert.doesNotMatch(out, /wipe/);
      if (left.length > 0) {
        assert.equal(stop, undefined);
        const rest = of.rest?.("a [hidden]", calls) ?? of.make("a [hidden]", left);
        assert.equal(out, rest.toString("latin1"));
        return;
      }
      if (of.codec === openaiResponses) return void assert.equal(stop?.kind, "filtered");
      assert.equal(stop, undefined);
      const context = answerContext(view({ streaming: of.framing !== "json", framing: of.framing }), {
        contentType: of.type ?? TYPES[of.framing],
      });
      const reader = open({ name, codec: of.codec, context, bytes }, false);
      readPieces(reader, [Buffer.from(out, "latin1")]);
      const { finishReasons, toolCalls, complete } = reader.summary();
      assert.deepEqual([finishReasons.at(-1), toolCalls, complete], [of.filtered, [], true]);
    },
  );
}

test("what the provider runs itself has a result in the answer: such an answer ends before its call", () => {
  const block = { type: "server_tool_use", id: "s", name: "wipe", input: { a: 1 } };
  const [whole, stream] = [DIALECTS[2], DIALECTS[3]];
  assert.ok(whole !== undefined && stream !== undefined);
  const message = json({
    id: "m",
    type: "message",
    role: "assistant",
    model: "m",
    content: [{ type: "text", text: "a" }, block],
    stop_reason: "end_turn",
  });
  assert.deepEqual(run(whole, message), { out: "", stop: STOP });
  const events = messageEvents("a", []).toSpliced(-2, 0, { type: "content_block_start", index: 1, content_block: block } as never);
  const ended = run(stream, named(...events));
  assert.equal(ended.stop, STOP);
  assert.doesNotMatch(ended.out, /wipe|message_delta/);
});

test("a large answer is written without its call in turns of the event loop", () => {
  const [of] = DIALECTS;
  assert.ok(of !== undefined);
  const long = "x".repeat(300_000);
  const [goes, stays] = [
    { id: 0, goes: true },
    { id: 1, goes: false },
  ];
  assert.equal(run(of, of.make(`${long} secret`, [goes, stays])).out, of.make(`${long} [hidden]`, [stays]).toString("latin1"));
  assert.equal(run(of, of.make(long, [stays, goes])).out, of.make(long, [stays]).toString("latin1"));
});

test("Gemini's signature of the thinking before moves to the next call that stays", () => {
  const [first, second] = [geminiPart({ id: 0, goes: true }), geminiPart({ id: 1, goes: false })];
  const of = DIALECTS.find(({ codec }) => codec === geminiGenerate);
  assert.ok(of !== undefined);
  const { out } = run(of, json(geminiOf([{ ...first, thoughtSignature: "c2lnbg==" }, second], "STOP")));
  assert.equal(out, json(geminiOf([{ ...second, thoughtSignature: "c2lnbg==" }], "STOP")).toString());
});

test("another call in the place of one that went, and one whose place is not told, end the answer", () => {
  const of = DIALECTS[1];
  assert.ok(of !== undefined);
  const piece = (name: string): Json => ({
    choices: [{ index: 0, delta: { tool_calls: [{ index: 0, id: "c", type: "function", function: { name, arguments: "{}" } }] } }],
  });
  assert.deepEqual(run(of, sse(piece("wipe"), piece("look"))).stop, STOP);
  const late = (index: number, name: string): Json => ({
    choices: [{ index: 0, delta: { tool_calls: [{ index, id: "c", type: "function", function: { name, arguments: "{}" } }] } }],
  });
  const { out, stop } = run(of, sse(late(1, "look"), late(0, "wipe"), late(1, "")));
  assert.equal(stop, STOP);
  assert.doesNotMatch(out, /wipe/);
});
