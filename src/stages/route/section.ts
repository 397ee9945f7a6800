import { z } from "zod";

/** The `route` section: how a target is chosen and how often it is tried. */
export const routeSection = z
  .strictObject({
    retry: z
      .strictObject({
        on: z
          .array(z.enum(["timeout", "rate_limited", "5xx", "connect"]))
          .max(4)
          .default(() => ["connect" as const])
          .describe(
            "What is tried again: timeout (a try that ran out of perTryMs, or that the provider broke off before it answered; may be billed twice), rate_limited (429), 5xx (and what timeout says: Envoy takes those for one), connect (never reached the provider).",
          ),
        attempts: z.int().min(1).max(5).default(2).describe("Attempts in all, the first included."),
      })
      .prefault({})
      .describe("Retries, made by Envoy before the first byte of an answer."),
    preferRegions: z
      .array(z.string().min(1).max(64))
      .max(64)
      .default(() => [])
      .describe("Regions in order of preference; targets of other regions come after them, in the order of the policy."),
  })
  .describe("Which target serves the call.");

export type RouteSection = z.infer<typeof routeSection>;
