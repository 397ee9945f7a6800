import { z } from "zod";
import type { Detector } from "../../core/detector.ts";
import { CUSTOM_PATTERN_CHARS_MAX } from "../../core/limits.ts";
import { customPatternDetector } from "../../detectors/custom/index.ts";
import { DETECTORS, detectorsOf } from "../../detectors/index.ts";
import { FoundSearch } from "./found.ts";
import { lower, PhraseSearch } from "./phrases.ts";
import type { Search } from "./rule.ts";

/** Findings less sure than this are none, as in `redact`: 1 a checksum or published shape, 0.8 a word of context near it. */
const SCORE_MIN = 0.5;
const ENTITIES: ReadonlySet<string> = new Set(DETECTORS.flatMap(({ entities }) => entities));

/** What an entry of `deny` names; one of the three. */
export const denied = {
  words: z.array(z.string().min(2).max(200)).min(1).max(1000).optional().describe("Phrases that must not be said, in any case."),
  pattern: z
    .string()
    .min(1)
    .max(CUSTOM_PATTERN_CHARS_MAX)
    .optional()
    .describe("A pattern in RE2 syntax with a longest match: ACME-[0-9]{4,8}. Repetition without an end (*, +) is not taken."),
  ignoreCase: z.boolean().default(false).describe("Whether the pattern takes letters of either case."),
  entities: z
    .array(z.string().refine((name) => ENTITIES.has(name), "is no entity that is looked for -> docs/quality.md lists them"))
    .min(1)
    .max(100)
    .optional()
    .describe("Entities that must not be said, by name: payment_card, iban."),
};

type Denied = z.infer<z.ZodObject<typeof denied>>;

/** What is wrong with an entry. */
export function deniedProblem({ words, pattern, ignoreCase, entities }: Denied): string | undefined {
  if ([words, pattern, entities].filter((said) => said !== undefined).length !== 1)
    return "must have one of words, pattern and entities -> keep one of them, and write the others as entries of their own";
  if (pattern === undefined) return undefined;
  const made = customPatternDetector({ entity: "denied", class: "personal", pattern, ignoreCase });
  return made.ok ? undefined : `cannot be looked for: ${made.error} -> write it otherwise`;
}

/** Makes the search of an entry that has no problem, once for all answers. */
function openerOf({ words, pattern, ignoreCase, entities = [] }: Denied): () => Search {
  if (words !== undefined) {
    const phrases = words.map(lower);
    return () => new PhraseSearch(phrases);
  }
  if (pattern !== undefined) {
    const made = customPatternDetector({ entity: "denied", class: "personal", pattern, ignoreCase });
    const detectors: readonly Detector[] = made.ok ? [made.value] : [];
    return () => new FoundSearch(detectors, () => true);
  }
  const named = new Set(entities);
  const detectors = detectorsOf(named);
  return () => new FoundSearch(detectors, ({ entity, score }) => score >= SCORE_MIN && named.has(entity));
}

const openers = new WeakMap<Denied, () => Search>();

/** Opens a search for what an entry names. */
export function openDenied(entry: Denied): Search {
  let open = openers.get(entry);
  if (open === undefined) {
    open = openerOf(entry);
    openers.set(entry, open);
  }
  return open();
}
