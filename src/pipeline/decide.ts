import { azurePath } from "../core/azure.ts";
import type { Codec, RequestChange } from "../core/codec.ts";
import type { Denial } from "../core/denials.ts";
import { encodeEdits, type JsonDoc, type JsonError, member, parseJson, parseSteps } from "../core/json.ts";
import { YIELD_CHARS } from "../core/limits.ts";
import type { Plan, Target } from "../core/policy.ts";
import type { OpenEntry } from "../core/record.ts";
import type { Result } from "../core/result.ts";
import { digest, finishSliced } from "../core/slice.ts";
import { GOOGLE_TOKEN_HEADER } from "../core/upstream.ts";
import { formatTraceparent, parseTraceparent } from "../ports/telemetry.ts";
import { readContract } from "./contract.ts";
import { answer, refuse, wholeAnswer } from "./reply.ts";
import { sharedEdits } from "./request-edits.ts";
import { runStages } from "./run.ts";
import { storesOf } from "./state.ts";
import type { LocalReply, PipelineDeps, Work } from "./work.ts";

/** What Envoy is told about a request that may go. */
export interface Forward {
  readonly set: readonly (readonly [string, string])[];
  readonly remove: readonly string[];
  /** undefined: the caller's bytes. */
  readonly body: Buffer | undefined;
  readonly chain: readonly string[];
}

/**
 * The decision on one request: read it, resolve the policy, run the stages, lay the plan, write the open entry.
 * Gives what to forward, or the reply in its place. `body` is undefined where the request has none.
 */
export async function decide(
  work: Work,
  body: Buffer | undefined,
  deps: PipelineDeps,
): Promise<{ readonly forward: Forward } | { readonly reply: LocalReply; readonly answered: boolean }> {
  const no = (denial: Denial): { readonly reply: LocalReply; readonly answered: boolean } => ({
    reply: refuse(work, denial),
    answered: false,
  });
  const { codec, principal } = work;
  if (codec === undefined || principal === undefined) return no({ code: "internal" });
  work.requestBytes = body?.length ?? 0;

  const problem = await readBody(work, codec, body);
  if (problem !== undefined) return no(problem);
  const unfit = resolvePolicy(work);
  if (unfit !== undefined) return no(unfit);
  const decided = await runStages(work, deps.clock.monotonicMs, storesOf(deps));
  if (decided?.kind === "deny") return no(decided.denial);
  if (decided?.kind === "answer")
    return decided.whole === undefined ? say(work, codec, decided.text, no) : { reply: wholeAnswer(work, decided.whole), answered: true };

  if (codec.answerList !== undefined) return list(work, codec, no);
  if (isTooLate(work, deps)) return no({ code: "latency_cap" });
  const { plan } = work;
  const target = plan?.chain[0];
  if (plan === undefined || target === undefined) return no({ code: "no_target" });
  work.sentBody = await edited(work, codec, changeOf(work, target));
  const forward = layOut(work, codec, plan, target, deps);
  const opened = await deps.audit.open(openEntry(work, target));
  if (!opened.ok && work.policy?.evidenceFault !== "drop")
    return no({ code: "store_unavailable", detail: "The record of this call cannot be written, so it was not made." });
  work.opened = opened.ok;
  return { forward };
}

/** Its time was over before it left: nothing of it could be kept. */
const isTooLate = ({ latencyCapMs, arrivedMs }: Work, { clock }: PipelineDeps): boolean =>
  latencyCapMs !== undefined && clock.monotonicMs() - arrivedMs >= latencyCapMs;

/** A stage's own words as a whole answer of the dialect. */
function say(work: Work, codec: Codec, text: string, no: (denial: Denial) => { readonly reply: LocalReply; readonly answered: boolean }) {
  const { request, denial } = work;
  if (codec.renderAnswer === undefined || request === undefined) return no(denial ?? { code: "internal" });
  const model = request.view.model ?? work.plan?.choice.model.name ?? "";
  const said = { text, model, id: work.id, createdUnixS: Math.floor(work.arrivedWallMs / 1000), finish: "stop" } as const;
  return { reply: wholeAnswer(work, codec.renderAnswer(request, said)), answered: true };
}

/** What stands for the body of a request that has none. */
const NO_BODY: JsonDoc = { text: "{}", root: { kind: "object", start: 0, end: 2, members: [] } };

