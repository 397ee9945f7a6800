import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { view } from "../../test/support/context.ts";
import { seat, wordGuard } from "../../test/support/guards.ts";
import { openaiChat } from "../codecs/openai-chat.ts";
import { OutputText } from "../core/tokens/output-text.ts";
import type { WireResponse } from "../envoy/wire.ts";
import { Gate } from "../pipeline/guards/gate.ts";
import type { PipelineDeps, Work } from "../pipeline/work.ts";
import { StreamedAnswer } from "./streamed-answer.ts";

/** What was sent of a stream that ends with trailers: the body as text, and the kinds of messages in their order. */
async function withTrailers(
  text: string,
  guarded: boolean,
): Promise<{ readonly body: string; readonly kinds: readonly string[]; readonly turns: number }> {
  const context = {
    view: view({ streaming: true, framing: "sse" }),
    usageForced: false,
    status: 200,
    contentType: "text/event-stream",
  } as const;
  const open = (more: object) => openaiChat.openAnswer?.({ ...context, ...more });
  // What an answer reads of its exchange, and nothing else.
  const work = {
    ...{ id: "x", decision: "allowed", warnings: [], answerHeaders: [], output: new OutputText(), answerBytes: 0, answerSentBytes: 0 },
    ...{ remembered: 0, forwarded: true, codec: openaiChat },
    ...(guarded
      ? { reader: open({ guarded: true }), released: open({}), gate: new Gate([seat("a", wordGuard("secret", "######"))], 1e9) }
      : { reader: open({}) }),
  } as unknown as Work;
  const sent: WireResponse[] = [];
  let turns = 0;
  const answer = new StreamedAnswer(work, { clock: { monotonicMs: () => 0 } } as unknown as PipelineDeps, {
    send: (message) => sent.push(message),
    cut: () => assert.fail("nothing cuts it"),
    holds: () => {},
    later: (run) => {
      turns++;
      run();
    },
  });
  answer.headers(true);
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += 60_000) answer.feed(bytes.subarray(at, at + 60_000), false);
  answer.flush();
  for (let waited = 0; waited < 5_000 && sent.at(-1)?.response_trailers === undefined; waited++) await nextTurn();
  const kinds = sent.map((message) => Object.keys(message)[0] ?? "");
  const bodies = sent.flatMap(({ response_body: part }) => {
    const change = part?.response?.body_mutation;
    if (change === undefined || !("streamed_response" in change)) return [];
    assert.equal(change.streamed_response.end_of_stream, false, "the end is the trailers'");
    return [change.streamed_response.body];
  });
  return { body: Buffer.concat(bodies).toString(), kinds, turns };
}

const event = (text: string): string =>
  `data: {"id":"c","choices":[{"index":0,"delta":{"content":${JSON.stringify(text)}},"finish_reason":null}]}`;

for (const guarded of [false, true])
  test(`trailers wait for a body that takes some turns, ${guarded ? "guarded" : "plain"}`, async () => {
    const long = `${event("hi secret ")}\n\n${event("a secret word ".repeat(400_000))}`;
    const { body, kinds, turns } = await withTrailers(long, guarded);
    assert.equal(body, guarded ? long.replaceAll("secret", "######") : long);
    assert.equal(kinds[0], "response_headers");
    assert.deepEqual(kinds.slice(-2), ["response_body", "response_trailers"]);
    assert.equal(kinds.filter((kind) => kind === "response_trailers").length, 1);
    assert.ok(turns > 0, `${turns} turns`);
  });

test("trailers of a stream without a body follow its headers", async () => {
  for (const guarded of [false, true]) assert.deepEqual((await withTrailers("", guarded)).kinds, ["response_headers", "response_trailers"]);
});
