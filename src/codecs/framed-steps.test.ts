import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { bytesOf, cutAt } from "../../test/support/codec-runs.ts";
import { view } from "../../test/support/context.ts";
import { seat, wordGuard } from "../../test/support/guards.ts";
import { property } from "../../test/support/property.ts";
import type { AnswerReader, Codec, Frame } from "../core/codec.ts";
import { ANSWER_PARTS_MAX, YIELD_CHARS } from "../core/limits.ts";
import type { Framing, LaneId } from "../core/view.ts";
import { Gate } from "../pipeline/guards/gate.ts";
import { anthropicMessages } from "./anthropic-messages.ts";
import { bedrockConverseStream } from "./bedrock-converse.ts";
import { bedrockInvokeStream } from "./bedrock-invoke.ts";
import { cohereChatV1 } from "./cohere-chat.ts";
import { geminiStream } from "./gemini-generate.ts";
import { openaiAudioTranscriptions } from "./openai-audio-transcriptions.ts";
import { jsonEvent, jsonException } from "./shared/aws-eventstream.ts";

const BIG = YIELD_CHARS + 1;
const LONG = JSON.stringify("a long secret é ".repeat(BIG / 15));
const MANY = `[${'{"a":1},'.repeat(BIG / 8)}0]`;

interface Form {
  readonly name: string;
  readonly codec: Codec;
  readonly framing: Framing;
  readonly contentType: string;
  /** Small pieces of a stream, and ones that are read in steps. */
  readonly pieces: readonly (string | Uint8Array)[];
  readonly around: readonly [string, string];
}
const converse = (text: string, more = ""): Uint8Array =>
  jsonEvent("contentBlockDelta", `{"contentBlockIndex":0,"delta":{"text":${text}}${more}}`);
const chunk = (json: string): Uint8Array => jsonEvent("chunk", JSON.stringify({ bytes: Buffer.from(json).toString("base64") }));
const gemini = (text: string, more = ""): string => `{"candidates":[{"content":{"parts":[{"text":${text}}]},"index":0}]${more}}`;
const line = (text: string, more = ""): string => `{"event_type":"text-generation","text":${text}${more}}\n`;
const FORMS: readonly Form[] = [
  {
    ...{ name: "Converse", codec: bedrockConverseStream, framing: "eventstream", contentType: "application/vnd.amazon.eventstream" },
    pieces: [
      ...[
        converse('"hello secret é"'),
        converse(LONG),
        converse('"many"', `,"extra":${MANY}`),
        jsonEvent("contentBlockDelta", "[".repeat(BIG)),
      ],
      ...[
        jsonException("throttlingException", JSON.stringify({ message: "x".repeat(BIG) })),
        Buffer.concat(new Array(2_000).fill(converse('"s"'))),
      ],
    ],
    around: ["", ""],
  },
  {
    ...{ name: "InvokeModel", codec: bedrockInvokeStream, framing: "eventstream", contentType: "application/vnd.amazon.eventstream" },
    pieces: [
      ...[chunk('{"outputText":"hello secret"}'), chunk(`{"outputText":${LONG}}`), chunk(`{"outputText":"many","extra":${MANY}}`)],
      ...[chunk("[".repeat(BIG)), jsonEvent("other", LONG), jsonEvent("other", '["secret"]')],
    ],
    around: ["", ""],
  },
  {
    ...{ name: "Gemini's array", codec: geminiStream, framing: "json-array", contentType: "application/json" },
    pieces: [
      gemini('"hello secret"'),
      gemini(LONG),
      gemini('"many"', `,"extra":${MANY}`),
      "0",
      `{"x":[${"0,".repeat(BIG)}0]}`,
      `"${"x".repeat(BIG)}"`,
    ],
    around: ["[", "]\n"],
  },
  {
    ...{ name: "Cohere's lines", codec: cohereChatV1, framing: "sse", contentType: "application/stream+json" },
    pieces: [line('"hello secret"'), "\n", line(LONG), line('"many"', `,"extra":${MANY}`), `${"[".repeat(BIG)}\n`, "{}\n".repeat(30_000)],
    around: ["", ""],
  },
];
function open({ codec, framing, contentType }: Omit<Form, "pieces" | "around" | "name">, guarded: boolean, streaming = true): AnswerReader {
  const context = { view: view({ streaming, framing }), usageForced: false, status: 200, contentType };
  const reader = codec.openAnswer?.(guarded ? { ...context, guarded: true } : context);
  assert.ok(reader !== undefined);
  return reader;
}
/** All frames of a reader, in steps where it has them. */
function framesOf(
  reader: AnswerReader,
  pieces: readonly Uint8Array[],
  inSteps: boolean,
): { readonly frames: readonly Frame[]; readonly steps: number } {
  const frames: Frame[] = [];
  let steps = 0;
  for (const piece of [...pieces, undefined])
    for (const frame of (inSteps ? reader.pushSteps?.(piece) : undefined) ?? (piece === undefined ? reader.end() : reader.push(piece))) {
      steps++;
      if (frame !== undefined) frames.push(frame);
    }
  return { frames, steps };
}
const readOf = (frames: readonly Frame[]) => ({
  deltas: frames.flatMap(({ deltas }) => deltas),
  calls: frames.flatMap(({ calls }) => calls ?? []),
  ends: frames.flatMap(({ ends }): readonly (LaneId | "all")[] => (ends === "all" ? [ends] : (ends ?? []))),
});

