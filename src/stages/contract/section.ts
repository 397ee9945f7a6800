import { z } from "zod";
import { CONTRACT_VERSIONS } from "../../core/contract.ts";

const rule = z.enum(["required", "optional", "forbidden"]).default("optional");

/** The `contract` section: which fields a caller must, may or must not send, and how strictly the rest is taken. */
export const contractSection = z
  .strictObject({
    tenant: rule.describe("x-ai-tenant. A value that differs from the credential's tenant is refused whatever this says."),
    app: rule.describe("x-ai-app. A value that differs from the credential's app is refused whatever this says."),
    user: rule.describe("x-ai-user: on whose behalf the application calls."),
    channel: rule.describe("x-ai-channel: web, phone, batch ..."),
    useCase: rule.describe("x-ai-use-case. `required`: the caller must name it, even where its app has only one."),
    conversation: rule.describe("x-ai-conversation: an id that ties calls together."),
    dataClass: rule.describe("x-ai-data-class: public, internal, confidential or restricted."),
    maxTokens: rule.describe("x-ai-max-tokens: the caller's own output cap."),
    maxCostUsd: rule.describe("x-ai-max-cost-usd: the caller's own cost cap."),
    maxLatencyMs: rule.describe("x-ai-max-latency-ms: the caller's own latency cap."),
    modelFamily: rule.describe("x-ai-model-family: ask for a family in place of a model."),
    qualityTier: rule.describe("x-ai-quality-tier: ask for a tier in place of a model."),
    region: rule.describe("x-ai-region: only targets in this region."),
    redactionProfile: rule.describe("x-ai-redaction-profile."),
    retention: rule.describe("x-ai-retention."),
    untrusted: rule.describe("x-ai-untrusted: the call brings content that nobody vouches for."),
    piiMode: rule.describe("x-ai-pii-mode."),
    strict: z
      .boolean()
      .default(false)
      .describe("true: an unknown x-ai-* field is refused. false: it is recorded and ignored, unless it looks like a misspelt limit."),
    versions: z
      .array(z.enum(CONTRACT_VERSIONS))
      .min(1)
      .default(() => [...CONTRACT_VERSIONS])
      .describe("Contract versions (x-ai-contract) that callers may speak."),
  })
  .describe("What callers say about their calls: required, optional or forbidden, field by field.");

export type ContractSection = z.infer<typeof contractSection>;
