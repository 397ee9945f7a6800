import { z } from "zod";
import { DATA_CLASSES } from "../../core/contract.ts";

const dataClass = z.enum(DATA_CLASSES);
const rule = z.strictObject({
  leave: z
    .enum(["anywhere", "private", "nowhere"])
    .default("anywhere")
    .describe("Where data of the class may go: to any target, only to providers that are `private`, or to none."),
  redaction: z
    .enum(["optional", "required"])
    .default("optional")
    .describe(
      "required: a call is refused in which something with this class by `map`, or all that was found, is left as it came (`redact` in shadow, or only watching). What `redact` does not look for is not known to be there.",
    ),
  cacheable: z.boolean().default(true).describe("false: no answer of such a call is kept for others."),
  retention: z.string().max(64).optional().describe("A name for those who keep records and answers; recorded."),
});

/** The `classification` section: how sensitive a call's data is, and what follows. */
export const classificationSection = z
  .strictObject({
    default: dataClass.optional().describe("Where neither the caller nor what was found says more."),
    map: z
      .record(
        z.string().regex(/^(?:[a-z][a-z0-9_]*\*?|\*)$/, "must be an entity or a prefix with * -> write payment_card or secret_*"),
        dataClass,
      )
      .default({})
      .describe("Class that what `redact` finds raises a call to, by entity or prefix_*; the highest of all that match."),
    classes: z
      .strictObject({ public: rule.optional(), internal: rule.optional(), confidential: rule.optional(), restricted: rule.optional() })
      .default({})
      .describe(
        "What follows from a class. One without a word here has the rules of the next lower one that has some: what is more sensitive never has fewer by silence.",
      ),
  })
  .describe("How sensitive the data of a call is: what the caller says, raised by what is found; and what follows from it.");
export type ClassificationSection = z.infer<typeof classificationSection>;
