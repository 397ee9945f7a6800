import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { bytesOf, cutAt } from "../../test/support/codec-runs.ts";
import { view } from "../../test/support/context.ts";
import { seat, wordGuard } from "../../test/support/guards.ts";
import { property } from "../../test/support/property.ts";
import type { AnswerReader, Codec, Frame } from "../core/codec.ts";
import { JSON_VALUES_MAX, YIELD_CHARS } from "../core/limits.ts";
import { finish } from "../core/slice.ts";
import { AnswerFeed } from "../pipeline/answer-feed.ts";
import { Gate } from "../pipeline/guards/gate.ts";
import { anthropicMessages } from "./anthropic-messages.ts";
import { openaiChat } from "./openai-chat.ts";

const chunk = (content: string, more = ""): string =>
  `{"id":"c","object":"chat.completion.chunk","created":1,"model":"m"${more},"choices":[{"index":0,"delta":{"content":${JSON.stringify(content)}},"finish_reason":null}]}`;
const BIG = YIELD_CHARS + 1;
/** Small events, and ones that are read in steps: long texts, many values, many lines, no JSON, comments. */
const EVENTS: readonly string[] = [
  `data: ${chunk("hello secret é")}\n\n`,
  ": ping\n\n",
  "\n\n\n",
  `data: ${chunk("a long secret ".repeat(BIG / 14 + 1))}\n\n`,
  `data: ${chunk("many", `,"extra":[${'{"a":1},'.repeat(BIG / 8)}0]`)}\r\n\r\n`,
  `event: x\rdata: ${"[".repeat(BIG)}\r\r`,
  `data: [\n${"data: 1,\n".repeat(BIG / 9)}data: 2]\n\n`,
  `data: {"id":"c","choices":[]\ndata: ,"extra":"${"x".repeat(BIG)}"}\n\n`,
  "data: {}\n\n".repeat(BIG / 10 + 1),
];
const open = (guarded: boolean): AnswerReader => {
  const context = { view: view({ streaming: true, framing: "sse" }), usageForced: false, status: 200, contentType: "text/event-stream" };
  const reader = openaiChat.openAnswer?.(guarded ? { ...context, guarded: true } : context);
  assert.ok(reader !== undefined);
  return reader;
};
const stripped = (frames: readonly Frame[]) =>
  frames.map(({ bytes, deltas, calls, ends }) => ({ bytes: bytesOf([{ bytes, deltas }]).toString(), deltas, calls, ends }));

/** All frames of a reader that is asked for steps first. */
function stepped(reader: AnswerReader, pieces: readonly Uint8Array[]): { readonly frames: readonly Frame[]; readonly steps: number } {
  const frames: Frame[] = [];
  let steps = 0;
  for (const piece of [...pieces, undefined]) {
    const found = reader.pushSteps?.(piece);
    if (found === undefined) frames.push(...(piece === undefined ? reader.end() : reader.push(piece)));
    else
      for (const frame of found) {
        steps++;
        if (frame !== undefined) frames.push(frame);
      }
  }
  return { frames, steps };
}

const stream = fc.tuple(
  fc.array(fc.constantFrom(...EVENTS), { minLength: 1, maxLength: 5 }),
  fc.array(fc.nat(), { maxLength: 12 }),
  fc.boolean(),
);

property(
  "a stream read in steps has the frames of one read at once, in any cut",
  stream,
  ([events, places, guarded]) => {
    const bytes = Buffer.from(events.join(""));
    const pieces = cutAt(
      bytes,
      places.map((place) => place % bytes.length),
    );
    const [atOnce, inSteps] = [open(guarded), open(guarded)];
    const expected = [...pieces.flatMap((piece) => atOnce.push(piece)), ...atOnce.end()];
    const { frames } = stepped(inSteps, pieces);
    assert.deepEqual(stripped(frames), stripped(expected));
    assert.equal(bytesOf(frames).compare(bytes), 0);
    assert.deepEqual(inSteps.summary(), atOnce.summary());
  },
  60,
);

