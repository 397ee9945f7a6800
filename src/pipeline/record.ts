import { inOnePiece } from "../core/one-piece.ts";
import type { Ending, ExchangeRecord } from "../core/record.ts";
import type { SpanFacts } from "../ports/telemetry.ts";
import { clusterOf } from "./decide.ts";
import { finishGuards } from "./guards/evidence.ts";
import { dataClassOf } from "./run.ts";
import { rememberState } from "./state.ts";
import { settleUsage } from "./usage.ts";
import type { PipelineDeps, Work } from "./work.ts";

const round = (ms: number): number => Math.round(ms * 1000) / 1000;

/**
 * The evidence of one exchange, from what its work knows at the end. No content: names of the policy, numbers, digests,
 * and the few words of the caller that the contract's patterns limit.
 */
export function makeRecord(work: Work, ending: Ending, answerDigest: string | undefined, deps: PipelineDeps): ExchangeRecord {
  settleUsage(work);
  finishGuards(work);
  rememberState(work, deps);
  const { policy, snapshot, codec, plan, contract } = work;
  const values = contract?.values ?? {};
  const target = work.forwarded ? plan?.chain[0] : undefined;
  const requestId = work.head.get("x-request-id");
  const traceparent = work.head.get("traceparent");
  const view = work.request?.view;
  const dataClass = dataClassOf(work);
  const keeping = dataClass === undefined ? undefined : work.keepingOf?.(dataClass);
  return defined({
    v: 1 as const,
    id: work.id,
    time: work.time,
    requestId: requestId !== undefined && /^[\x21-\x7e]{1,128}$/.test(requestId) ? inOnePiece(requestId) : undefined,
    traceparent: traceparent !== undefined && /^[0-9a-f-]{55}$/.test(traceparent) ? inOnePiece(traceparent) : undefined,
    trace: work.trace === undefined ? undefined : { id: work.trace.traceId, span: work.trace.spanId, sampled: work.trace.sampled },
    tenant: work.principal?.tenant,
    app: work.principal?.app,
    user: values.user,
    channel: values.channel,
    useCase: work.useCase,
    conversation: values.conversation,
    dataClass,
    retention: keeping?.retention,
    cacheable: keeping?.cacheable,
    credential: work.principal === undefined ? undefined : { kind: work.principal.credentialKind, id: work.principal.credentialId },
    method: work.target.method.slice(0, 16),
    path: recordedPath(work),
    surface: codec?.surface,
    operation: codec?.operation,
    streaming: view?.streaming,
    modelAsked: short(view?.model, 256),
    policy: policy === undefined ? undefined : { name: policy.name, version: snapshot.version, hash: snapshot.hash },
    stages: work.entries,
    unknownFields: contract === undefined || contract.unknown.length === 0 ? undefined : contract.unknown,
    decision: work.decision,
    code: work.denial?.code,
    reason: work.denial?.detail,
    model: target === undefined ? undefined : plan?.choice.model.name,
    target:
      target === undefined
        ? undefined
        : defined({
            provider: target.provider.name,
            model: target.model,
            region: target.region,
            cluster: clusterOf(target, work.principal?.tenant),
          }),
    servedBy: work.servedBy,
    attempts: work.attempts,
    status: work.headHeld === true ? undefined : work.status,
    upstreamStatus: work.headHeld !== true && work.upstreamStatus === work.status ? undefined : work.upstreamStatus,
    ending,
    answer: answerOf(work),
    outputCap: work.outputCap === undefined ? undefined : work.outputCap * (view?.choices ?? 1),
    usage: work.usage,
    cost: costOf(work),
    ms: defined({
      total: round(deps.clock.monotonicMs() - work.arrivedMs),
      sidecar: round(work.sidecarMs),
      decided: since(work, work.decidedMs),
      upstream: work.forwarded ? since(work, work.headersMs) : undefined,
      firstToken: since(work, work.firstTokenMs),
    }),
    bytes: defined({
      request: work.requestBytes,
      answer: work.answerBytes,
      requestSent: work.sentBody?.length,
      answerSent: work.answerSentBytes === work.answerBytes ? undefined : work.answerSentBytes,
    }),
    digests: defined({ request: work.requestDigest, requestSent: work.sentDigest, answer: answerDigest }),
  });
}

/** What the span of an exchange says beyond its record. */
export function spanFacts(work: Work): SpanFacts {
  const provider = work.forwarded ? work.plan?.chain[0]?.provider : undefined;
  const view = work.request?.view;
  return {
    arrivedWallMs: work.arrivedWallMs,
    serverAddress: provider?.host,
    serverPort: provider?.port,
    outputTokensMax: work.change.outputTokensMax ?? view?.outputTokensMax,
    choices: view?.choices,
  };
}

/** Paths of known surfaces hold no secret; an unknown path may hold anything, so only its length is kept. */
function recordedPath(work: Work): string {
  return work.codec === undefined ? `(unknown, ${work.target.path.length} characters)` : inOnePiece(work.target.path.slice(0, 512));
}

const since = (work: Work, at: number | undefined): number | undefined => (at === undefined ? undefined : round(at - work.arrivedMs));

function answerOf(work: Work): ExchangeRecord["answer"] {
  if (work.reader === undefined) return undefined;
  const summary = work.reader.summary();
  return defined({
    complete: summary.complete,
    finishReasons: summary.finishReasons.length === 0 ? undefined : summary.finishReasons,
    model: short(summary.model, 256),
    responseId: short(summary.responseId, 256),
    error: short(summary.error, 128),
    toolCalls: summary.toolCalls.length === 0 ? undefined : summary.toolCalls.slice(0, 64).map((name) => inOnePiece(name.slice(0, 128))),
    unknownEvents: summary.unknownEvents === 0 ? undefined : summary.unknownEvents,
    invalidEvents: summary.invalidEvents === 0 ? undefined : summary.invalidEvents,
  });
}

/** Of the caller's or the provider's words as many characters as a record keeps. */
const short = (text: string | undefined, max: number): string | undefined => text && inOnePiece(text.slice(0, max));

function costOf(work: Work): ExchangeRecord["cost"] {
  const price = work.plan?.chain[0]?.price;
  if (work.costNanoUsd === undefined || price === undefined) return undefined;
  return { nanoUsd: work.costNanoUsd, price: price.source, estimated: work.estimated };
}

/**
 * An object whose members may be undefined, which JSON leaves out and readers take as absent. Of one shape whatever is known, because
 * an object from which members are left out one by one costs three times as much to make, and half as much again to write.
 */
type Defined<T> = { [K in keyof T as undefined extends T[K] ? never : K]: T[K] } & {
  [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined>;
};
function defined<T extends object>(members: T): Defined<T>;
function defined(members: object): object {
  return members;
}
