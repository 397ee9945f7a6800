import { DIALECTS } from "../../../src/codecs/dialects.ts";
import { CONTRACT_FIELD_NAMES, CONTRACT_FIELDS, type ContractField } from "../../../src/core/contract.ts";
import { code, type GeneratedPage, page, table } from "./page.ts";

/** Held against the contract stage by a test. */
export const NOT_KEPT = "Refused for now (`contract_violation`): no rule of this version keeps it.";

export const MEANING: Readonly<Record<ContractField, string>> = {
  contract: "Version of these fields; 1 where absent.",
  tenant: "Must be the credential's own. For logs of the application; it changes nothing.",
  app: "Must be the credential's own.",
  user: "On whose behalf the application calls. Recorded; must be the credential's own where it is bound to a user.",
  channel: "web, phone, batch ... Recorded.",
  useCase: "What the call is for: one of the app's `useCases`. Its only one is taken where absent, unless the policy demands it.",
  conversation: "Ties calls together. Recorded.",
  dataClass: "How sensitive the content is. Recorded.",
  maxTokens: "Most output tokens of this call; the tighter of it and the policy's cap holds.",
  maxCostUsd: "Most that this call may cost, dollars; the tighter of it and the policy's cap holds, as `caps.onExceeded` says.",
  maxLatencyMs: "Longest time to the last byte; the tighter of it and the policy's cap holds.",
  modelFamily: "Only models of this family; picks one where the body names no model.",
  qualityTier: "Goes before the model field: the policy's models of this tier.",
  region: "Only targets in this region.",
  redactionProfile:
    "standard, strict or a profile of the policy: what is found in texts is treated as the stricter of it and the policy's own says.",
  retention: NOT_KEPT,
  untrusted: "true: the call brings content that nobody vouches for, so that the policy's rules for tainted exchanges hold.",
  piiMode: "partial, pseudonymise, hash, mask or block: at least this becomes of personal, financial and network data.",
};

/** Headers that Sluice or its Envoy adds to answers. A test holds the list against the sources. */
export const ANSWER_HEADERS: readonly (readonly [name: string, when: string, what: string])[] = [
  [
    "x-ai-request-id",
    "always",
    "The exchange's id: `id` of its record. Where Envoy answered without Sluice, the caller's or Envoy's `x-request-id`.",
  ],
  [
    "x-ai-decision",
    "unless Envoy answered without Sluice",
    "`allowed`, `warned`, `degraded` (another model than asked for, a text of ours, or an answer that a rule cut or took a call out of) or `refused` (`cached` is reserved).",
  ],
  [
    "x-ai-injection",
    "a text met a threshold of the `injection` rules",
    "`action=warn, score=0.87, place=tool_result`: what was done about the strongest such text.",
  ],
  ["x-ai-policy", "once the caller is known", "`tenant/app/use-case@version`: which rules held."],
  ["x-ai-warning", "mode `warn`", "Codes of rules that would have refused."],
  ["x-ai-model", "the call went to a provider", "The policy's name of the model."],
  ["x-ai-provider", "the call went to a provider", "The policy's name of the provider."],
  ["x-ai-attempts", "the call went to a provider", "How often Envoy tried, the first included."],
  ["x-ai-usage", "not on streams", "Tokens and other units, as a list of `name=number`; `estimated` where the provider did not say."],
  ["x-ai-cost-usd", "not on streams, and only where the price is known", "Dollars, exact."],
  ["x-ai-budget-limit", "a budget counts the call", "The budget with least left, with what was granted to it: dollars, or tokens."],
  ["x-ai-budget-remaining", "with it", "What is left of it, holds of calls under way taken off."],
  ["x-ai-budget-unit", "with it", "`usd` or `tokens`."],
  ["x-ai-budget-window", "with it", "`day`, `week`, `month`, or a time such as `12h`."],
  ["x-ai-budget-reset", "with it", "Seconds until its window ends."],
  [
    "x-ai-budget-warning",
    "a budget is past its `warnAt`",
    'Which, and how far: `"day";scope="app=bot";used=0.83`. A structured field (RFC 9651), a list where there are several.',
  ],
  [
    "ratelimit",
    "a limit of requests or tokens counts the call",
    'What is left, and seconds until all is back: `"requests-1s";r=39;t=1` (draft-ietf-httpapi-ratelimit-headers).',
  ],
  ["ratelimit-policy", "with it", 'The limits themselves: `"requests-1s";q=20;w=1`.'],
  [
    "ratelimit-limit",
    "with it",
    "The same in the form of older drafts, of the limit with least left, or that refused the call: most at once. Limits of tokens show here where there are none of requests, or where they refuse.",
  ],
  ["ratelimit-remaining", "with it", "What of it is left."],
  ["ratelimit-reset", "with it", "Seconds until all of it is back."],
  ["x-ai-error", "refusals and provider errors", "One of the [codes](codes.md)."],
  ["x-should-retry", "refusals", "`true` or `false`: what OpenAI's and Anthropic's SDKs do then."],
  ["retry-after", "refusals that know a time", "Whole seconds."],
  [
    "traceresponse",
    "where spans are exported ([telemetry.md](telemetry.md))",
    "Trace and span id of the exchange (W3C Trace Context, level 2).",
  ],
];

