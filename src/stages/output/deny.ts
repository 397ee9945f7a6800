import { z } from "zod";
import type { Detector } from "../../core/detector.ts";
import { CUSTOM_PATTERN_CHARS_MAX } from "../../core/limits.ts";
import { memoized } from "../../core/memo.ts";
import type { Result } from "../../core/result.ts";
import { customPatternDetector } from "../../detectors/custom/index.ts";
import { detectorsOf, ENTITIES, SCORE_MIN } from "../../detectors/index.ts";
import { FoundSearch } from "./found.ts";
import { lower, PhraseSearch } from "./phrases.ts";
import type { Search } from "./rule.ts";

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

const detectorOf = (pattern: string, ignoreCase: boolean): Result<Detector, string> =>
  customPatternDetector({ entity: "denied", class: "personal", pattern, ignoreCase });

/** What is wrong with an entry. */
export function deniedProblem({ words, pattern, ignoreCase, entities }: Denied): string | undefined {
  if ([words, pattern, entities].filter((said) => said !== undefined).length !== 1)
    return "must have one of words, pattern and entities -> keep one of them, and write the others as entries of their own";
  if (pattern === undefined) return undefined;
  const made = detectorOf(pattern, ignoreCase);
  return made.ok ? undefined : `cannot be looked for: ${made.error} -> write it otherwise`;
}

/** How a search for what an entry names is opened; made once for an entry, which has no problem. */
const openerOf = memoized(({ words, pattern, ignoreCase, entities = [] }: Denied): (() => Search) => {
  if (words !== undefined) {
    const phrases = words.map(lower);
    return () => new PhraseSearch(phrases);
  }
  if (pattern !== undefined) {
    const made = detectorOf(pattern, ignoreCase);
    const detectors: readonly Detector[] = made.ok ? [made.value] : [];
    return () => new FoundSearch(detectors, () => true);
  }
  const named = new Set(entities);
  const detectors = detectorsOf(named);
  return () => new FoundSearch(detectors, ({ entity, score }) => score >= SCORE_MIN && named.has(entity));
});

/** Opens a search for what an entry names. */
export const openDenied = (entry: Denied): Search => openerOf(entry)();
