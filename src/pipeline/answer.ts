import { setImmediate as nextTurn } from "node:timers/promises";
import type { AnswerContext, AnswerReader, Frame, HeaderView, Said, TailReason } from "../core/codec.ts";
import type { Denial, DenialCode } from "../core/denials.ts";
import type { Stop } from "../core/guard.ts";
import { GUARDED_BYTES_MAX, YIELD_CHARS } from "../core/limits.ts";
import { formatUsd } from "../core/money.ts";
import type { Ending } from "../core/record.ts";
import { Slice } from "../core/slice.ts";
import { familyOfAny } from "../core/tokens/families.ts";
import { OutputCounter } from "../core/tokens/output.ts";
import type { Usage } from "../core/usage.ts";
import { AnswerFeed } from "./answer-feed.ts";
import { finishGuards, noteStop } from "./guards/evidence.ts";
import { Gate, type Passed } from "./guards/gate.ts";
import type { Spoken } from "./guards/part.ts";
import { evidenceHeaders, renderDenialOf, wholeAnswer } from "./reply.ts";
import { rememberState } from "./state.ts";
import { settleUsage } from "./usage.ts";
import type { LocalReply, PipelineDeps, Work } from "./work.ts";

/** What Envoy says of the answer besides its headers. */
export interface AnswerOrigin {
  readonly cluster: string | undefined;
  readonly attempts: number | undefined;
  /** `response.code_details`: `via_upstream` for a provider's own answer, else why Envoy answered itself. */
  readonly details: string | undefined;
}

/**
 * Takes the response headers in and says how the answer is treated. stream: headers go on at once and the body as it is
 * read. hold: everything waits until the body was judged (unary answers, errors, answers of Envoy's own, encoded bodies).
 * Decided from surface and request, never from the content type, which providers get wrong.
 */
export function openAnswer(work: Work, head: HeaderView, origin: AnswerOrigin, deps: PipelineDeps): "hold" | "stream" {
  work.headersMs = deps.clock.monotonicMs();
  work.status = Number(head.get(":status") ?? 0);
  work.localReply = !work.forwarded || (origin.details !== undefined && origin.details !== "via_upstream");
  work.attempts = work.forwarded ? (origin.attempts ?? 1) : undefined;
  if (work.localReply) {
    work.localCode = head.get("x-ai-error");
    work.brokeOff = work.forwarded && BROKE_OFF.test(origin.details ?? "");
    return "hold";
  }
  work.servedBy = origin.cluster;
  work.upstreamStatus = work.status;
  if (work.status >= 300 && work.status < 400) {
    work.denial = { code: "upstream_invalid", detail: "The provider answered with a redirect, which is not followed." };
    return "hold";
  }
  const encoding = head.get("content-encoding");
  if (encoding !== undefined && encoding.toLowerCase() !== "identity") {
    work.denial = { code: "upstream_invalid", detail: "The provider sent an encoded answer that was not asked for." };
    return "hold";
  }
  const { codec, request } = work;
  if (codec?.openAnswer === undefined || request === undefined) return "hold";
  const as = request.view.streaming && work.status < 400 ? "stream" : "hold";
  const context: AnswerContext = {
    view: request.view,
    usageForced: work.usageForced,
    status: work.status,
    contentType: head.get("content-type") ?? "",
    headers: head,
    ...(work.guards.length === 0 ? {} : { guarded: true }),
  };
  work.reader = codec.openAnswer(context);
  if (as === "stream" && work.outputLimit !== undefined)
    work.counter = new OutputCounter(familyOfAny([work.plan?.chain[0]?.model, request.view.model]));
  if (work.guards.length === 0) return as;
  // A held answer has a cap of its own.
  const heldMax = as === "stream" ? GUARDED_BYTES_MAX : Number.POSITIVE_INFINITY;
  work.gate = new Gate(work.guards, heldMax, context.contentType, codec.removeCalls?.());
  const { marks, foreseen } = work;
  for (const seat of work.gate.seats) seat.begin(seat.acts || foreseen === undefined ? marks : { ...foreseen, ...marks });
  // What it reads no guard sees.
  const { guarded: _guarded, ...plain } = context;
  if (as === "stream") work.released = codec.openAnswer(plain);
  return as;
}