/** Parses the body once and has the codec read it. */
export async function readBody(work: Work, codec: Codec, body: Buffer | undefined): Promise<Denial | undefined> {
  if (codec.readPath !== undefined) {
    // What no codec reads must not reach a provider.
    if (body !== undefined && body.length > 0) return { code: "invalid_request", detail: "This call takes no body." };
    work.request = { doc: NO_BODY, facts: work.facts, view: codec.readPath(work.facts) };
    return undefined;
  }
  if (codec.readRequest === undefined) return undefined;
  if (body === undefined || body.length === 0) return { code: "invalid_request", detail: "The request has no body." };
  const max = work.snapshot.limits.bodyBytesMax;
  if (body.length > max) return { code: "input_too_large", detail: `The request body is larger than ${max} bytes.` };
  const digested = digest(body);
  work.requestDigest = digested instanceof Promise ? await digested : digested;
  if (codec.readForm !== undefined) return readForm(work, codec, body);
  const parsed: Result<JsonDoc, JsonError> = body.length > YIELD_CHARS ? await finishSliced(parseSteps(body)) : parseJson(body);
  if (!parsed.ok)
    return {
      code: "invalid_request",
      detail: `The body is not acceptable JSON: ${parsed.error.code.replaceAll("_", " ")} at ${parsed.error.at}.`,
    };
  const view =
    body.length > YIELD_CHARS && codec.readSteps !== undefined
      ? await finishSliced(codec.readSteps(parsed.value, work.facts))
      : codec.readRequest(parsed.value, work.facts);
  if (!view.ok) return { code: view.error.code, detail: view.error.message };
  work.request = { doc: parsed.value, facts: work.facts, view: view.value };
  return undefined;
}

function readForm(work: Work, codec: Codec, body: Buffer): Denial | undefined {
  const form = codec.readForm?.(body, work.head.get("content-type") ?? "");
  if (form === undefined) return { code: "internal" };
  if (!form.ok) return { code: form.error.code, detail: form.error.message };
  const view = codec.readRequest?.(form.value.doc, work.facts, form.value);
  if (view === undefined) return { code: "internal" };
  if (!view.ok) return { code: view.error.code, detail: view.error.message };
  work.request = { doc: form.value.doc, form: form.value, facts: work.facts, view: view.value };
  return undefined;
}

const NO_MEMBERS: ReadonlyMap<string, string> = new Map();

/** Contract, use case and policy. A use case that is not the app's is refused in every rollout mode: it is who one is, not a rule. */
export function resolvePolicy(work: Work): Denial | undefined {
  const { principal, snapshot } = work;
  if (principal === undefined) return { code: "internal" };
  const contract = readContract(work.head, work.request?.view.contractFields ?? NO_MEMBERS, principal);
  work.contract = contract;
  const claimed = contract.values.useCase;
  if (principal.useCase !== undefined && claimed !== undefined && claimed !== principal.useCase)
    return { code: "forbidden", detail: "This credential is bound to another use case than x-ai-use-case names." };
  const useCase = principal.useCase ?? claimed ?? snapshot.defaultUseCase(principal);
  if (useCase !== undefined && !snapshot.allowsUseCase(principal, useCase))
    return { code: "forbidden", detail: "x-ai-use-case names a use case that this app may not use." };
  work.useCase = useCase;
  work.policy = snapshot.resolve(principal, useCase);
  return undefined;
}

function list(work: Work, codec: Codec, no: (denial: Denial) => { readonly reply: LocalReply; readonly answered: boolean }) {
  const models = (work.candidates ?? []).map(({ model }) => ({
    id: model.name,
    ownedBy: model.targets[0]?.provider.name ?? "sluice",
    createdUnixS: 0,
  }));
  const value = codec.answerList?.(models, work.facts);
  if (value === undefined)
    return no({ code: "model_not_allowed", detail: "No such model for this use case. GET /v1/models lists those it may call." });
  return { reply: answer(work, value), answered: true };
}

/** What the plan changes about the body, and what Sluice always changes where it may. */
function changeOf(work: Work, target: Target): RequestChange {
  const wanted = modelInPath(work, target);
  if (work.policy?.mode !== "enforce") return wanted;
  return { ...wanted, dropContractFields: true, ...(work.request?.view.streaming === true ? { reportUsage: true } : {}) };
}

/** Path, headers, body and chain for the provider. */
function layOut(work: Work, codec: Codec, plan: Plan, target: Target, deps: PipelineDeps): Forward {
  const model = work.change.model ?? work.request?.view.model ?? target.model;
  const body = work.sentBody;
  const path = codec.upstreamPath?.(work.facts, model, target.provider) ?? work.target.path;
  const set: [string, string][] = [
    [":path", target.provider.basePath + azurePath(target.provider.azure, path, target.model)],
    ...timeoutHeaders(work, deps),
  ];
  if (body !== undefined) set.push(["content-length", String(body.length)]);
  const isOwn = ({ provider }: Target): boolean => !provider.tenantClusters.has(work.principal?.tenant ?? "");
  if (plan.chain.some((member) => member.provider.googleToken === true && isOwn(member))) set.push([GOOGLE_TOKEN_HEADER, "1"]);
  const traced = work.policy?.propagateTrace === true;
  if (traced && work.trace !== undefined) set.push(["traceparent", formatTraceparent(work.trace)]);
  return { set, remove: unforwarded(work, traced), body, chain: plan.chain.map((member) => clusterOf(member, work.principal?.tenant)) };
}

