import assert from "node:assert/strict";
import fc from "fast-check";
import type { AnswerContext, AnswerReader, Codec, Frame } from "../../src/core/codec.ts";
import type { AnswerGuard } from "../../src/core/guard.ts";
import type { Delta, LaneId } from "../../src/core/view.ts";
import { Gate, type Passed } from "../../src/pipeline/guards/gate.ts";
import { bytesOf, cutAt, readPieces } from "./codec-runs.ts";
import { seat, through } from "./guards.ts";

/** An answer whose guarded reading is checked. */
export interface GuardedCase {
  readonly name: string;
  readonly codec: Codec;
  readonly context: AnswerContext;
  readonly bytes: Buffer;
}

export function open({ codec, context }: GuardedCase, guarded = true): AnswerReader {
  const { guarded: _, ...plain } = context;
  const reader = codec.openAnswer?.(guarded ? { ...plain, guarded: true } : plain);
  assert(reader !== undefined);
  return reader;
}

export const laneOf = ({ choice, block, channel }: LaneId): string => `${choice}.${block}.${channel}`;

/** Text by lane, repeats left out, in the order of the first pieces. */
export function lanesOf(deltas: readonly Delta[]): Readonly<Record<string, string>> {
  const lanes: Record<string, string> = {};
  for (const delta of deltas) if (delta.repeats !== true) lanes[laneOf(delta)] = (lanes[laneOf(delta)] ?? "") + delta.text;
  return lanes;
}

/** Guarded reading passes the same bytes as unguarded, for these cuts; nothing rewritten is nothing changed; lanes and counts are alike. */
export function checkIdentity(of: GuardedCase, cuts: readonly number[]): void {
  const pieces = cutAt(of.bytes, cuts);
  const [plain, reader] = [open(of, false), open(of)];
  const unguarded = readPieces(plain, pieces);
  const frames = readPieces(reader, pieces);
  assert.equal(bytesOf(frames).compare(bytesOf(unguarded)), 0, `${of.name}: bytes`);
  assert.deepEqual(reader.usage(), plain.usage());
  assert.deepEqual({ ...reader.summary(), outputChars: 0 }, { ...plain.summary(), outputChars: 0 });
  for (const frame of frames) {
    if (frame.rewrite === undefined) continue;
    assert.equal(Buffer.compare(frame.rewrite(frame.deltas.map(() => undefined)), frame.bytes), 0, `${of.name}: nothing rewritten`);
  }
  for (const frame of unguarded) {
    assert.deepEqual(
      Object.keys(frame)
        .filter((key) => key !== "alike")
        .sort(),
      ["bytes", "deltas"],
    );
    for (const delta of frame.deltas) assert.deepEqual(Object.keys(delta).sort(), ["block", "channel", "choice", "text"]);
  }
}

/** A reader that was not given the frames that are alike ends the answer as one that was, wherever it is ended. */
export function checkAlike(of: GuardedCase): void {
  const reader = open(of);
  const frames = readPieces(reader, [of.bytes]);
  const [all, few] = [open(of, false), open(of, false)];
  for (const { bytes, alike } of frames) {
    all.push(bytes);
    if (alike === true) assert.deepEqual(few.usage(), all.usage());
    else few.push(bytes);
    assert.deepEqual({ ...few.summary(), outputChars: 0 }, { ...all.summary(), outputChars: 0 }, of.name);
  }
  const upTo = Math.floor((frames.length * of.bytes.length) / (of.bytes.length + 100));
  for (const end of [1, 2, 3, upTo, frames.length]) {
    const [whole, less] = [open(of, false), open(of, false)];
    for (const { bytes, alike } of frames.slice(0, end)) {
      whole.push(bytes);
      if (alike !== true) less.push(bytes);
    }
    const reason = { kind: "filtered", text: "No." } as const;
    assert.equal(Buffer.compare(less.tail(reason), whole.tail(reason)), 0, `${of.name}: the end after ${end} frames`);
  }
}