export function headersPage(): GeneratedPage {
  return page("docs/headers.md", [
    "# Headers",
    "",
    "An application needs none of these: base URL and key are enough. They say more about a call, tighten what it may do, or tell what was done.",
    "",
    "## What a caller may send",
    "",
    "As a header, or for SDKs that cannot set headers as a member of the body's `metadata` object, which is taken out before the provider sees it.",
    "A header goes before the member, the credential before both. Whether a field is required, optional or forbidden is the policy's to say",
    "(`contract`).",
    "",
    ...table(
      ["Header", "In `metadata`", "Value", "Meaning"],
      CONTRACT_FIELD_NAMES.map((field) => {
        const row = CONTRACT_FIELDS[field];
        return [code(row.header), code(row.member), row.expects, `${MEANING[field]}${row.limiting ? " **Limiting.**" : ""}`];
      }),
    ),
    "",
    "A name that differs from a *limiting* field's by one letter, plural or dashes is refused (`contract_violation`), because a cap that is silently",
    "ignored is worse than an error. Other unknown `x-ai-*` names are recorded and ignored; with `contract: { strict: true }` they are refused.",
    "",
    "Also read: `x-request-id` (kept in the record; made by Envoy where absent) and `traceparent` and `tracestate` (W3C Trace Context).",
    "",
    "The model field takes a model of the policy, `tier:high`, `tier:standard`, `tier:cheap`, or `family:NAME`.",
    "",
    "## Where the key goes",
    "",
    "Wherever the SDK puts it: `authorization: Bearer`, `x-api-key`, `api-key`, `x-goog-api-key` or `?key=`. Other kinds of credentials:",
    "[credentials.md](credentials.md). Two that prove different callers are refused.",
    "",
    "## What comes back",
    "",
    ...table(
      ["Header", "When", "What"],
      ANSWER_HEADERS.map(([name, when, what]) => [code(name), when, what]),
    ),
    "",
    "Taken out of providers' answers: `set-cookie`, `openai-organization`, `openai-project`, `anthropic-organization-id`. Everything else of the",
    "provider's passes, `x-request-id` and `request-id` among it: those are the provider's own ids.",
    "",
    "In shadow and warn an answer's status and body are what they would be without rules; the headers above are added.",
    "",
    "## What reaches a provider",
    "",
    "An allow-list. Always `content-type`, `content-length`, `accept`, `user-agent`; Envoy adds `host` and the provider's credential; and by format:",
    "",
    ...table(
      ["Format", "Headers"],
      Object.values(DIALECTS).map(({ dialect, forwardedHeaders }) => [
        dialect,
        forwardedHeaders.length === 0 ? "none" : forwardedHeaders.map(code).join(", "),
      ]),
    ),
    "",
    "And `traceparent`, unless the policy says `telemetry: { propagate: false }`: the exchange's span where spans are exported, else as the caller sent it.",
    "",
    "So no `x-ai-*`, no cookie, no forwarding header and never the caller's key.",
  ]);
}
