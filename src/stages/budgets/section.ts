import { z } from "zod";
import { usdAmount } from "../shared/account-limits.ts";
import { anyWindow, layer, whose } from "../shared/ledger-rules.ts";

/** A tier of the policy or one of its models, as callers would name it. */
const other = z.string().min(1).max(128);
const onExhausted = z
  .union([
    z.literal("reject"),
    z.strictObject({
      switchTo: other.describe("A tier (high, standard, cheap) or a model. It is checked like any other, and must fit the budget itself."),
    }),
    z.strictObject({ answer: z.string().min(1).max(4000).describe("What Sluice says in the provider's place.") }),
  ])
  .describe("When a call no longer fits: reject it (budget_exhausted), try a cheaper tier or model, or answer with a text.");

const rule = {
  ...whose,
  window: anyWindow.describe("day, week, month (in the tenant's time zone), or a time such as 1h."),
  usd: usdAmount.optional(),
  tokens: z.int().min(0).max(Number.MAX_SAFE_INTEGER).optional().describe("Tokens, input and output together, for each window."),
  warnAt: z.number().gt(0).lt(1).optional().describe("Share that is spent or held from which answers carry x-ai-budget-warning: 0.8."),
  onExhausted: onExhausted.default("reject"),
};
const budgetRule = z
  .strictObject(rule)
  .refine(
    ({ usd, tokens }) => (usd === undefined) !== (tokens === undefined),
    "must be in money or in tokens -> write usd: 50 or tokens: 1000000",
  );

const settings = {
  unpriced: z
    .enum(["refuse", "allow"])
    .default("refuse")
    .describe("A model without a price, where a budget in money counts the call: refuse the call, or let it pass uncounted in money."),
  outputTokensAssumed: z
    .int()
    .min(1)
    .max(10_000_000)
    .default(4096)
    .describe("Output tokens held for a call that has no output cap: neither its own, nor one of `caps`."),
  onLapse: z
    .enum(["charge-estimate", "release"])
    .default("charge-estimate")
    .describe("What a process held that died: count it as spent, or give it back."),
  onStoreLost: z
    .enum(["reject", "allowance"])
    .default("reject")
    .describe(
      "While the store of limits and budgets is gone: refuse the call as store_unavailable, or let each process spend from a small share of its own (`sluice serve --ledger-allowance`).",
    ),
};

/** The `budgets` section: how much by day, week and month. Rules of all layers hold together. */
export const budgetsSection = z
  .strictObject({
    rules: z
      .array(budgetRule)
      .max(64)
      .default(() => [])
      .describe("Budgets; those of defaults, use case, tenant and app hold together, and all must have room."),
    ...settings,
  })
  .describe("Money and tokens by day, week and month. May be written as the list of budgets alone.");

/** Of `limits`, what is needed here: tokens are known with the plan, so they are held with the budgets; so is the model, where it was asked for by tier. */
const mode = z.enum(["off", "shadow", "warn", "enforce"]).default("enforce");
const number = z.number().optional();
const joinedLimits = z.object({
  mode,
  onFault: z.enum(["open", "closed"]).default("closed"),
  onStoreLost: z.enum(["reject", "allowance"]).default("reject"),
  rules: z
    .array(
      z.object({
        ...{ ...whose, layer, window: z.string().optional() },
        ...{ tokens: number, requests: number, concurrent: number, burst: number },
      }),
    )
    .default(() => []),
});
export const mergedBudgets = z.object({
  rules: z.array(z.object({ ...rule, layer })).default(() => []),
  ...settings,
  joined: z.object({ limits: joinedLimits.prefault({}), budgets: z.object({ mode }).prefault({}) }).prefault({}),
});
export type BudgetsSection = z.infer<typeof mergedBudgets>;
export type BudgetRule = BudgetsSection["rules"][number];
