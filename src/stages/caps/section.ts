import { z } from "zod";

/** The `caps` section: the most that one call may take. */
export const capsSection = z
  .strictObject({
    outputTokensMax: z
      .int()
      .min(1)
      .optional()
      .describe("Most output tokens of one call, in whichever field the caller's dialect has for it."),
    outputTokensDefault: z.int().min(1).optional().describe("Set where the caller gave no cap of its own; outputTokensMax where absent."),
    onExceeded: z
      .enum(["clamp", "refuse"])
      .default("clamp")
      .describe("A caller that asks for more than outputTokensMax: lower it, or refuse the call."),
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
