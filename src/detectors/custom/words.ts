import type { Detector, DetectorClass, Finding, Found, ScanText } from "../../core/detector.ts";
import { CUSTOM_WORD_CHARS_MAX, CUSTOM_WORDS_MAX } from "../../core/limits.ts";
import { err, ok, type Result } from "../../core/result.ts";
import { fold, INVISIBLE, INVISIBLE_SIGN, isAlnum } from "../shared/text.ts";

export interface WordList {
  readonly entity: string;
  readonly class: DetectorClass;
  readonly words: readonly string[];
}

interface Node {
  readonly next: Map<number, Node>;
  isWord: boolean;
}

/** Longest match, with blanks and signs that are not seen in it, in UTF-16 units. */
const MATCH_CHARS_MAX = 2 * CUSTOM_WORD_CHARS_MAX;

/**
 * Finds the words and phrases of a list: in any case and in full-width forms, with any number of blanks or line ends where they have one,
 * whole where their script puts blanks between words, the longest where several begin at one place. Its time does not grow with the list.
 * The error says what is wrong with a list.
 */
export function wordDetector({ entity, class: kind, words }: WordList): Result<Detector, string> {
  if (words.length === 0 || words.length > CUSTOM_WORDS_MAX) return err(`a list has 1 to ${CUSTOM_WORDS_MAX} words`);
  const root: Node = { next: new Map(), isWord: false };
  for (const word of words) {
    if (word.trim() === "" || word.length > CUSTOM_WORD_CHARS_MAX) return err(`a word has 1 to ${CUSTOM_WORD_CHARS_MAX} characters`);
    for (const form of formsOf(word)) add(root, form.replaceAll(INVISIBLE_SIGN, "").trim().replaceAll(/\s+/g, " "));
  }
  return ok({
    entities: [entity],
    class: kind,
    profile: "asked",
    lookBehind: 1,
    lengthMax: MATCH_CHARS_MAX,
    find: (text, from) => find(text, from, { entity, root }),
  });
}

/** A detector that does not report what is allowed: test cards, addresses of one's own. */
export function except(detector: Detector, isAllowed: (value: string) => boolean): Detector {
  return {
    ...detector,
    find: (text, from) => {
      const { findings, open } = detector.find(text, from);
      return { findings: findings.filter(({ start, end }) => !isAllowed(text.folded.slice(start, end))), open };
    },
  };
}

/** Whether a value is one of these words, whole, in any case and in full-width forms. */
export function oneOf(words: readonly string[]): (value: string) => boolean {
  const known = new Set(words.flatMap(formsOf));
  return (value) => known.has(plain(fold(value)));
}

function add(root: Node, word: string): void {
  let node = root;
  for (let at = 0; at < word.length; at += 1) {
    const code = word.charCodeAt(at);
    const next = node.next.get(code) ?? { next: new Map(), isWord: false };
    node.next.set(code, next);
    node = next;
  }
  node.isWord = true;
}

/** A word as texts may have it: its accents in letters of their own or behind their letters (Unicode's NFC and NFD), as file systems do. */
const formsOf = (word: string): readonly string[] => {
  const form = plain(fold(word));
  return [...new Set([form, form.normalize("NFC"), form.normalize("NFD")])];
};

/**
 * Small letters, unit by unit: the one capital that becomes two units, and the sigma that depends on what follows, are put in one form,
 * and so are apostrophes.
 */
const plain = (text: string): string =>
  text
    .replaceAll("\u0130", "i")
    .toLowerCase()
    .replaceAll("\u03c2", "\u03c3")
    .replaceAll(/[\u2018\u2019\u02bc]/g, "'");

function find({ folded, ended }: ScanText, from: number, list: { readonly entity: string; readonly root: Node }): Found {
  const text = plain(folded);
  const findings: Finding[] = [];
  let at = from;
  while (at < text.length) {
    const end = isWordUnit(text.charCodeAt(at)) && isWordUnit(text.charCodeAt(at - 1)) ? 0 : longest(text, at, list.root, ended);
    if (end === MORE) return { findings, open: at };
    if (end > 0) findings.push({ entity: list.entity, start: at, end, score: 1 });
    at = end > 0 ? end : at + 1;
  }
  return { findings, open: folded.length };
}
const MORE = -1;

/** End of the longest word that begins there, 0 for none, MORE where the text ends inside of one. */
function longest(text: string, start: number, root: Node, ended: boolean): number {
  let node: Node | undefined = root;
  let best = 0;
  let blank = false;
  for (let at = start; node !== undefined && at - start <= MATCH_CHARS_MAX; at += 1) {
    if (at >= text.length && !ended) return MORE;
    const code = text.charCodeAt(at);
    // Behind a sign that is not seen the word has ended already.
    if (node.isWord && text.charCodeAt(at - 1) !== INVISIBLE && !(isWordUnit(text.charCodeAt(at - 1)) && isWordUnit(code))) best = at;
    if (at > start && (code === INVISIBLE || (blank && isBlank(code)))) continue;
    blank = isBlank(code);
    node = at < text.length ? node.next.get(blank ? BLANK : code) : undefined;
  }
  return best;
}

const BLANK = 0x20;
/** Of folded text: a blank, a tab, a line's end. */
const isBlank = (code: number): boolean => code === BLANK || (code >= 9 && code <= 13);

/** A letter or digit of a script with blanks between words. */
const isWordUnit = (code: number): boolean => isAlnum(code) || (code >= 0xc0 && code < 0x2000 && code !== 0xd7 && code !== 0xf7);
