import { z } from "zod";

/** What may become of a value that was found, from the least to the most that is kept from the provider. */
export const ACTIONS = ["pass", "watch", "partial", "pseudonymise", "hash", "mask", "block"] as const;
export type Action = (typeof ACTIONS)[number];

const action = z
  .enum(ACTIONS)
  .describe(
    "pass: not looked for. watch: counted and left. partial: all but the last four signs starred. pseudonymise: a stand-in of the same form, put back in the answer. hash: a keyed digest. mask: <EMAIL>. block: the call is refused.",
  );
const byEntity = z.record(
  z
    .string()
    .max(64)
    .regex(/^(?:[a-z][a-z0-9_]*\*?|\*)$/, "must be an entity, a class of them, or a prefix with * -> write email, secret, uk_* or *"),
  action,
);
const profile = z.strictObject({
  description: z.string().max(2000).optional().describe("For the reader; changes nothing."),
  extends: z.enum(["standard", "strict"]).optional().describe("Begin with this profile. Absent: with nothing."),
  entities: byEntity
    .default({})
    .describe(
      "What is done with what, by entity (email), class (personal, financial, network, secret), prefix (uk_*) or * for all; the most specific counts.",
    ),
  answers: byEntity
    .default({})
    .describe(
      "The same for values that the model brings up itself. Stand-ins are put back whatever this says; block ends the answer, pseudonymise means mask.",
    ),
  minScore: z
    .number()
    .min(0)
    .max(1)
    .optional()
    .describe("Findings less sure than this are left: 1 a checksum or published shape, 0.8 a word of context near it; 0.5 where absent."),
  numbers: z
    .enum(["string", "zero"])
    .optional()
    .describe("A value that stands as a JSON number and cannot stay one: becomes a string (where absent), or 0."),
});
export type ProfileSetting = z.infer<typeof profile>;

/** The `redact` section: what must not leave, in requests and in answers. */
export const redactSection = z
  .strictObject({
    profile: z
      .string()
      .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, "must be a name -> write standard, strict, or one of profiles")
      .optional()
      .describe("standard, strict, or one of `profiles`. Absent: nothing is looked for unless the caller asks."),
    profiles: z
      .record(z.string(), profile)
      .meta({ propertyNames: { pattern: "^(?!standard$|strict$|off$|none$)[A-Za-z0-9][A-Za-z0-9._-]{0,63}$" } })
      .default({})
      .describe("Profiles of your own; those of `defaults` are known everywhere. Callers may ask for one in x-ai-redaction-profile."),
    analyser: z
      .strictObject({
        name: z.string().min(1).max(64).describe("One of `analysers`."),
        language: z
          .string()
          .regex(/^[a-z]{2,3}(?:-[A-Za-z]{2,4})?$/, "must be a language -> write for example en")
          .default("en")
          .describe("What the texts are said to be in."),
      })
      .optional()
      .describe(
        "A service that is asked about requests too. What it finds counts as personal, under the names of its `entities`. Where it fails, onFault decides.",
      ),
  })
  .refine(
    ({ profile: name, profiles }) =>
      name === undefined || ["standard", "strict"].includes(name) || Object.keys(profiles).length === 0 || name in profiles,
    "names a profile that is not there -> write it under profiles, or use standard or strict",
  )
  .describe("What must not leave: personal data, financial data and secrets, found and replaced in requests and answers.");
export type RedactSection = z.infer<typeof redactSection>;
