import { DIALECTS } from "../../../src/codecs/dialects.ts";
import { awsErrorType } from "../../../src/core/aws-errors.ts";
import { DENIAL_CODES, DENIALS, type DenialCode, REQUEST_ID_HEADERS } from "../../../src/core/denials.ts";
import { code, type GeneratedPage, page, table } from "./page.ts";

/** When a code comes, and what helps. Codes of rule families that are not built yet say so: a test holds that against the sources. */
export const WHEN: Readonly<Record<DenialCode, { readonly when: string; readonly helps: string } | "reserved">> = {
  invalid_request: {
    when: "The body is not JSON, has no or an unexpected body, is compressed, names no model, lacks what its API demands, or asks for more output than `caps` allows where the policy says `onExceeded: refuse`.",
    helps: "Correct the request; the message says where.",
  },
  unsupported_surface: { when: "No codec serves this method and path.", helps: "[surfaces.md](surfaces.md) lists those that are served." },
  contract_violation: {
    when: "An `x-ai-*` field is missing, forbidden, malformed, of an unknown version, or a near miss of a limiting field.",
    helps: "[headers.md](headers.md) lists the fields; the message names the one.",
  },
  unauthenticated: {
    when: "No credential, an unknown, expired, revoked or not yet valid one, or two that prove different callers.",
    helps: "Use a key of `sluice keys new`; `sluice keys list` shows what became of an old one.",
  },
  forbidden: {
    when: "A use case that the app may not declare, an operation that is not allowed, a reference to state kept at the provider, a WebSocket.",
    helps: "Change the call, or `useCases` and `access` in the policy.",
  },
  model_not_allowed: {
    when: "The model, tier or family does not exist or is not allowed; the words are the same for both.",
    helps: "`GET /v1/models` lists what the caller may use; `access.models`, `access.tiers`, `access.families` say it.",
  },
  tool_not_allowed: { when: "A tool that is offered or forced is not on the lists.", helps: "`access.tools` in the policy." },
  input_too_large: {
    when: "The body is above `limits.bodyBytesMax` or `access.inputBytesMax`, its input above `access.inputTokensMax`, or the headers above Envoy's limit.",
    helps: "Send less, or raise the limit; the message has both figures.",
  },
  rate_limited: {
    when: "A limit of the policy (`limits`: requests, calls at once, tokens in a short time), or the provider account's own quota (`providers.<name>.limits`), has no room for the call.",
    helps: "Wait for `retry-after`; the `ratelimit` headers say what is left.",
  },
  budget_exhausted: {
    when: "The call does not fit into what is left of a budget (`budgets`), or an operator has frozen it. The message has the budget and the rest.",
    helps: "Ask for less output, wait for the window's end, or have it granted more: [budgets.md](budgets.md).",
  },
  cost_cap: {
    when: "The call may cost more than `caps.costUsdMax` or `x-ai-max-cost-usd`, and the policy refuses or nothing of it would fit. The message says what would. On a stream that was ended at its cap of output or cost the record has it too; the caller's answer ends like any that met its length.",
    helps: "Ask for less output, a shorter input or a cheaper model.",
  },
  latency_cap: {
    when: "No answer, or no whole answer, within `caps.latencyMsMax` or `x-ai-max-latency-ms`. A stream that runs is ended well formed instead, as if it had met its length.",
    helps: "A larger cap, a smaller output, a faster model.",
  },
  content_blocked: {
    when: "A rule of the policy on texts refused the request or ended the answer; or an answer could not be inspected as the rules demand.",
    helps: "The record's `stages` say which rule, what it found and where. Leave the content out, or have the policy treat it otherwise.",
  },
  injection_suspected: {
    when: "A text scores at or above a `refuse` threshold of the `injection` rules, or a `strip` one where it cannot be rewritten.",
    helps:
      "The record has score, families and place. Higher thresholds, or `strip` or `spotlight` instead; see the stage's [settings](policy-reference.md).",
  },
  approval_required: {
    when: "The model called a tool whose calls people approve (`access.tools.approve`), and no grant for this very call is there.",
    helps: "Have the approval that the message names decided, then send the same request again; see [approvals](approvals.md).",
  },
  residency_violation: {
    when: "No target that speaks the caller's API has the tenant's `residency` in its provider's list.",
    helps: "Add a provider there, or correct `providers.<name>.residency`.",
  },
  idempotency_conflict: "reserved",
  duplicate_in_flight: "reserved",
  no_target: {
    when: "Nothing that was asked for is served by a provider that speaks the caller's API, or none in the region of `x-ai-region`; no price of the model is known and a budget in money counts the call; or Envoy does not have the provider's cluster.",
    helps: "Ask for another model, add a target; for Envoy see [troubleshooting.md](troubleshooting.md).",
  },
  upstream_timeout: {
    when: "The provider did not answer within `timeouts`, was silent for `timeouts.idleMs`, or answered 408 or 504.",
    helps: "Try again; raise the timeouts.",
  },
  upstream_rate_limited: { when: "The provider answered 429.", helps: "Try again after `retry-after`; ask the provider for more." },
  upstream_unauthorised: {
    when: "The provider answered 401 or 403, or Envoy has no key for it.",
    helps: "The operator's to mend: the key's variable or file, see [troubleshooting.md](troubleshooting.md).",
  },
  upstream_content_filter: "reserved",
  upstream_invalid: {
    when: "The provider answered another 4xx (its own text is passed on), an encoded answer that nobody asked for, or a body above `limits.bodyBytesMax`.",
    helps: "Read the provider's message: most often a parameter that the model does not take.",
  },
  upstream_error: { when: "The provider answered 5xx, could not be reached, failed TLS or broke off.", helps: "Try again." },
  store_unavailable: {
    when: "The record cannot be written (disk full) and the policy says `evidence.onFault: refuse`, or something that a rule needs cannot be reached.",
    helps: "Free the disk; see the log for what failed.",
  },
  overloaded: {
    when: "More exchanges or bytes at once than one process takes, a provider's `maxRequests` is met, or Sluice is gone, silent or starting.",
    helps: "Try again after `retry-after`; if it stays, see [troubleshooting.md](troubleshooting.md).",
  },
  internal: { when: "A bug. Nothing passed uninspected.", helps: "The log has `exchange_fault` with the id; report it." },
};

