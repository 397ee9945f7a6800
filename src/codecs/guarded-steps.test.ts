import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { bytesOf, cutAt } from "../../test/support/codec-runs.ts";
import { view } from "../../test/support/context.ts";
import { seat, wordGuard } from "../../test/support/guards.ts";
import { property } from "../../test/support/property.ts";
import type { AnswerReader, Frame } from "../core/codec.ts";
import { YIELD_CHARS } from "../core/limits.ts";
import { AnswerFeed } from "../pipeline/answer-feed.ts";
import { Gate } from "../pipeline/guards/gate.ts";
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
