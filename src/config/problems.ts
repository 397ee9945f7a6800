/** A mistake of the policy document, placed and with what to do about it. Texts hold names and numbers, never secrets. */
export interface PolicyProblem {
  readonly severity: "error" | "warning";
  readonly file: string;
  /** From 1; 0 when the problem is the file itself. */
  readonly line: number;
  readonly column: number;
  /** `useCases.support-reply.caps`; "" for the whole document. */
  readonly path: string;
  readonly message: string;
  readonly remedy: string;
}

/** A place in the policy document: map keys and list indexes from the root. */
export type Path = readonly (string | number)[];

/** `apps.bot.credentials[0].apiKey`; a key with other characters than names have is quoted. */
export function formatPath(path: Path): string {
  let text = "";
  for (const part of path) {
    if (typeof part === "number") text += `[${part}]`;
    else text += (text === "" ? "" : ".") + (/^[A-Za-z0-9_@/:-]+$/.test(part) ? part : JSON.stringify(part.slice(0, 64)));
  }
  return text;
}

/** One line: `policy.yaml:12:5: error: useCases.x.caps: what is wrong. Remedy: what to do`. */
export function formatProblem(problem: PolicyProblem): string {
  const place = problem.line === 0 ? problem.file : `${problem.file}:${problem.line}:${problem.column}`;
  const path = problem.path === "" ? "" : `${problem.path}: `;
  return `${place}: ${problem.severity}: ${path}${problem.message}. Remedy: ${problem.remedy}`;
}

/**
 * The known name that a misspelt one most likely means: case and separators aside equal, or within a third of its length
 * in edits (a swap of neighbours counts once). undefined when nothing is near.
 */
export function nearest(name: string, known: Iterable<string>): string | undefined {
  if (name.length > 64) return undefined;
  const plain = (text: string): string => text.toLowerCase().replaceAll(/[-_. ]/g, "");
  let best: string | undefined;
  let bestDistance = Math.max(1, Math.floor(name.length / 3)) + 1;
  for (const candidate of known) {
    if (candidate.length > 64) continue;
    const distance = plain(candidate) === plain(name) ? 0.5 : editDistance(plain(name), plain(candidate));
    if (candidate !== name && distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** Optimal string alignment distance; both texts are at most 64 long. */
function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      let cost = Math.min((row[j - 1] ?? 0) + 1, (last[j] ?? 0) + 1, (last[j - 1] ?? 0) + same);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) cost = Math.min(cost, (before[j - 2] ?? 0) + 1);
      row.push(cost);
    }
    before = last;
    last = row;
  }
  return last[b.length] ?? 0;
}

/** `did you mean X?`, or the list of what there is. */
export function suggest(name: string, known: readonly string[], otherwise: string): string {
  const near = nearest(name, known);
  if (near !== undefined) return `did you mean ${near}?`;
  if (known.length === 0) return otherwise;
  const shown = known.slice(0, 12).join(", ");
  return `${otherwise}; there is ${shown}${known.length > 12 ? ` and ${known.length - 12} more` : ""}`;
}
