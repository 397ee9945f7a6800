import type { Attributes } from "@opentelemetry/api";
import { genAiOperation, genAiProvider } from "../../core/gen-ai.ts";
import type { ExchangeRecord } from "../../core/record.ts";
import type { SpanFacts } from "../../ports/telemetry.ts";

/** One span of an exchange, before the SDK has it. Times in wall milliseconds. */
export interface ExchangeSpan {
  readonly name: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly attributes: Attributes;
  readonly events: readonly { readonly name: string; readonly atMs: number; readonly attributes: Attributes }[];
  /** The exchange went wrong on our side or the provider's; a refusal by policy is not an error of the gateway. */
  readonly failed: boolean;
}

/**
 * The span of one exchange: SERVER, since a caller's request is what it covers, with the attributes of a GenAI client span on
 * it, since the one call to the provider is what it did. Names: OpenTelemetry's GenAI and HTTP conventions; our own are
 * `sluice.*`. Everything comes from the record, which holds no content; what callers write freely (the model they spelled, the
 * conversation's name) is left out.
 */
export function exchangeSpan(record: ExchangeRecord, facts: SpanFacts): ExchangeSpan {
  const operation = genAiOperation(record.surface, record.operation);
  const model = record.model;
  const { ms } = record;
  const startMs = facts.arrivedWallMs;
  const decidedMs = startMs + (ms.decided ?? 0);
  const events: ExchangeSpan["events"][number][] = [];
  let stageMs = decidedMs - record.stages.reduce((sum, { us }) => sum + (us ?? 0), 0) / 1000;
  const stages: Attributes = {};
  for (const { stage, mode, verdict, code, us } of record.stages) {
    stageMs += (us ?? 0) / 1000;
    if (us !== undefined) stages[`sluice.stage.${stage}.duration_us`] = us;
    // An event costs as much as many attributes; a rule that let the call pass has only its time to tell.
    if (verdict === "allow") continue;
    events.push({
      name: "sluice.stage",
      atMs: stageMs,
      attributes: defined({ "sluice.stage": stage, "sluice.mode": mode, "sluice.verdict": verdict, "sluice.code": code }),
    });
  }
  if (ms.upstream !== undefined) events.push({ name: "sluice.upstream.headers", atMs: startMs + ms.upstream, attributes: {} });
  if (ms.firstToken !== undefined) events.push({ name: "sluice.first_token", atMs: startMs + ms.firstToken, attributes: {} });
  return {
    name:
      operation === undefined
        ? `${record.method} ${record.surface ?? ""}`.trimEnd()
        : [operation, model].filter((word) => word !== undefined).join(" "),
    startMs,
    endMs: startMs + ms.total,
    attributes: { ...genAi(record, facts, operation), ...http(record), ...own(record), ...stages },
    events,
    failed: isFailure(record),
  };
}

function genAi(record: ExchangeRecord, facts: SpanFacts, operation: string | undefined): Attributes {
  if (operation === undefined) return {};
  const { usage, answer, ms } = record;
  const written = usage === undefined ? undefined : sum(usage.cacheWriteTokens, usage.cacheWrite1hTokens);
  return defined({
    "gen_ai.operation.name": operation,
    "gen_ai.provider.name": genAiProvider(record.surface),
    "gen_ai.request.model": record.model,
    "gen_ai.request.stream": record.streaming === true ? true : undefined,
    "gen_ai.request.max_tokens": facts.outputTokensMax,
    "gen_ai.request.choice.count": facts.choices === undefined || facts.choices === 1 ? undefined : facts.choices,
    "gen_ai.response.id": answer?.responseId,
    "gen_ai.response.model": answer?.model,
    "gen_ai.response.finish_reasons": answer?.finishReasons === undefined ? undefined : [...answer.finishReasons],
    // Seconds. Only where it says something: a whole answer's first chunk is its last.
    "gen_ai.response.time_to_first_chunk": record.streaming === true && ms.firstToken !== undefined ? ms.firstToken / 1000 : undefined,
    "gen_ai.usage.input_tokens": usage?.inputTokens,
    "gen_ai.usage.output_tokens": usage?.outputTokens,
    "gen_ai.usage.cache_read.input_tokens": usage?.cachedInputTokens,
    "gen_ai.usage.cache_creation.input_tokens": written,
    "gen_ai.usage.reasoning.output_tokens": usage?.reasoningTokens,
    "server.address": record.target === undefined ? undefined : facts.serverAddress,
    "server.port": record.target === undefined ? undefined : facts.serverPort,
  });
}

const http = (record: ExchangeRecord): Attributes =>
  defined({
    "http.request.method": record.method,
    "http.response.status_code": record.status,
    "url.path": record.surface === undefined ? undefined : record.path,
    "error.type": record.code ?? (record.ending === "served" || record.ending === "answered" ? undefined : record.ending),
  });

const own = (record: ExchangeRecord): Attributes =>
  defined({
    "sluice.id": record.id,
    "sluice.tenant": record.tenant,
    "sluice.app": record.app,
    "sluice.use_case": record.useCase,
    "sluice.surface": record.surface,
    "sluice.policy": record.policy === undefined ? undefined : `${record.policy.name}@${record.policy.version}`,
    "sluice.policy.hash": record.policy?.hash,
    "sluice.decision": record.decision,
    "sluice.observed": record.observed,
    "sluice.ending": record.ending,
    "sluice.code": record.code,
    "sluice.provider": record.target?.provider,
    "sluice.provider.model": record.target?.model,
    "sluice.region": record.target?.region,
    "sluice.attempts": record.attempts,
    "sluice.cost_usd": record.cost === undefined ? undefined : record.cost.nanoUsd / 1e9,
    "sluice.usage.estimated": record.cost?.estimated === true ? true : undefined,
    "sluice.decided_ms": record.ms.decided,
    "sluice.sidecar_ms": record.ms.sidecar,
  });

/** OpenTelemetry's HTTP conventions: a server span is an error at 5xx, and where no answer could be given. */
function isFailure(record: ExchangeRecord): boolean {
  if (record.status !== undefined && record.status >= 500) return true;
  return (
    record.ending === "cut" || record.ending === "crashed" || record.ending === "aborted" || record.code?.startsWith("upstream_") === true
  );
}

const sum = (one: number | undefined, other: number | undefined): number | undefined =>
  one === undefined && other === undefined ? undefined : (one ?? 0) + (other ?? 0);

function defined(members: Readonly<Record<string, string | number | boolean | string[] | undefined>>): Attributes {
  const kept: Attributes = {};
  for (const name in members) if (members[name] !== undefined) kept[name] = members[name];
  return kept;
}
