import type { RequestTarget } from "../core/codec.ts";
import type { PeerCertificate, Proof } from "../core/credentials.ts";
import { OutputText } from "../core/tokens/output-text.ts";
import type { Dialect } from "../core/view.ts";
import { refuse } from "./reply.ts";
import type { LocalReply, PipelineDeps, RequestHead, Work } from "./work.ts";

/** Takes method, path and query apart, finds the surface, starts the evidence. Never fails: what is wrong is `admit`'s to say. */
export function begin(head: RequestHead, peer: PeerCertificate | undefined, deps: PipelineDeps): Work {
  const target = readTarget(head);
  const arrivedWallMs = deps.clock.wallMs();
  const snapshot = deps.snapshots.take();
  const found = deps.findCodec(target, head);
  return {
    id: deps.newId(),
    arrivedWallMs,
    time: new Date(arrivedWallMs).toISOString(),
    arrivedMs: deps.clock.monotonicMs(),
    head,
    trace: deps.telemetry?.begin(head.get("traceparent"), head.get("tracestate")),
    peer,
    target,
    snapshot,
    codec: found?.codec,
    facts: found?.facts ?? {},
    dialect: deps.dialects[found?.codec.dialect ?? guessDialect(target, head)],
    principal: undefined,
    contract: undefined,
    useCase: undefined,
    policy: undefined,
    request: undefined,
    candidates: undefined,
    home: undefined,
    plan: undefined,
    wish: undefined,
    replans: 0,
    marks: {},
    applied: [],
    change: {},
    answerHeaders: [],
    guards: [],
    claims: new Map(),
    entries: [],
    warnings: [],
    latencyCapMs: undefined,
    outputCap: undefined,
    outputLimit: undefined,
    counter: undefined,
    held: undefined,
    unanswered: false,
    lostTokens: 0,
    usageForced: false,
    denial: undefined,
    decision: "allowed",
    forwarded: false,
    opened: false,
    sentBody: undefined,
    requestBytes: 0,
    requestDigest: undefined,
    sentDigest: undefined,
    status: undefined,
    servedBy: undefined,
    attempts: undefined,
    localReply: false,
    remembered: 0,
    reader: undefined,
    output: new OutputText(),
    tokens: deps.stores?.tokens,
    gate: undefined,
    feed: undefined,
    released: undefined,
    answerBytes: 0,
    answerSentBytes: 0,
    usage: undefined,
    estimated: false,
    costNanoUsd: undefined,
    decidedMs: undefined,
    headersMs: undefined,
    firstTokenMs: undefined,
    sidecarMs: 0,
  };
}

/** Shared: nobody changes a query. */
const NO_QUERY = new URLSearchParams();

function readTarget(head: RequestHead): RequestTarget {
  const full = head.get(":path") ?? "/";
  const mark = full.indexOf("?");
  return {
    method: head.get(":method") ?? "",
    path: mark < 0 ? full : full.slice(0, mark),
    query: mark < 0 ? NO_QUERY : new URLSearchParams(full.slice(mark + 1)),
  };
}

/** Whose error object a caller on an unknown path most likely reads. */
function guessDialect(target: RequestTarget, head: RequestHead): Dialect {
  if (/^\/v1(?:beta1)?\/(?:projects|publishers)\//.test(target.path)) return "vertex";
  if (target.path.startsWith("/model/")) return "bedrock";
  if (/^\/v[12]\/(?:chat|embed|rerank)$/.test(target.path)) return "cohere";
  if (head.get("anthropic-version") !== undefined || target.path.startsWith("/v1/messages")) return "anthropic";
  if (target.path.startsWith("/v1beta/") || head.get("x-goog-api-key") !== undefined || target.query.has("key")) return "gemini";
  return "openai";
}

/** The early checks, before a body is read: room, surface, credential, encoding, size. `reply` undefined: go on. */
export function identify(work: Work, deps: PipelineDeps): { readonly reply: LocalReply | undefined } | Promise<Proof> {
  if (deps.overloaded(work.snapshot)) return { reply: refuse(work, { code: "overloaded", retryAfterMs: 1000 }) };
  if (work.codec === undefined) return { reply: refuse(work, unsupported(work)) };
  const shown = { head: work.head, query: work.target.query, secrets: secretsOf(work), peer: work.peer };
  const caller = work.snapshot.authenticate(shown, { now: () => deps.clock.wallMs(), keySets: deps.keySets });
  // A token that is not in memory takes a moment, with a wait for its issuer's keys at most `KEY_WAIT_MS`. Until `admit` nothing
  // is written into the work, so that a result which comes too late can be dropped.
  return caller instanceof Promise ? caller : { reply: admit(work, caller) };
}

/** What is checked once the caller is known. undefined: go on. */
export function admit(work: Work, caller: Proof): LocalReply | undefined {
  if (!caller.ok)
    return refuse(work, signed(work) && caller.error.detail === undefined ? { ...caller.error, detail: SIGNED } : caller.error);
  work.principal = caller.value;
  const encoding = work.head.get("content-encoding");
  if (encoding !== undefined && encoding.toLowerCase() !== "identity")
    return refuse(work, {
      code: "invalid_request",
      detail: "Compressed request bodies are not accepted. Send the body without content-encoding.",
    });
  const max = work.snapshot.limits.bodyBytesMax;
  if (Number(work.head.get("content-length") ?? 0) > max)
    return refuse(work, { code: "input_too_large", detail: `The request body is larger than ${max} bytes.` });
  return undefined;
}

/** AWS's SDKs sign where no bearer token is set; a signature can be checked by nobody but AWS. */
const signed = (work: Work): boolean => /^AWS4-/.test(work.head.get("authorization") ?? "");
const SIGNED = "An AWS signature is no credential here. Send a key issued by the gateway as a bearer token (AWS_BEARER_TOKEN_BEDROCK).";

const unsupported = (work: Work): { readonly code: "unsupported_surface"; readonly detail: string } => ({
  code: "unsupported_surface",
  // Method and path are the caller's own words, but a path may hold anything: it is left out.
  detail: `${/^[A-Z]{1,10}$/.test(work.target.method) ? work.target.method : "This method"} on this path is not served by the gateway.`,
});

/** Every place where an SDK may put its key, the usual first. */
function secretsOf(work: Work): readonly string[] {
  const found: string[] = [];
  const bearer = /^bearer +(\S+)$/i.exec(work.head.get("authorization") ?? "")?.[1];
  for (const candidate of [
    bearer,
    work.head.get("x-api-key"),
    work.head.get("api-key"),
    work.head.get("x-goog-api-key"),
    work.target.query.get("key"),
  ]) {
    if (candidate !== undefined && candidate !== null && candidate !== "" && !found.includes(candidate)) found.push(candidate);
  }
  return found;
}
