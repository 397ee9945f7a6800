import { z } from "zod";
import { usdAmount } from "../shared/account-limits.ts";

/** The `caps` section: the most that one call may take. */
export const capsSection = z
  .strictObject({
    outputTokensMax: z
      .int()
      .min(1)
      .optional()
      .describe("Most output tokens of one call, in whichever field the caller's dialect has for it."),
    outputTokensDefault: z.int().min(1).optional().describe("Set where the caller gave no cap of its own; outputTokensMax where absent."),
    costUsdMax: usdAmount
      .optional()
      .describe("Most that one call may cost, US dollars, before it is made: input and all the output it may have."),
    onExceeded: z
      .enum(["clamp", "refuse", "degrade", "cut"])
      .default("clamp")
      .describe(
        "A call that may take more than outputTokensMax or costUsdMax. clamp: lower its output cap until it fits. refuse: say no, with what would fit. degrade: try `degradeTo`. cut: leave the request as it is, and end a stream where the cap is met (what does not stream, or thinks unseen, is clamped).",
      ),
    degradeTo: z.string().min(1).max(128).default("cheap").describe("onExceeded degrade: a tier (high, standard, cheap) or a model."),
    latencyMsMax: z
      .int()
      .min(1)
      .optional()
      .describe(
        "Longest time from arrival to the last byte, milliseconds. A running stream is ended well formed, a call without an answer gets latency_cap.",
      ),
  })
  .describe("The most that one call may take.");

export type CapsSection = z.infer<typeof capsSection>;
