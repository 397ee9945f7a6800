import { plainName } from "./credentials.ts";
import { memoized } from "./memo.ts";

/**
 * Name patterns of policies: an exact name, a prefix that ends in `*` (`gpt-4o*`), or `*` alone. Nothing else is special,
 * so a match takes linear time whatever the configuration says. Case counts.
 */
export function matchesPattern(pattern: string, name: string): boolean {
  return pattern.endsWith("*") ? name.startsWith(pattern.slice(0, -1)) : pattern === name;
}

/** True when any of the patterns matches. */
export function matchesAny(patterns: readonly string[], name: string): boolean {
  return patterns.some((pattern) => matchesPattern(pattern, name));
}

const plainly = memoized((patterns: readonly string[]) => patterns.map(plainName));

/**
 * As `matchesAny`, for what a policy forbids or watches: also where the name is written otherwise (case, full width, blanks around it), since the
 * program that takes it may not tell them apart.
 */
export function matchesAnyForm(patterns: readonly string[], name: string): boolean {
  if (patterns.length === 0) return false;
  return matchesAny(patterns, name) || matchesAny(plainly(patterns), plainName(name));
}

/**
 * Three lists together: of all patterns that match, the most specific decides (an exact name before a prefix, a longer prefix before a
 * shorter one); on a tie deny, then approve; a name that nothing matches is denied.
 * So `allow: [search_kb], deny: ["*"]` lets only search_kb through, and `allow: ["*"], deny: [shell]` all but shell, and Shell.
 */
export function judgeName(
  lists: { readonly allow: readonly string[]; readonly approve: readonly string[]; readonly deny: readonly string[] },
  name: string,
): "allow" | "approve" | "deny" {
  const [allow, approve, deny] = [specificity(lists.allow, name), inAnyForm(lists.approve, name), inAnyForm(lists.deny, name)];
  if (deny >= allow && deny >= approve) return "deny";
  return approve >= allow ? "approve" : "allow";
}

/** An exact name in another form counts a little less than one as it is written. */
function inAnyForm(patterns: readonly string[], name: string): number {
  if (patterns.length === 0) return -1;
  return Math.max(specificity(patterns, name), Math.min(specificity(plainly(patterns), plainName(name)), Number.MAX_SAFE_INTEGER - 1));
}

/** Length of the best matching pattern's fixed part; an exact name beats every prefix; -1 when none matches. */
function specificity(patterns: readonly string[], name: string): number {
  let best = -1;
  for (const pattern of patterns) {
    if (!matchesPattern(pattern, name)) continue;
    best = Math.max(best, pattern.endsWith("*") ? pattern.length - 1 : Number.MAX_SAFE_INTEGER);
  }
  return best;
}