/** Why Envoy gave a request up that the provider had got: its connection ended, or it spoke no HTTP (`response.code_details`). */
const BROKE_OFF = /^upstream_reset_before_response_started\{(?:connection_termination|protocol_error|remote_reset)/;

/** The headers of an answer that passes on: ours on top, the provider's account and cookies out. */
export function answerHeaders(work: Work): { readonly set: readonly [string, string][]; readonly remove: readonly string[] } {
  return { set: evidenceHeaders(work), remove: PRIVATE_ANSWER_HEADERS };
}

/** Headers that tell one tenant of an account or session it shares with others. */
const PRIVATE_ANSWER_HEADERS: readonly string[] = ["set-cookie", "openai-organization", "openai-project", "anthropic-organization-id"];

/** Reads a piece of a streamed answer, or its end (`undefined`), and gives what goes on; notes the first token's time. */
export function feed(work: Work, chunk: Uint8Array | undefined, deps: PipelineDeps): Passed {
  const { reader, gate, released } = work;
  if (reader === undefined) return NOTHING_PASSED;
  work.feed ??= new AnswerFeed({ reader, gate, released, read: (frames) => noteFrames(work, frames, deps) });
  return noted(work, work.feed.push(chunk));
}

function noteFrames(work: Work, frames: readonly Frame[], deps: PipelineDeps): void {
  keepText(work, frames);
  // The id of a kept answer comes before its first token, and its caller may use it at once.
  if (work.firstTokenMs === undefined && work.remembered === 0) rememberState(work, deps);
  if (work.firstTokenMs === undefined && frames.some((frame) => frame.deltas.length > 0)) work.firstTokenMs = deps.clock.monotonicMs();
}

/** A provider that goes on past the cap that it was told is stopped, at the end of what it has sent. */
function capped(work: Work, passed: Passed): Passed {
  const { counter, outputLimit = Number.POSITIVE_INFINITY } = work;
  if (counter === undefined || passed.stop !== undefined || passed.more || counter.tokens() <= outputLimit || isComplete(work))
    return passed;
  const stop: Stop = {
    kind: "length",
    denial: { code: "cost_cap", detail: "The provider went on past the cap of output that it was told." },
  };
  noteStop(work, stop);
  return { ...passed, more: false, stop: { stop, said: [] } };
}

/** For answers that end without a usage. */
function keepText(work: Work, frames: readonly Frame[]): void {
  const { output, counter } = work;
  for (const { deltas } of frames)
    for (const delta of deltas) {
      // Said before, or by the caller.
      if (delta.repeats === true || delta.channel === "echo") continue;
      output.add(delta);
      counter?.add(delta);
    }
}

/** Goes on with what the last turn of the event loop left (`Passed.more`). */
export const resumeFeed = (work: Work): Passed => (work.feed === undefined ? NOTHING_PASSED : noted(work, work.feed.resume()));

const NOTHING_PASSED: Passed = { bytes: [], more: false };

function noted(work: Work, passed: Passed): Passed {
  if (passed.stop !== undefined) noteStop(work, passed.stop.stop);
  return capped(work, passed);
}

/** The bytes that end a running answer well formed, after what was passed on. Nothing more is read, so what it took is known by now. */
export function tailOf(work: Work, reason: TailReason): Uint8Array | undefined {
  if (reason.kind !== "error") settleUsage(work);
  const { usage } = work;
  return (work.released ?? work.reader)?.tail(reason.kind === "error" || usage === undefined ? reason : { ...reason, usage });
}

/** The answer's own last event was read, and passed on. */
export const isComplete = (work: Work | undefined): boolean => (work?.released ?? work?.reader)?.summary().complete === true;

/** A held answer, judged: passed on as it is, or replaced by a reply of ours; and how the exchange ends with it. */
export type Judgement =
  | {
      readonly as: "pass";
      readonly ending: Ending;
      readonly set: readonly [string, string][];
      readonly remove: readonly string[];
      readonly body: Buffer;
    }
  | { readonly as: "replace"; readonly ending: Ending; readonly reply: LocalReply };

/** `denial` is set when the wait for the body ended otherwise (a timer, a cap, a fault). A promise where guards have much to read. */
export function judgeAnswer(work: Work, body: Buffer, denial: Denial | undefined, deps: PipelineDeps): Judgement | Promise<Judgement> {
  const status = work.status ?? 0;
  if (denial !== undefined) return replace(work, denial, "cut");
  if (work.localReply) return replace(work, localDenial(work, status), "local_reply");
  if (work.denial !== undefined) return replace(work, work.denial, "cut");
  const passed = read(work, body);
  return passed instanceof Promise ? passed.then((whole) => judge(work, body, whole, deps)) : judge(work, body, passed, deps);
}

function judge(work: Work, body: Buffer, passed: Passed, deps: PipelineDeps): Judgement {
  const status = work.status ?? 0;
  work.firstTokenMs ??= status < 400 ? deps.clock.monotonicMs() : undefined;
  settleUsage(work);
  rememberState(work, deps);
  finishGuards(work);
  if (passed.stop !== undefined && status < 400)
    return isAnswer(work) ? stopped(work, passed.stop.stop, passed.stop.said) : replace(work, NO_ANSWER, "cut");
  const set = evidenceHeaders(work);
  if (status >= 400) {
    const code = upstreamCode(status);
    work.denial = { code };
    // A provider's error that a rule ends stays that error, in words of ours: what to do about it depends on its status.
    if (passed.stop !== undefined || (work.policy?.errors === "normalised" && work.policy.mode === "enforce"))
      return replace(work, { code }, "served");
    set.push(["x-ai-error", code]);
  }
  set.push(...costHeaders(work));
  const bytes = joined(passed.bytes);
  // Bytes that only a forced usage report added are taken out again, so the length may differ from what the provider said.
  if (bytes.length !== body.length) set.push(["content-length", String(bytes.length)]);
  return { as: "pass", ending: "served", set, remove: PRIVATE_ANSWER_HEADERS, body: bytes };
}

/** A guard ended a held answer: a refusal, or what was said before its word as a whole answer. */
function stopped(work: Work, stop: Stop, said: readonly Spoken[]): Judgement {
  noteStop(work, stop);
  const { codec, request, plan } = work;
  if (stop.kind === "refuse" || codec?.renderAnswer === undefined || request === undefined) return replace(work, stop.denial, "cut");
  const more = stop.kind === "filtered" ? (stop.text ?? "") : "";
  const reasons = work.reader?.summary().finishReasons ?? [];
  const choices = said.map(
    ({ text, whole }, index): Pick<Said, "text" | "finish"> =>
      whole ? { text, finish: LENGTH.test(reasons[index] ?? "") ? "length" : "stop" } : { text: text + more, finish: stop.kind },
  );
  const whole = codec.renderAnswer(request, {
    text: choices[0]?.text ?? more,
    model: request.view.model ?? plan?.choice.model.name ?? "",
    id: work.id,
    createdUnixS: Math.floor(work.arrivedWallMs / 1000),
    finish: stop.kind,
    ...(request.view.choices > 1 ? { choices } : {}),
    usage: work.usage,
  });
  const reply = wholeAnswer(work, whole);
  return { as: "replace", ending: "cut", reply: { ...reply, headers: [...reply.headers, ...costHeaders(work)] } };
}

/** Did the reader make out an answer of its API? What else comes with status 200 (a page of HTML) is no answer of a model that was blocked. */
const isAnswer = ({ reader }: Work): boolean => reader === undefined || reader.summary().complete;
const NO_ANSWER: Denial = {
  code: "upstream_error",
  detail: "What the provider sent is no answer of its API, and a rule of the policy does not let it pass.",
};

/** Reasons to end for want of room, in all dialects. */
const LENGTH = /^(?:length|max_tokens)$/i;

function replace(work: Work, denial: Denial, ending: Ending): Judgement {
  work.denial = denial;
  settleUsage(work);
  const reply = renderDenialOf(work, denial);
  return { as: "replace", ending, reply: { ...reply, headers: [...reply.headers, ...costHeaders(work)] } };
}

/** Reads a held body whole; a long one in turns of the event loop, reading it as well as guards' looks at it. */
function read(work: Work, body: Buffer): Passed | Promise<Passed> {
  const { reader } = work;
  if (reader === undefined) return { bytes: [body], more: false };
  if (body.length > YIELD_CHARS) return readSliced(work, reader, body);
  const frames = [...reader.push(body), ...reader.end()];
  keepText(work, frames);
  return shown(work, reader, frames);
}

async function readSliced(work: Work, reader: AnswerReader, body: Buffer): Promise<Passed> {
  const frames: Frame[] = [];
  const slice = new Slice();
  await slice.next();
  for (const piece of [body, undefined])
    for (const frame of reader.pushSteps?.(piece) ?? (piece === undefined ? reader.end() : reader.push(piece))) {
      if (frame !== undefined) frames.push(frame);
      if (slice.isOver()) await slice.next();
    }
  await slice.next();
  // The text of megabytes is put together when it is first looked at: a run of its own.
  keepText(work, frames);
  await slice.next();
  return shown(work, reader, frames);
}

/** What guards let through. */
function shown(work: Work, reader: AnswerReader, frames: readonly Frame[]): Passed | Promise<Passed> {
  const { gate } = work;
  if (gate === undefined) return { bytes: frames.map(({ bytes }) => bytes), more: false };
  const first = gate.end(frames, reader.summary().complete);
  return first.more ? readOn(gate, first) : first;
}

async function readOn(gate: Gate, first: Passed): Promise<Passed> {
  const bytes = [...first.bytes];
  for (;;) {
    await nextTurn();
    const passed = gate.resume();
    bytes.push(...passed.bytes);
    if (!passed.more) return { ...passed, bytes };
  }
}

function joined(pieces: readonly Uint8Array[]): Buffer {
  const [only] = pieces;
  if (only !== undefined && pieces.length === 1) return Buffer.from(only.buffer, only.byteOffset, only.byteLength);
  return Buffer.concat(pieces);
}

/** Why Envoy answered itself, as a code of ours. */
function localDenial(work: Work, status: number): Denial {
  if (status === 413)
    return { code: "input_too_large", detail: `The request body is larger than ${work.snapshot.limits.bodyBytesMax} bytes.` };
  if (status === 504 || status === 408) {
    const capped = work.latencyCapMs !== undefined && work.latencyCapMs < (work.policy?.timeouts.requestMs ?? 0);
    return capped ? { code: "latency_cap" } : { code: "upstream_timeout" };
  }
  if (work.localCode === "upstream_unauthorised")
    return { code: work.localCode, detail: "The gateway has no credential for the provider." };
  if (work.localCode === "overloaded")
    return { code: work.localCode, detail: "The provider's account has as many calls as it may have at once.", retryAfterMs: 1000 };
  if (work.localCode === "no_target") return { code: work.localCode, detail: "The gateway does not know the provider's address yet." };
  if (work.brokeOff === true) return { code: "upstream_error", detail: "The provider broke off before it answered." };
  if (status === 503 || status === 502) return { code: "upstream_error", detail: "The provider could not be reached." };
  if (status >= 400 && status < 500) return { code: "invalid_request" };
  return { code: "upstream_error" };
}

/** A provider's own error, by its status. */
export function upstreamCode(status: number): DenialCode {
  if (status === 401 || status === 403) return "upstream_unauthorised";
  if (status === 408 || status === 504) return "upstream_timeout";
  if (status === 429) return "upstream_rate_limited";
  if (status >= 400 && status < 500) return "upstream_invalid";
  return "upstream_error";
}

/** `input=12, cached_input=0, output=5`: the usage as an RFC 9651 dictionary; and the cost in dollars, exact. */
function costHeaders(work: Work): [string, string][] {
  const headers: [string, string][] = [];
  if (work.usage !== undefined) headers.push(["x-ai-usage", usageHeader(work.usage, work.estimated)]);
  if (work.costNanoUsd !== undefined) headers.push(["x-ai-cost-usd", formatUsd(work.costNanoUsd)]);
  return headers;
}

function usageHeader(usage: Usage, estimated: boolean): string {
  const parts: string[] = [];
  const add = (name: string, tokens: number | undefined): void => {
    if (tokens !== undefined) parts.push(`${name}=${tokens}`);
  };
  add("input", usage.inputTokens);
  add("cached_input", usage.cachedInputTokens);
  add("cache_write", usage.cacheWriteTokens);
  add("cache_write_1h", usage.cacheWrite1hTokens);
  add("output", usage.outputTokens);
  add("reasoning", usage.reasoningTokens);
  add("apart_input", usage.apartInputTokens);
  add("apart_output", usage.apartOutputTokens);
  add("images", usage.images);
  add("seconds", usage.seconds);
  add("characters", usage.characters);
  add("queries", usage.queries);
  if (estimated) parts.push("estimated");
  return parts.join(", ");
}