/** Every lane ends before the answer does, and nothing comes of one that has ended. */
export function checkEnds(of: GuardedCase): void {
  const open_ = new Set<string>();
  const ended = new Set<string>();
  const reader = open(of);
  for (const frame of readPieces(reader, [of.bytes])) {
    for (const delta of frame.deltas) {
      if (delta.repeats === true) continue;
      assert(!ended.has(laneOf(delta)), `${of.name}: ${laneOf(delta)} goes on after its end`);
      open_.add(laneOf(delta));
    }
    for (const { choice, block } of frame.calls ?? []) open_.add(`${choice}.${block}.tool_arguments`);
    for (const lane of frame.ends === "all" ? [...open_] : (frame.ends ?? []).map(laneOf)) {
      open_.delete(lane);
      ended.add(lane);
    }
  }
  assert.deepEqual([...open_], [], `${of.name}: lanes without an end`);
}

/** Guards hear of every call by the name that the summary has for it, and of no other. */
export function checkCalls(of: GuardedCase): void {
  const called: string[] = [];
  const guard: AnswerGuard = {
    judgesCall: () => true,
    judgeCall: ({ name }) => {
      called.push(name);
      return { kind: "pass" };
    },
    evidence: () => undefined,
  };
  const reader = open(of);
  const { stop } = through(new Gate([seat("rule", guard)], Number.POSITIVE_INFINITY), readPieces(reader, [of.bytes]));
  assert.equal(stop, undefined);
  assert.deepEqual(called.toSorted(), reader.summary().toolCalls.toSorted(), `${of.name}: calls`);
}

/** What of the answer leaves where `goes` says of each call, in order, whether it is taken out; and the calls that a guard is shown. */
function withoutCalls(of: GuardedCase, bytes: Buffer, goes: (at: number) => boolean) {
  const calls: string[] = [];
  const guard: AnswerGuard = {
    judgesCall: () => true,
    judgeCall: ({ name, id, arguments: given }) => {
      calls.push(`${name} ${id} ${given}`);
      if (!goes(calls.length - 1)) return { kind: "pass" };
      return { kind: "remove", stop: { kind: "filtered", denial: { code: "tool_not_allowed" } } };
    },
    evidence: () => undefined,
  };
  const gate = new Gate([seat("rule", guard)], Number.POSITIVE_INFINITY, "", of.codec.removeCalls?.());
  const out: Uint8Array[] = [];
  let stop: string | undefined;
  const take = (passed: Passed): void => {
    out.push(...passed.bytes);
    stop ??= passed.stop?.stop.kind;
    if (passed.more) take(gate.resume());
  };
  for (const frame of readPieces(open({ ...of, bytes }), [bytes])) take(gate.push([frame]));
  take(gate.end([]));
  return { calls, stop, out: Buffer.concat(out) };
}

/** Whichever calls go, the answer has the others and reads as one of its dialect; where one cannot go it ends before it. */
export function checkRemoval(of: GuardedCase): void {
  const { calls } = withoutCalls(of, of.bytes, () => false);
  for (const goes of [(at: number) => at === 0, (at: number) => at % 2 === 1, () => true]) {
    const { stop, out } = withoutCalls(of, of.bytes, goes);
    const left = calls.filter((_call, at) => !goes(at));
    const read = withoutCalls(of, out, () => false);
    assert.equal(read.stop, undefined, `${of.name}: read again`);
    if (stop === undefined) assert.deepEqual(read.calls, left, `${of.name}: calls`);
    else {
      assert.equal(stop, "filtered");
      assert.deepEqual(read.calls, left.slice(0, read.calls.length), `${of.name}: calls before the end`);
    }
    if (left.length === calls.length) assert.equal(out.compare(of.bytes), 0, `${of.name}: bytes`);
  }
}

const STRING = /"(?:[^"\\]|\\.)*"/g;

/** What may be changed of a frame. */
export const isEditable = (frame: Frame, index: number): boolean =>
  frame.rewrite !== undefined && frame.deltas[index] !== undefined && frame.deltas[index].signed !== true;

/** Rewrites every editable text as `to` says; the new frames' bytes, and the deltas as they should now be read. */
export function rewritten(frames: readonly Frame[], to: (delta: Delta, count: number) => string | undefined) {
  let count = 0;
  const pieces: Uint8Array[] = [];
  const expected: Delta[] = [];
  for (const frame of frames) {
    const texts = frame.deltas.map((delta, index) => (isEditable(frame, index) ? to(delta, count++) : undefined));
    pieces.push(texts.every((text) => text === undefined) ? frame.bytes : (frame.rewrite?.(texts) ?? frame.bytes));
    expected.push(...frame.deltas.map((delta, index) => ({ ...delta, text: texts[index] ?? delta.text })));
  }
  return { bytes: Buffer.concat(pieces), expected };
}

