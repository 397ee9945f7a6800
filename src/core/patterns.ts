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
 * Three lists together: of all patterns that match, the most specific decides (an exact name before a prefix, a longer prefix before a
 * shorter one); on a tie deny, then approve; a name that nothing matches is denied.
 * So `allow: [search_kb], deny: ["*"]` lets only search_kb through, and `allow: ["*"], deny: [shell]` all but shell.
 */
export function judgeName(
  lists: { readonly allow: readonly string[]; readonly approve: readonly string[]; readonly deny: readonly string[] },
  name: string,
): "allow" | "approve" | "deny" {
  const [allow, approve, deny] = [specificity(lists.allow, name), specificity(lists.approve, name), specificity(lists.deny, name)];
  if (deny >= allow && deny >= approve) return "deny";
  return approve >= allow ? "approve" : "allow";
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
