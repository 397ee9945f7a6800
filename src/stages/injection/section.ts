import { z } from "zod";

const threshold = z.number().min(0).max(1).optional();

const whole = {
  warn: threshold.describe("From this score on, the answer carries x-ai-injection and the record says so."),
  refuse: threshold.describe("From this score on, the call is refused (injection_suspected)."),
};
const strip = threshold.describe("From this score on, the strongest stretch is replaced by [removed], until the text scores less.");

/** The `injection` section: what is done with texts that look like attacks on the model. Without a threshold nothing is scored. */
export const injectionSection = z
  .strictObject({
    user: z
      .strictObject({ ...whole, strip })
      .default(() => ({}))
      .describe("The user's own words and earlier turns; by score, 0 to 1."),
    untrusted: z
      .strictObject({
        ...whole,
        strip,
        spotlight: threshold.describe(
          "From this score on, the text is put between marks that say it is data; 0: always. Where strip holds too, what is left.",
        ),
      })
      .default(() => ({}))
      .describe(
        "Tool results, documents and search results, and other content from elsewhere; also the user's words where x-ai-untrusted: true. By score, 0 to 1.",
      ),
    toolDefinitions: z
      .strictObject(whole)
      .default(() => ({}))
      .describe("Names, descriptions and schemas of the tools that a request offers; by score, 0 to 1."),
    datamark: z
      .boolean()
      .default(true)
      .describe("Spotlighted text has a mark in place of its spaces, so that a model can tell it from instructions anywhere in it."),
    classifier: z
      .strictObject({
        timeoutMs: z.int().min(1).max(30_000).default(500).describe("Longest wait for the classifier, milliseconds."),
        onFault: z
          .enum(["fault", "builtin"])
          .default("fault")
          .describe("The classifier is gone, slow or answers nonsense: the stage's onFault decides, or the built-in score alone."),
      })
      .optional()
      .describe("Ask the classifier of this installation too; the higher score counts. Texts leave the process for it."),
  })
  .describe("Prompt injection and jailbreaks: a score for each text of the request, and what is done from which score on.");

export type InjectionSection = z.infer<typeof injectionSection>;