property(
  "what is fed in any cut, and gone on with at any time, leaves in order; nothing is left behind",
  fc.tuple(stream, fc.array(fc.nat({ max: 3 }), { minLength: 1, maxLength: 8 })),
  ([[events, places, guarded], turns]) => {
    const bytes = Buffer.from(events.join(""));
    const pieces = cutAt(
      bytes,
      places.map((place) => place % bytes.length),
    );
    const gate = guarded ? new Gate([seat("a", wordGuard("secret", "######"))], Number.POSITIVE_INFINITY) : undefined;
    let read = 0;
    const feed = new AnswerFeed({
      ...{ reader: open(guarded), gate, released: guarded ? open(false) : undefined },
      read: (frames) => {
        for (const frame of frames) read += frame.bytes.length;
      },
    });
    const out: Uint8Array[] = [];
    let turn = 0;
    for (const piece of [...pieces, undefined]) {
      let passed = feed.push(piece);
      out.push(...passed.bytes);
      // The next piece comes at once, or some turns later.
      for (let left = turns[turn++ % turns.length] ?? 0; passed.more && (left > 0 || piece === undefined); left--) {
        passed = feed.resume();
        out.push(...passed.bytes);
      }
    }
    const expected = guarded ? bytes.toString().replaceAll("secret", "######") : bytes.toString();
    assert.equal(Buffer.concat(out).toString(), expected);
    assert.equal(read, bytes.length);
    assert.equal(feed.heldBytes, 0);
  },
  60,
);

test("what is large is read in steps, what is small at once", () => {
  assert.equal(open(false).pushSteps?.(Buffer.from(EVENTS[0] ?? "")), undefined);
  for (const event of EVENTS.slice(3)) {
    const { frames, steps } = stepped(open(false), [Buffer.from(event)]);
    assert.ok(steps > frames.length, event.slice(0, 30));
  }
});

/** The only frame of a large guarded body. */
function bodyFrame(codec: Codec, text: string): Frame {
  const reader = codec.openAnswer?.({ view: view(), usageForced: false, status: 200, contentType: "application/json", guarded: true });
  reader?.push(Buffer.from(text));
  const [frame] = [...(reader?.pushSteps?.(undefined) ?? [])].filter((step) => step !== undefined);
  assert.ok(frame !== undefined);
  return frame;
}

test("a large frame written in steps is the frame written at once: texts, arguments that stand as JSON, their copies and what goes with them", () => {
  const filler = `"extra":[${'{"a":1},'.repeat(BIG / 8)}0]`;
  const long = JSON.stringify("secret é 𝄞 \\n ".repeat(40_000));
  const choice = (content: string): string =>
    `{"index":0,"message":{"role":"assistant","content":${content}},"logprobs":{"content":[{"token":"secret"}]}}`;
  const call = `{"type":"tool_use","id":"t","name":"n","input":{"b": 1.00, "a":"secret ${"x".repeat(BIG)}"}}`;
  const bodies: readonly (readonly [Codec, string])[] = [
    [openaiChat, `{"id":"c","object":"chat.completion","model":"m",${filler},"choices":[${choice('"secret"')}]}`],
    [openaiChat, `{"id":"c","object":"chat.completion","model":"m","choices":[${choice(long)}]}`],
    [
      anthropicMessages,
      `{"id":"m","type":"message","role":"assistant","content":[{"type":"text","text":"secret"},${call}],"stop_reason":"tool_use"}`,
    ],
  ];
  for (const [codec, body] of bodies) {
    const frame = bodyFrame(codec, body);
    const texts = frame.deltas.map(({ text }) => (text.includes("secret") ? text.replaceAll("secret", '"##') : undefined));
    const bare =
      codec === anthropicMessages
        ? texts.map((text, index) => (index === 1 ? frame.deltas[1]?.text.replace("secret", "##") : text))
        : texts;
    assert.ok(frame.rewrite !== undefined && frame.rewriteSteps !== undefined);
    const inSteps = finish(frame.rewriteSteps(bare));
    assert.ok(inSteps !== undefined && Buffer.compare(inSteps, frame.rewrite(bare)) === 0);
    assert.ok(!Buffer.from(inSteps).includes("secret"));
    assert.equal(finish(frame.rewriteSteps(frame.deltas.map(() => undefined))), frame.bytes);
  }
});

test("a frame of more values than can be placed is not changed: what it would have to change ends the answer", () => {
  const values = `"extra":[${"0,".repeat(JSON_VALUES_MAX)}0]`;
  const frame = bodyFrame(openaiChat, `{"id":"c",${values},"choices":[{"index":0,"message":{"role":"assistant","content":"secret"}}]}`);
  assert.equal(finish(frame.rewriteSteps?.(["###"]) ?? assert.fail("it can be rewritten")), undefined);
  const gate = new Gate([seat("a", wordGuard("secret", "###"))], Number.POSITIVE_INFINITY);
  let passed = gate.end([frame]);
  while (passed.more) passed = gate.resume();
  assert.deepEqual(passed.stop?.stop.denial.code, "content_blocked");
  assert.deepEqual(passed.bytes, []);
});
