import type { Classified } from "../../ports/classifier.ts";

/** A class that a text was given, and how surely. */
export interface Labelled {
  readonly label: string;
  readonly score: number;
}

/** What the models of prompt attacks call texts that are none, lower-case: Prompt Guard, deberta-injection, and binary classifiers. */
const HARMLESS: ReadonlySet<string> = new Set([
  ...["benign", "safe", "legit", "legitimate", "harmless", "normal", "clean", "ok", "none", "negative", "not_injection", "no_injection"],
  ...["label_0", "0", "unharmful"],
]);

export const isAttack = (label: string, attacks: ReadonlySet<string> | undefined): boolean =>
  attacks === undefined ? !HARMLESS.has(label.toLowerCase()) : attacks.has(label);

/**
 * The likeliest attack of a text's classes. Where only a harmless one is told, the rest of its certainty is what remains for attacks.
 * undefined: not all was judged; of several classes one that the policy names is missing, and of it nobody said that there is none.
 */
export function worstOf(labels: readonly Labelled[], attacks: ReadonlySet<string> | undefined): Classified | undefined {
  const [first, ...others] = labels;
  if (first === undefined || (others.length > 0 && !knowsAll(labels, attacks))) return undefined;
  let worst: Labelled | undefined;
  for (const one of labels) if (isAttack(one.label, attacks) && (worst === undefined || one.score > worst.score)) worst = one;
  if (worst !== undefined) return { score: worst.score, label: plain(worst.label) };
  return { score: others.length === 0 ? 1 - first.score : 0, label: plain(first.label) };
}

/** Is every class there that the policy names? */
export const knowsAll = (labels: readonly Labelled[], attacks: ReadonlySet<string> | undefined): boolean =>
  [...(attacks ?? [])].every((attack) => labels.some(({ label }) => label === attack));

/** Labels go to the record: signs that no plain name has become `_`. */
const plain = (label: string): string => label.replaceAll(/[^\w.:-]+/g, "_").slice(0, LABEL_CHARS_MAX);
const LABEL_CHARS_MAX = 64;
