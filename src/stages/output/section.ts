import { z } from "zod";
import { hostRule } from "../shared/hosts.ts";
import { jsonSchema } from "../shared/json-schema.ts";
import { denied, deniedProblem } from "./deny.ts";

const action = z.enum(["redact", "cut", "replace", "refuse"]);
const THEN =
  "redact: only the place. cut: the answer ends there, as filtered ones do. replace: it ends there with `replaceWith`. refuse: an error.";

/** The `output` section: what an answer must be and must not hold. */
export const outputSection = z
  .strictObject({
    maxChars: z
      .int()
      .min(1)
      .optional()
      .describe(
        "Longest text of one choice, all its blocks together, in UTF-16 units (what JavaScript and Java count as characters); it ends there as one that met its length.",
      ),
    deny: z
      .array(
        z
          .strictObject({
            name: z
              .string()
              .regex(/^[a-z][a-z0-9_]{0,63}$/, "must be a name -> use lower-case letters, digits and _")
              .describe("What the record calls it."),
            ...denied,
            action: action.default("redact").describe(THEN),
          })
          .superRefine((entry, check) => {
            const message = deniedProblem(entry);
            if (message !== undefined) check.addIssue({ code: "custom", message });
          }),
      )
      .max(100)
      .default([])
      .describe("What answers must not hold: phrases, patterns, entities."),
    urls: z
      .strictObject({
        allow: z.array(hostRule).max(1000).describe("Hosts that links and images may name; *.example.com has those below it."),
        inner: z
          .enum(["pass", "check"])
          .default("pass")
          .describe(
            "Addresses within a link, which an allowed host may forward to (https://docs.example.com/out?to=https://other.example). check: they must be on allowed hosts as well.",
          ),
        action: action.default("redact").describe(THEN),
      })
      .optional()
      .describe("Links and images to other hosts are how data is carried out of an answer that is shown."),
    systemPrompt: z
      .strictObject({
        words: z.int().min(4).max(100).default(12).describe("So many words in a row of the request's system texts are a leak."),
        canaries: z
          .array(z.string().min(6).max(200))
          .max(100)
          .default([])
          .describe("Marks that you put into system texts for this: an answer that has one leaks, spelled out, backwards or encoded too."),
        action: action.default("refuse").describe(THEN),
      })
      .optional(),
    schema: jsonSchema
      .optional()
      .describe("JSON Schema that the text of an answer must satisfy. A stream is held until its text is whole."),
    onInvalid: z.enum(["cut", "replace", "refuse"]).default("refuse").describe("What becomes of an answer that breaks `schema`."),
    replaceWith: z.string().max(4000).default("This answer was withheld by the policy.").describe("For `replace`."),
  })
  .describe("What answers must be and must not hold.");
export type OutputSection = z.infer<typeof outputSection>;
export type RuleAction = z.infer<typeof action>;
