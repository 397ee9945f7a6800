/** How far before a finding words of context count, in UTF-16 units. */
export const BEFORE_CHARS = 60;
/** How far behind it, at most to the end of the sentence: text that a stream holds for it. */
export const AFTER_CHARS = 36;

/** Says whether a stretch of text has one of some words in it. */
export interface Words {
  in(text: string): boolean;
}

/**
 * Words in any case, whole where their script puts blanks between words; in capitals only where they are given so (`SIN`, which is a
 * word of English and Spanish). A blank in a word stands for up to three of blank, `-` and `_`, or nothing (`date of birth`,
 * `date_of_birth`). They hold no other sign that a pattern knows.
 */
export function words(...list: readonly string[]): Words {
  const isShouted = (word: string): boolean => /^[A-Z]+$/.test(word);
  const anyCase = list.filter((word) => !isShouted(word));
  const shouted = list.filter(isShouted);
  const patterns = [new RegExp(anyCase.map(formOf).join("|") || NOTHING, "iu"), new RegExp(shouted.map(formOf).join("|") || NOTHING, "u")];
  return { in: (text) => patterns.some((pattern) => pattern.test(text)) };
}
const NOTHING = "(?!)";
function formOf(word: string): string {
  const body = word.replaceAll(" ", "[\\s_-]{0,3}");
  return UNSPACED.test(word) ? body : `(?<!\\p{L})${body}(?!\\p{L})`;
}
/** Scripts that write words without blanks. */
const UNSPACED = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Script=Thai}]/u;

/** Text before `start` that may give it a meaning. */
export const before = (folded: string, start: number): string => folded.slice(Math.max(0, start - BEFORE_CHARS), start);

/**
 * Text behind `end` that may give it a meaning: to the end of the sentence or line. What stands before another number is about that
 * one, from the last comma or bracket on. `undefined` where the text has not all come.
 */
export function after(folded: string, end: number, ended: boolean): string | undefined {
  const window = folded.slice(end, end + AFTER_CHARS);
  const stop = window.search(BEHIND_ENDS);
  if (stop === -1) return window.length === AFTER_CHARS || ended ? window : undefined;
  const text = window.slice(0, stop);
  return /[0-9]/.test(window.charAt(stop)) ? text.slice(0, Math.max(0, text.search(/[,，、(（][^,，、(（]*$/))) : text;
}
/** A full stop ends a sentence where a blank follows. */
const BEHIND_ENDS = /[\n\r。！？!?;；0-9]|\.\s/;

/**
 * Is one of the words near? `undefined` where that takes text that has not come.
 * Before it is looked at first, so that a labelled value waits for nothing.
 */
export function isNear(
  context: Words,
  folded: string,
  span: { readonly start: number; readonly end: number },
  ended: boolean,
): boolean | undefined {
  if (context.in(before(folded, span.start))) return true;
  const behind = after(folded, span.end, ended);
  return behind === undefined ? undefined : context.in(behind);
}
