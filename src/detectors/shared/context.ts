import type { ScanText, Worded } from "../../core/detector.ts";

/** How far before a finding words of context count, in UTF-16 units. */
export const BEFORE_CHARS = 60;
/** How far behind it, at most to the end of the sentence: text that a stream holds for it. */
export const AFTER_CHARS = 36;

/** Says whether a stretch of text has one of some words in it. */
export interface Words {
  in(text: Worded): boolean;
  /** What each of them begins with: the first word of a phrase, the first character of those that are written without blanks. */
  readonly begins: readonly string[];
}

/** Takes the words of a text apart. Linear. What few lists ask for is made when it is asked for. */
export const wordsOf = (text: string): Worded => new WordedText(text);

class WordedText implements Worded {
  readonly text: string;
  readonly lower: readonly string[];
  readonly unspaced: boolean;
  readonly #starts: readonly number[];

  constructor(text: string) {
    const [lower, starts]: [string[], number[]] = [[], []];
    const small = text.toLowerCase();
    // Where a letter has two small ones, places are not the same.
    const source = small.length === text.length ? small : text;
    let unspaced = false;
    for (let at = 0; at < text.length; at += 1) {
      const code = text.charCodeAt(at);
      if (code >= UNSPACED_FIRST && isUnspaced(code)) unspaced = true;
      if (!isWordUnit(code)) continue;
      const start = at;
      do at += 1;
      while (at < text.length && isWordUnit(text.charCodeAt(at)));
      lower.push(source === small ? small.slice(start, at) : text.slice(start, at).toLowerCase());
      starts.push(start);
      at -= 1;
    }
    this.text = text;
    this.lower = lower;
    this.unspaced = unspaced;
    this.#starts = starts;
  }

  wordAt(index: number): string {
    return this.text.slice(this.#starts[index] ?? 0, this.#endOf(index));
  }

  isJoined(index: number): boolean {
    const [from, to] = [this.#endOf(index), this.#starts[index + 1]];
    return to !== undefined && to - from <= 3 && isJoined(this.text, from, to);
  }

  #endOf(index: number): number {
    let at = this.#starts[index] ?? 0;
    while (at < this.text.length && isWordUnit(this.text.charCodeAt(at))) at += 1;
    return at;
  }
}
const UNSPACED_FROM = 0x2e80;
/** Of a script that puts no blanks between words, as far as words of context go. */
export const isUnspaced = (code: number): boolean => code >= UNSPACED_FROM || isThai(code);
const UNSPACED_FIRST = 0xe00;
const isThai = (code: number): boolean => code >= 0xe00 && code < 0xe80;
/** Letters of scripts with blanks between words; full-width letters are not (text is folded before). */
export const isWordUnit = (code: number): boolean =>
  (code >= 97 && code <= 122) ||
  (code >= 65 && code <= 90) ||
  (code >= 0xc0 && code < UNSPACED_FROM && code !== 0xd7 && code !== 0xf7 && !isThai(code) && (code < 0x2000 || code > 0x2bff));
/** Whether only blanks, `-`, `_`, `.` and apostrophes stand there. */
function isJoined(text: string, from: number, to: number): boolean {
  for (let at = from; at < to; at += 1) {
    const code = text.charCodeAt(at);
    if (code !== 32 && code !== 45 && code !== 46 && code !== 95 && !JOINS.test(text.charAt(at))) return false;
  }
  return true;
}
const JOINS = /[\s'’]/;

/**
 * Words in any case, whole where their script puts blanks between words; in capitals only where they are given so (`SIN`, which is a
 * word of English and Spanish). A phrase with blanks is also found with `-`, `_` or nothing between its words (`date_of_birth`).
 */
export function words(...list: readonly string[]): Words {
  const unspaced = list.filter((word) => UNSPACED.test(word));
  const spaced = list.filter((word) => !UNSPACED.test(word));
  const isShouted = (word: string): boolean => /^[A-Z]+$/.test(word);
  const shouted = new Set(spaced.filter(isShouted));
  const small = new Set([...shouted].map((word) => word.toLowerCase()));
  const single = new Set(spaced.filter((word) => !isShouted(word)).map((word) => word.replaceAll(/[ '’]/g, "")));
  const phrases = new Map<string, (readonly string[])[]>();
  for (const word of spaced) {
    const [first = "", ...rest] = word.split(/[ '’]/);
    if (rest.length > 0) phrases.set(first, [...(phrases.get(first) ?? []), rest]);
  }
  const isPhrase = (text: Worded, index: number): boolean =>
    phrases
      .get(text.lower[index] ?? "")
      ?.some((rest) => rest.every((word, step) => text.isJoined(index + step) && text.lower[index + step + 1] === word)) ?? false;
  return {
    begins: [...[...single, ...phrases.keys()], ...small, ...unspaced.map((word) => UNSPACED.exec(word)?.[0] ?? "")],
    in: (text) => {
      for (let index = 0; index < text.lower.length; index += 1)
        if (
          single.has(text.lower[index] ?? "") ||
          (small.size > 0 && small.has(text.lower[index] ?? "") && shouted.has(text.wordAt(index))) ||
          (phrases.size > 0 && isPhrase(text, index))
        )
          return true;
      return text.unspaced && unspaced.some((word) => text.text.includes(word));
    },
  };
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
/** The same without the word that its length may have cut. */
export function withoutCutWord(behind: string): string {
  let end = behind.length;
  if (end === AFTER_CHARS) while (end > 0 && isWordUnit(behind.charCodeAt(end - 1))) end -= 1;
  return behind.slice(0, end);
}
/** A full stop ends a sentence where a blank follows. */
const BEHIND_ENDS = /[\n\r。！？!?;；0-9]|\.\s/;

/**
 * Is one of the words near? `undefined` where that takes text that has not come.
 * Before it is looked at first, so that a labelled value waits for nothing.
 */
export function isNear(context: Words, text: ScanText, span: { readonly start: number; readonly end: number }): boolean | undefined {
  if (context.in(text.wordsBefore(span.start))) return true;
  const behind = text.wordsAfter(span.end);
  return behind === undefined ? undefined : context.in(behind);
}