/** A deployment is named by the provider's path: a body that names no model, as Azure's own callers leave it, stays as it is. */
function modelInPath({ change, request }: Work, { provider }: Target): RequestChange {
  if (provider.azure?.api !== "deployments" || request === undefined || member(request.doc.root, "model") !== undefined) return change;
  const { model: _inPath, ...rest } = change;
  return rest;
}

/** The cluster that a target is dialled by: the tenant's own account where it brings one. */
export function clusterOf(target: Target, tenant: string | undefined): string {
  const own = tenant === undefined ? undefined : target.provider.tenantClusters.get(tenant);
  return own ?? target.provider.cluster;
}

async function edited(work: Work, codec: Codec, change: RequestChange): Promise<Buffer | undefined> {
  const { request } = work;
  if (request === undefined || codec.editRequest === undefined) return undefined;
  const edits = [...codec.editRequest(request, change), ...sharedEdits(request.doc, change)];
  if (edits.length === 0) return undefined;
  if (change.reportUsage === true) work.usageForced = codec.editRequest(request, { reportUsage: true }).length > 0;
  const body = request.form === undefined ? await encodeEdits(request.doc, edits) : request.form.apply(edits);
  if (body === undefined) return undefined;
  work.sentDigest = await digest(body);
  return body;
}

/** Envoy's own steering headers; the filter's mutation rules allow just these. Envoy's timers stand above Sluice's own. */
function timeoutHeaders(work: Work, deps: PipelineDeps): [string, string][] {
  const { policy } = work;
  if (policy === undefined) return [];
  const spent = deps.clock.monotonicMs() - work.arrivedMs;
  const total = Math.min(policy.timeouts.requestMs, work.latencyCapMs ?? Number.POSITIVE_INFINITY);
  // A running stream is ended by Sluice, well formed, at `total`; Envoy would reset it, so its own timer comes a little later.
  const grace = work.request?.view.streaming === true ? STREAM_GRACE_MS : 0;
  const headers: [string, string][] = [
    ["x-envoy-upstream-rq-timeout-ms", String(Math.max(1, Math.round(total - spent)) + grace)],
    ["x-envoy-upstream-rq-per-try-timeout-ms", String(policy.timeouts.perTryMs)],
    ["x-envoy-max-retries", String(policy.retry.attempts - 1)],
  ];
  if (policy.retry.attempts > 1 && policy.retry.on.length > 0) {
    headers.push(["x-envoy-retry-on", policy.retry.on.map((cause) => RETRY_ON[cause]).join(",")]);
    if (policy.retry.on.includes("rate_limited")) headers.push(["x-envoy-retriable-status-codes", "429"]);
  }
  return headers;
}

/** How long after Sluice's own timer Envoy's would reset a stream. */
const STREAM_GRACE_MS = 2_000;

/** Policy words as Envoy's (router filter documentation, x-envoy-retry-on). */
const RETRY_ON = {
  connect: "connect-failure,refused-stream,reset-before-request",
  "5xx": "5xx",
  rate_limited: "retriable-status-codes",
  // A try that ran out of its time is a reset of the upstream request for the router.
  timeout: "reset",
} as const;

const ALWAYS_FORWARDED = new Set(["content-type", "content-length", "accept", "user-agent"]);
/** Headers that Envoy sets and needs until its router takes them out again (`request_headers_to_remove` of the route). */
const ENVOYS_OWN = new Set(["host", "x-forwarded-proto", "x-forwarded-for", "x-request-id"]);

/** Everything that came and is not on the format's allow-list: contract headers, cookies, credentials, forwarding headers. */
function unforwarded(work: Work, traced: boolean): readonly string[] {
  const allowed = work.dialect.forwardedHeaders;
  const remove: string[] = [];
  for (const name of work.head.names()) {
    if (name.startsWith(":") || name.startsWith("x-envoy-") || ENVOYS_OWN.has(name)) continue;
    // Ours stands in its place, or the caller's own goes on where no spans are made. What vendors add (`tracestate`) stays here.
    if (name === "traceparent" && traced && (work.trace !== undefined || parseTraceparent(work.head.get(name)) !== undefined)) continue;
    if (!ALWAYS_FORWARDED.has(name) && !allowed.includes(name)) remove.push(name);
  }
  return remove;
}

function openEntry(work: Work, target: Target): OpenEntry {
  return {
    id: work.id,
    time: work.time,
    tenant: work.principal?.tenant ?? "",
    app: work.principal?.app ?? "",
    ...(work.useCase === undefined ? {} : { useCase: work.useCase }),
    surface: work.codec?.surface ?? "",
    provider: target.provider.name,
    model: target.model,
    policy: { name: work.policy?.name ?? "", version: work.snapshot.version, hash: work.snapshot.hash },
  };
}