for (const form of FORMS) {
  const separator = form.framing === "json-array" ? ",\r\n" : "";
  const bodyOf = (picked: readonly (string | Uint8Array)[]): Buffer =>
    Buffer.concat(
      [form.around[0], ...picked.flatMap((one, at) => (at === 0 ? [one] : [separator, one])), form.around[1]].map((one) =>
        Buffer.from(one),
      ),
    );

  property(
    `${form.name}: a stream read in steps is one read at once, in any cut, and changes alike`,
    fc.tuple(fc.array(fc.constantFrom(...form.pieces), { minLength: 1, maxLength: 5 }), fc.array(fc.nat(), { maxLength: 8 }), fc.boolean()),
    ([picked, places, guarded]) => {
      const bytes = bodyOf(picked);
      const pieces = cutAt(
        bytes,
        places.map((place) => place % bytes.length),
      );
      const [atOnce, inSteps] = [open(form, guarded), open(form, guarded)];
      const expected = framesOf(atOnce, pieces, false).frames;
      const { frames } = framesOf(inSteps, pieces, true);
      assert.equal(bytesOf(frames).compare(bytes), 0);
      assert.deepEqual(readOf(frames), readOf(expected));
      assert.deepEqual(inSteps.summary(), atOnce.summary());
      if (!guarded) return;
      const through = [frames, expected].map((some) => {
        const gate = new Gate([seat("a", wordGuard("secret", "######"))], Number.POSITIVE_INFINITY);
        const out: Uint8Array[] = [];
        let passed = gate.end(some);
        for (; passed.more; passed = gate.resume()) out.push(...passed.bytes);
        return Buffer.concat([...out, ...passed.bytes]).toString("latin1");
      });
      assert.equal(through[0], through[1]);
      assert.ok(!through[0]?.includes("secret") && !through[0]?.includes(Buffer.from("secret").toString("base64").slice(0, 7)));
    },
    25,
  );

  test(`${form.name}: what is large is read in steps, what is small at once`, () => {
    assert.equal(open(form, false).pushSteps?.(bodyOf(form.pieces.slice(0, 1))), undefined);
    for (const piece of form.pieces.slice(1).filter(({ length }) => length > BIG)) {
      const { frames, steps } = framesOf(open(form, false), [bodyOf([piece])], true);
      assert.ok(steps > frames.length);
    }
  });
}

test("Gemini's array, cut by us while a large piece is read: what was given out so far can be closed", () => {
  const form = FORMS.find(({ framing }) => framing === "json-array") ?? assert.fail();
  const bytes = Buffer.from(`[${Array.from({ length: 3_000 }, (_, at) => gemini(`"${at}"`)).join(",\n")}]`);
  const reader = open(form, false);
  let given = "";
  let seen = 0;
  for (const frame of reader.pushSteps?.(bytes) ?? assert.fail("it is read in steps")) {
    if (frame === undefined) continue;
    given += Buffer.from(frame.bytes).toString();
    if (++seen % 500 !== 0) continue;
    const whole: unknown[] = JSON.parse(given + Buffer.from(reader.tail({ kind: "length" })).toString());
    assert.equal(whole.length, seen + 1);
  }
});

test("a plain transcript changes as text, also where it begins like JSON", () => {
  const form = { codec: openaiAudioTranscriptions, framing: "json", contentType: "text/plain" } as const;
  for (const text of ["{music} my secret\n", 'he said "secret"', `${"x".repeat(BIG)} secret é`, `{${"x".repeat(BIG)} secret`]) {
    const { frames } = framesOf(open(form, true, false), [Buffer.from(text)], true);
    const gate = new Gate([seat("a", wordGuard("secret", "###"))], Number.POSITIVE_INFINITY);
    let out = "";
    let passed = gate.end(frames);
    for (; passed.more; passed = gate.resume()) out += Buffer.concat(passed.bytes).toString();
    assert.equal(out + Buffer.concat(passed.bytes).toString(), text.replace("secret", "###"));
  }
});

test("an answer of more parts than are followed passes unread, and guards see it as one text", () => {
  const form = { codec: anthropicMessages, framing: "json", contentType: "application/json" } as const;
  const body = (parts: number): Buffer =>
    Buffer.from(`{"type":"message","content":[${'{"type":"text","text":"a secret"},'.repeat(parts - 1)}{"type":"text","text":"a"}]}`);
  const { frames } = framesOf(open(form, true, false), [body(ANSWER_PARTS_MAX - 1)], true);
  assert.equal(frames[0]?.deltas.length, ANSWER_PARTS_MAX - 1);
  const reader = open(form, true, false);
  const unread = framesOf(reader, [body(ANSWER_PARTS_MAX + 1)], true).frames;
  assert.deepEqual(
    unread.flatMap(({ deltas }) => deltas.map(({ signed, text }) => [signed, text.includes("a secret")])),
    [[true, true]],
  );
  assert.equal(reader.summary().invalidEvents, 1);
});
