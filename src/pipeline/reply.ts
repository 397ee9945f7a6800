import type { DialectSpec } from "../core/codec.ts";
import { DENIALS, type Denial, REQUEST_ID_HEADERS } from "../core/denials.ts";
import type { Json } from "../core/json.ts";
import type { Framing } from "../core/view.ts";
import { formatTraceparent } from "../ports/telemetry.ts";
import type { LocalReply, Work } from "./work.ts";

/** Headers that every answer carries, once what they say is known. */
export function evidenceHeaders(work: Work): [string, string][] {
  const headers: [string, string][] = [
    ["x-ai-request-id", work.id],
    ["x-ai-decision", work.decision],
  ];
  if (work.policy !== undefined) headers.push(["x-ai-policy", `${work.policy.name}@${work.snapshot.version}`]);
  if (work.warnings.length > 0) headers.push(["x-ai-warning", work.warnings.join(", ")]);
  const target = work.forwarded ? work.plan?.chain[0] : undefined;
  if (work.plan !== undefined && target !== undefined) {
    headers.push(["x-ai-model", work.plan.choice.model.name], ["x-ai-provider", target.provider.name]);
  }
  if (work.attempts !== undefined) headers.push(["x-ai-attempts", String(work.attempts)]);
  for (const [name, value] of work.answerHeaders) headers.push([name, value]);
  // W3C Trace Context, level 2: the caller finds the exchange's span by it, also where it began the trace.
  if (work.trace !== undefined) headers.push(["traceresponse", formatTraceparent(work.trace)]);
  return headers;
}

/** A refusal in the caller's dialect: one code of the table, the exchange's id, safe texts only. Notes it in the work. */
export function refuse(work: Work, denial: Denial): LocalReply {
  work.denial = denial;
  work.decision = "refused";
  return renderDenialOf(work, denial);
}

/** A refusal in place of an answer that had begun to come. */
export const renderDenialOf = (work: Work, denial: Denial): LocalReply =>
  renderDenial(denial, work.id, work.dialect, work.facts.framing, evidenceHeaders(work));

export function renderDenial(
  denial: Denial,
  id: string,
  dialect: DialectSpec,
  framing: Framing | undefined,
  extra: readonly (readonly [string, string])[],
): LocalReply {
  const row = DENIALS[denial.code];
  const headers: [string, string][] = [
    ["content-type", "application/json"],
    ["x-ai-error", denial.code],
    ["x-should-retry", String(row.retryable)],
  ];
  for (const [name, value] of extra) headers.push([name, value]);
  for (const [name, value] of dialect.errorHeaders?.(denial, id) ?? []) headers.push([name, value]);
  const idHeader = REQUEST_ID_HEADERS[dialect.dialect];
  if (idHeader !== undefined) headers.push([idHeader, id]);
  if (denial.retryAfterMs !== undefined) headers.push(["retry-after", String(Math.max(1, Math.ceil(denial.retryAfterMs / 1000)))]);
  // Google's own API answers a failed array-framed stream with an array; everyone else reads a JSON object before a stream begins.
  const body =
    framing === "json-array"
      ? dialect.renderErrorStream(denial, id, framing)
      : Buffer.from(JSON.stringify(dialect.renderError(denial, id)));
  return { status: row.status, headers, body, details: `sluice_${denial.code}` };
}

/** An answer that Sluice gives itself. */
export function answer(work: Work, value: Json): LocalReply {
  return wholeAnswer(work, { contentType: "application/json", body: Buffer.from(JSON.stringify(value)) });
}
export function wholeAnswer(work: Work, { contentType, body }: { readonly contentType: string; readonly body: Uint8Array }): LocalReply {
  return { status: 200, headers: [["content-type", contentType], ...evidenceHeaders(work)], body, details: "sluice_answered" };
}

/** The decision on a request that the process has no room for. */
export const turnAway = async (work: Work): Promise<{ readonly reply: LocalReply; readonly answered: boolean }> => ({
  reply: refuse(work, { code: "overloaded", retryAfterMs: 1000 }),
  answered: false,
});