/** Texts that try the writer: shorter, longer, empty, with all that JSON escapes. */
export const REPLACEMENTS = [
  "",
  "x",
  'say "hi"\\\n\r\t\u0000',
  "Grüße 😀 中文",
  "data: [DONE]\n\n",
  "long ".repeat(200),
  "</s>\u2028\ud83d",
];

/** Other texts, read again by a fresh reader, are these texts; and no byte outside the strings changes. */
export function checkRewrite(of: GuardedCase, seed: number): void {
  const frames = readPieces(open(of), [of.bytes]);
  const before = lanesOf(frames.flatMap((frame) => frame.deltas));
  const other = (delta: Delta, count: number): string => {
    // A value that stands as JSON is changed within its strings.
    if (delta.raw === true) return delta.text.replace(/"(?:[^"\\]|\\.)*"(?=\s*[,}\]])/g, () => JSON.stringify(`v${count}"é`));
    return `${REPLACEMENTS[(seed + count) % REPLACEMENTS.length]}`;
  };
  const after = lanesOf(rewritten(frames, (delta, count) => (delta.repeats === true ? undefined : other(delta, count))).expected);
  const { bytes, expected } = rewritten(frames, (delta, count) => {
    // What repeats a lane is changed as the lane is.
    if (delta.repeats === true && delta.text === before[laneOf(delta)]) return after[laneOf(delta)];
    return other(delta, count);
  });
  const read = readPieces(open(of), [bytes]).flatMap((frame) => frame.deltas);
  const wanted = lanesOf(expected);
  const got = lanesOf(read);
  for (const lane of Object.keys(wanted)) assert.equal(got[lane] ?? "", wanted[lane], `${of.name}: lane ${lane}`);
  assert.deepEqual(
    Object.keys(got).filter((lane) => wanted[lane] === undefined),
    [],
    `${of.name}: lanes out of nowhere`,
  );
  const rest = (texts: readonly Delta[]): readonly string[] =>
    texts.flatMap(({ repeats, text }) => (repeats === true && text !== "" ? [text] : [])).toSorted();
  // Some go with the text that they repeat.
  const left = [...rest(expected)];
  const extra = rest(read).filter((text) => !left.includes(text) || left.splice(left.indexOf(text), 1).length === 0);
  assert.deepEqual(extra, [], `${of.name}: texts beside`);
  if (!frames.some((frame) => SPECIAL.test(plainText(Buffer.from(frame.bytes)))))
    assert.deepEqual(left, [], `${of.name}: texts beside that are gone`);
}

/** The bytes, and what they hold in base64, as text; of a binary frame its payload. */
function plainText(bytes: Buffer): string {
  const payload = bytes[0] === 0 ? bytes.subarray(12 + bytes.readUInt32BE(4), -4) : bytes;
  return payload.toString().replaceAll(/"bytes":"([^"]*)"/g, (_, inner: string) => Buffer.from(inner, "base64").toString());
}

/** Each text written again as it is leaves the bytes, but for other spellings of the same strings and for what would repeat them. */
export function checkSameTexts(of: GuardedCase): void {
  for (const frame of readPieces(open(of), [of.bytes])) {
    if (frame.rewrite === undefined) continue;
    for (const [index, delta] of frame.deltas.entries()) {
      if (!isEditable(frame, index)) continue;
      const before = plainText(Buffer.from(frame.bytes));
      const after = plainText(Buffer.from(frame.rewrite(frame.deltas.map((_, at) => (at === index ? delta.text : undefined)))));
      if (SPECIAL.test(before)) continue;
      assert.equal(normal(after), normal(before), `${of.name}: ${laneOf(delta)}`);
    }
  }
}

/** What goes with a changed text, and lines of a stream that say something beside its data: these go when they would change. */
const SPECIAL = /"(?:logprobs|annotations|citations|citationMetadata|groundingSupports|groundingAttributions|logprobsResult)"|^(?::|id:)/m;
const normal = (text: string): string => text.replaceAll(STRING, (token) => JSON.stringify(JSON.parse(token)));

/** The property of a case over cuts. */
export const cutsOf = (bytes: Uint8Array): fc.Arbitrary<number[]> => fc.array(fc.nat(bytes.length), { maxLength: 12 });
