import { z } from "zod";
import { layer, stretch, whose } from "../shared/ledger-rules.ts";

const count = z.int().min(1).max(1_000_000_000);
const rule = {
  ...whose,
  requests: count.optional().describe("Calls for each `window`, evenly: after a burst one comes back every window / requests."),
  tokens: z.int().min(1).max(Number.MAX_SAFE_INTEGER).optional().describe("Tokens, input and output together, for each `window`."),
  concurrent: z.int().min(0).max(1_000_000).optional().describe("Calls at once, from their arrival to the end of their answer."),
  window: stretch.optional().describe("Of requests and tokens: 1s, 1m, 12h ..."),
  burst: count.optional().describe("Calls that may come at once before `requests` slows them; as many as `requests` where absent."),
};
const limitRule = z
  .strictObject(rule)
  .refine(
    ({ requests, tokens, concurrent }) => [requests, tokens, concurrent].filter((one) => one !== undefined).length === 1,
    "must limit one thing -> write requests: 20 with window: 1s, or tokens: 200000 with window: 1m, or concurrent: 2",
  )
  .refine(
    ({ requests, tokens, window }) => (window !== undefined) === (requests !== undefined || tokens !== undefined),
    "requests and tokens need a window, concurrent has none -> write window: 1m, or take it out",
  )
  .refine(({ requests, burst }) => burst === undefined || requests !== undefined, "burst goes with requests -> take it out");

const onStoreLost = z
  .enum(["reject", "allowance"])
  .default("reject")
  .describe(
    "While the store of limits and budgets is gone: refuse the call as store_unavailable, or let each process spend from a small share of its own (`sluice serve --ledger-allowance`).",
  );

/** The `limits` section: how much at once, and how fast. Rules of all layers hold together. */
export const limitsSection = z
  .strictObject({
    rules: z
      .array(limitRule)
      .max(64)
      .default(() => [])
      .describe("Limits; those of defaults, use case, tenant and app hold together."),
    onStoreLost,
  })
  .describe("How many calls, how many at once, how many tokens in a short time. May be written as the list of rules alone.");

/** Rules of all layers, each with the layer that it stands in. */
export const mergedLimits = z.object({
  rules: z.array(z.object({ ...rule, layer })).default(() => []),
  onStoreLost,
});
export type LimitsSection = z.infer<typeof mergedLimits>;
export type LimitRule = LimitsSection["rules"][number];
