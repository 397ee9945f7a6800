import type { Census } from "./census.ts";
import { hashOf, type Tokens } from "./tokens.ts";

/**
 * Words by which a disguise of a whole text is seen: an attack that is turned, mirrored, scrambled or run together has some of them.
 * English, German, French, Spanish, Italian; six letters and more, since shorter ones meet by chance.
 */
const KEY_WORDS: readonly string[] = (
  "ignore ignoring disregard forget override bypass previous everything instruction instructions guidelines directives commands system " +
  "prompt prompts reveal output repeat display hidden secret password passwords credentials developer pretend unrestricted restrictions " +
  "without answer follow following assistant important jailbreak forward emails " +
  "ignoriere vergiss vorherigen anweisungen oublie precedentes ignorez ignora olvida instrucciones anteriores muestra istruzioni precedenti mostra"
).split(" ");

/** Words of one disguise from which a text is read that way: one may be chance. */
const DISGUISED_WORDS_MIN = 2;
/** Runs of one letter, or words that markup parts, from which a text is also read without: one may be emphasis. */
const ODD_WORDS_MIN = 3;
const LETTERS = 26;
/** Shorter words have too few letters to scramble, longer ones are joined from others. */
const KEY_LENGTHS = { min: 5, max: 14 };
/** Letters without a blank from which a word may be several: no key word is as long, nor most compounds. */
const JOINED_MIN = 18;

/** A way to write letters so that only who knows it reads them, and its way back. */
interface Disguise {
  readonly write: (word: string) => string;
  readonly read: (text: string) => string;
}
const backwards = (text: string): string => Array.from(text).reverse().join("");
const atbash = (text: string): string => turn(text, (place) => LETTERS - 1 - place);
const DISGUISES: readonly Disguise[] = [
  { write: backwards, read: backwards },
  { write: atbash, read: atbash },
  ...Array.from({ length: LETTERS - 1 }, (_, index) => ({
    write: (word: string) => turn(word, (place) => (place + index + 1) % LETTERS),
    read: (text: string) => turn(text, (place) => (place + LETTERS - index - 1) % LETTERS),
  })),
];

/** What is known of the key words, built once a process. */
export interface Readings {
  /** Other ways to read `text`, a part whose words are `tokens`, from offset `from` of the text that they count in. Mostly none. */
  of(text: string, tokens: Tokens, from: number, census: Census): readonly string[];
}

export function createReadings(): Readings {
  const plain = new Set(KEY_WORDS.map(hashOf));
  const disguises = new Map<number, Disguise>();
  for (const disguise of DISGUISES)
    for (const hash of KEY_WORDS.map((word) => hashOf(disguise.write(word)))) if (!plain.has(hash)) disguises.set(hash, disguise);
  const scrambles = new Map(KEY_WORDS.map((word): [number, string] => [scrambleKey(word, 0, word.length), word]));
  const of = (text: string, tokens: Tokens, from: number, census: Census): readonly string[] => {
    const votes = new Map<Disguise, number>();
    const scrambled: Piece[] = [];
    const joined: Piece[] = [];
    for (let index = 0; index < tokens.count; index += 1) {
      const start = (tokens.starts[index] ?? 0) - from;
      const end = (tokens.ends[index] ?? 0) - from;
      if (end - start < KEY_LENGTHS.min) continue;
      if (end - start >= JOINED_MIN) {
        const apart = takenApart(text.slice(start, end).toLowerCase());
        if (apart !== undefined) joined.push({ start, end, word: apart });
        continue;
      }
      const hash = tokens.hashes[index] ?? 0;
      const disguise = disguises.get(hash);
      if (disguise !== undefined) votes.set(disguise, (votes.get(disguise) ?? 0) + 1);
      else if (end - start <= KEY_LENGTHS.max && !plain.has(hash)) {
        const word = scrambles.get(scrambleKey(text, start, end));
        if (word?.length === end - start) scrambled.push({ start, end, word });
      }
    }
    const found: string[] = [];
    for (const [{ read }, count] of votes) if (count >= DISGUISED_WORDS_MIN) found.push(read(text));
    if (scrambled.length >= DISGUISED_WORDS_MIN) found.push(replaced(text, scrambled));
    if (joined.length > 0) found.push(replaced(text, joined));
    const bare = census.count("<*_~") >= ODD_WORDS_MIN ? withoutMarkup(text) : undefined;
    if (bare !== undefined) found.push(bare);
    if (census.stretched >= ODD_WORDS_MIN) found.push(text.replaceAll(/([a-z])\1{2,}/gi, "$1"));
    return found;
  };
  return { of };
}

interface Piece {
  readonly start: number;
  readonly end: number;
  readonly word: string;
}
function replaced(text: string, pieces: readonly Piece[]): string {
  let done = 0;
  let whole = "";
  for (const { start, end, word } of pieces) {
    whole += text.slice(done, start) + word;
    done = end;
  }
  return whole + text.slice(done);
}

/** The same for all words that differ in the order of their inner letters alone, whatever their case; others seldom meet. */
function scrambleKey(text: string, start: number, end: number): number {
  let inner = 0;
  for (let index = start + 1; index < end - 1; index += 1) {
    const mixed = Math.imul((text.charCodeAt(index) | 32) * 0x9e3b, 0x85ebca6b);
    inner = (inner + (mixed ^ (mixed >>> 13))) | 0;
  }
  return Math.imul(inner, 0x01000193) ^ (((text.charCodeAt(start) | 32) << 16) | ((text.charCodeAt(end - 1) | 32) << 8) | (end - start));
}

/** A word that holds two key words, with blanks around them. */
function takenApart(word: string): string | undefined {
  let count = 0;
  let apart = word;
  // The longer ones first: else `instruction` would part `instructions`.
  for (const key of LONGEST_FIRST) {
    const at = apart.indexOf(key);
    if (at < 0) continue;
    count += 1;
    apart = `${apart.slice(0, at)} ${key} ${apart.slice(at + key.length)}`;
  }
  return count >= DISGUISED_WORDS_MIN ? apart : undefined;
}
const LONGEST_FIRST = [...KEY_WORDS].sort((a, b) => b.length - a.length);

/** Latin letters by their place in the alphabet, 0 to 25; the rest stays. */
function turn(text: string, place: (place: number) => number): string {
  return text.replaceAll(/[a-z]/gi, (letter) => {
    const base = letter <= "Z" ? 65 : 97;
    return String.fromCharCode(place(letter.charCodeAt(0) - base) + base);
  });
}

/** Markup that shows nothing or only emphasis: comments, empty elements, Markdown's stars. */
const MARKUP = /<!--[^>]{0,200}-->|<wbr ?\/?>|<(\w{1,10})(?: [^<>]{0,200})?><\/\1>|\*{2,3}|__|~~/g;
const LETTER = /\p{L}/u;

/** The text without such markup behind letters, where it parts words. */
function withoutMarkup(text: string): string | undefined {
  let count = 0;
  const whole = text.replaceAll(MARKUP, (mark, _element: string | undefined, at: number) => {
    if (!LETTER.test(text[at - 1] ?? "")) return mark;
    if (LETTER.test(text[at + mark.length] ?? "")) count += 1;
    return "";
  });
  return count >= ODD_WORDS_MIN ? whole : undefined;
}