export function codesPage(): GeneratedPage {
  const id = "828d4ce5-9a30-4043-bb38-7a2c28db2ffb";
  const used = DENIAL_CODES.flatMap((name) => {
    const text = WHEN[name];
    return text === "reserved" ? [] : [{ name, ...text }];
  });
  const reserved = DENIAL_CODES.filter((name) => WHEN[name] === "reserved");
  const answered = (name: DenialCode): string => {
    const row = DENIALS[name];
    return `${row.status}`;
  };
  return page("docs/codes.md", [
    "# Codes",
    "",
    "Every refusal of Sluice and every error of a provider has one code of this closed table. It stands in the header `x-ai-error`, in the error",
    "object, in the record (`code`), and as label of the metrics. `x-should-retry` says whether the same call can succeed later; the SDKs of OpenAI",
    "and Anthropic obey it. Where a time is known, `retry-after` has it in seconds.",
    "",
    "| Kind | Body that the caller gets |",
    "| --- | --- |",
    "| a refusal of Sluice or Envoy | an error object in the caller's dialect, see below |",
    "| `upstream_*` for an error that the provider answered | the provider's own status and body, with `x-ai-error` added; `errors: normalised` in the policy replaces them |",
    "",
    "## When they come",
    "",
    ...table(
      ["Code", "Status", "Retry", "When", "What helps"],
      used.map(({ name, when, helps }) => [code(name), answered(name), DENIALS[name].retryable ? "yes" : "no", when, helps]),
    ),
    "",
    "Reserved for rules that this version does not have; never sent:",
    `${reserved.map(code).join(", ")}.`,
    "",
    "## In each dialect",
    "",
    "What an SDK's exception is made of. The message is the code's text or a more exact one.",
    "",
    ...table(
      ["Code", "OpenAI `error.type`", "Anthropic `error.type`", "Google `error.status`", "AWS `x-amzn-errortype`", "Text"],
      DENIAL_CODES.map((name) => {
        const row = DENIALS[name];
        return [code(name), code(row.openai), code(row.anthropic), code(row.gemini), code(awsErrorType(name)), row.text];
      }),
    ),
    "",
    "The same refusal, as each dialect's callers read it:",
    "",
    ...Object.values(DIALECTS).flatMap(({ dialect, renderError }) => [
      `${dialect}${REQUEST_ID_HEADERS[dialect] === undefined ? "" : ` (the id also in \`${REQUEST_ID_HEADERS[dialect]}\`)`}:`,
      "```json",
      JSON.stringify(renderError({ code: "model_not_allowed" }, id)),
      "```",
    ]),
  ]);
}
