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

/**
 * Allow and deny lists together: of all patterns that match, the most specific decides (an exact name before a prefix, a
 * longer prefix before a shorter one); deny wins a tie; a name that nothing matches is denied.
 * So `allow: [search_kb], deny: ["*"]` lets only search_kb through, and `allow: ["*"], deny: [shell]` all but shell.
 */
export function allowsName(lists: { readonly allow: readonly string[]; readonly deny: readonly string[] }, name: string): boolean {
  return specificity(lists.allow, name) > specificity(lists.deny, name);
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
