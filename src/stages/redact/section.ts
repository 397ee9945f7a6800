import { z } from "zod";
import type { Detector } from "../../core/detector.ts";
import { CUSTOM_PATTERN_CHARS_MAX, CUSTOM_WORD_CHARS_MAX, CUSTOM_WORDS_MAX } from "../../core/limits.ts";
import { MEDIA_KINDS } from "../../core/media-kind.ts";
import type { Result } from "../../core/result.ts";
import { customPatternDetector, wordDetector } from "../../detectors/custom/index.ts";
import { ENTITIES } from "../../detectors/index.ts";

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

const custom = z
  .strictObject({
    words: z
      .array(z.string().min(1).max(256))
      .min(1)
      .max(CUSTOM_WORDS_MAX)
      .optional()
      .describe("Words and phrases, whole and in any case."),
    pattern: z
      .string()
      .min(1)
      .max(CUSTOM_PATTERN_CHARS_MAX)
      .optional()
      .describe("A pattern in RE2 syntax with a longest match: [A-Z]{2}-[0-9]{6}. Repetition without an end (*, +) is not taken."),
    ignoreCase: z.boolean().default(false).describe("Whether the pattern takes letters of either case."),
    class: z
      .enum(["personal", "financial", "network", "secret"])
      .default("personal")
      .describe("Which rules of a profile count for it beside its own name."),
  })
  .superRefine((value, check) => {
    if ((value.words === undefined) === (value.pattern === undefined))
      return check.addIssue({ code: "custom", message: "must have either words or pattern -> keep one of them" });
    const made = makeDetector("custom", value);
    if (!made.ok) check.addIssue({ code: "custom", message: `cannot be looked for: ${made.error} -> write it otherwise` });
  });
export type CustomSetting = z.infer<typeof custom>;

/** The detector of a dictionary or pattern of the policy. */
export function makeDetector(entity: string, { words, pattern = "", ignoreCase, class: kind }: CustomSetting): Result<Detector, string> {
  if (words !== undefined) return wordDetector({ entity, class: kind, words });
  return customPatternDetector({ entity, class: kind, pattern, ignoreCase });
}

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
    custom: z
      .record(z.string(), custom)
      .meta({ propertyNames: { pattern: "^[a-z][a-z0-9_]{0,63}$" } })
      .default({})
      .describe(
        "Entities of your own, by name: dictionaries and patterns. Rules of profiles name them like any other; `standard` gives them stand-ins.",
      ),
    allow: z
      .array(z.string().min(1).max(CUSTOM_WORD_CHARS_MAX))
      .max(CUSTOM_WORDS_MAX)
      .default([])
      .describe("Values that are never findings, whole and in any case: the address of your own support, test cards."),
    unread: z
      .partialRecord(z.enum([...MEDIA_KINDS, "*"]), z.enum(["allow", "refuse"]))
      .default({})
      .describe(
        "What becomes of calls that bring along what cannot be looked into, by what its bytes are: image, audio, video, document (PDF, Office), archive, other (encrypted, unknown), or * for all that is not named. Absent: they pass, and are not counted.",
      ),
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
  .refine(
    ({ custom: own }) => !Object.keys(own).some((name) => ENTITIES.has(name)),
    "names an entity that is built in -> give it a name of its own, such as acme_email",
  )
  .describe("What must not leave: personal data, financial data and secrets, found and replaced in requests and answers.");
export type RedactSection = z.infer<typeof redactSection>;
