import { classOf, DIGITS, LOWER, UPPER } from "./alphabets.ts";

/** Shannon entropy of a text's characters, in bits a character. */
export function entropyOf(text: string): number {
  const counts = new Map<number, number>();
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    counts.set(code, (counts.get(code) ?? 0) + 1);
  }
  let bits = 0;
  for (const count of counts.values()) bits -= (count / text.length) * Math.log2(count / text.length);
  return bits;
}

/** Words that stand in documentation where a secret would stand. */
const FILLER_WORDS =
  /example|sample|change[_-]?(?:me|it|this)|place[_-]?holder|dummy|your[_-]|[_-]your|insert[_-]|[_-]here\b|replace[_-]|redacted|todo|fixme|x{4}|\*{3}|\.{3}|…|_{6}|0{10}|not[_-]?(?:a[_-]?)?real|(?:fake|mock)[_-]/i;
/** As `FILLER_WORDS`, for long random texts, where four letters may come together by chance. */
const LONG_FILLER_WORDS = /example|placeholder|redacted|x{6}|\*{4}|\.{3}|…|put[_-]your|your[_-]|changeme/i;
const REFERENCES = /^(?:\$[({\w]|<[^>]*>?$|\{\{|%[({]?\w+[)}]?%?$|#\{|@\w+@$|\[\w)|\$\{[\w.()+-]*\}|\{\{.*\}\}/;
const NAMED_NOTHING = /^(?:true|false|null|none|nil|undefined|nan|void|empty|unset|default|test|testing|n\/a|na|tbd)$/i;
/** Units that differ, counted to five: more are enough. */
function differentOf(value: string): number {
  let different = "";
  for (let at = 0; at < value.length && different.length < 5; at += 1)
    if (!different.includes(value.charAt(at))) different += value.charAt(at);
  return different.length;
}

const SEQUENCES = "01234567890123456789|abcdefghijklmnopqrstuvwxyz|qwertyuiopasdfghjklzxcvbnm|98765432109876543210";

/** A value that only says that one goes here: filler, a reference to a variable, a sequence, one character repeated. */
export const isPlaceholder = (value: string): boolean =>
  FILLER_WORDS.test(value) || REFERENCES.test(value) || NAMED_NOTHING.test(value) || isMonotonous(value);

/** The same for a text that has the shape of a token. */
export const isFilledShape = (body: string): boolean => LONG_FILLER_WORDS.test(body) || isMonotonous(body);

/** Pairs of units that follow each other in a sequence, in either case. */
const FOLLOWS: Uint8Array = (() => {
  const follows = new Uint8Array(128 * 128);
  for (const text of [SEQUENCES, SEQUENCES.toUpperCase()])
    for (let at = 1; at < text.length; at += 1) follows[(text.charCodeAt(at - 1) << 7) | text.charCodeAt(at)] = 1;
  return follows;
})();

function isMonotonous(value: string): boolean {
  const different = differentOf(value);
  if (different <= 2 || (value.length >= 16 && different <= 4)) return true;
  // Two sequences of eight or more, or one that is most of it: keyboards and rulers, not keys.
  let [inSequence, run] = [0, 1];
  for (let at = 1; at <= value.length; at += 1) {
    if (at < value.length && FOLLOWS[((value.charCodeAt(at - 1) & 127) << 7) | (value.charCodeAt(at) & 127)] === 1) run += 1;
    else {
      if (run >= 6) inSequence += run;
      run = 1;
    }
  }
  return inSequence * 2 >= value.length || inSequence >= 16;
}

/** What a text is made of: how many stretches of one class, and how many units of letters and of digits. */
interface Texture {
  readonly stretches: number;
  readonly letters: number;
  readonly digits: number;
}

/** `Word`, `WORD`, `word` and `2026` are one stretch each. */
function textureOf(text: string): Texture {
  let [stretches, letters, digits, before, length] = [0, 0, 0, 0, 0];
  for (let at = 0; at < text.length; at += 1) {
    const bits = classOf(text.charCodeAt(at));
    const kind = bits & DIGITS ? 1 : bits & LOWER ? 2 : bits & UPPER ? 3 : 0;
    if (kind === 1) digits += 1;
    else if (kind !== 0) letters += 1;
    const goesOn = kind === before || (kind === 2 && before === 3 && length === 1);
    length = goesOn ? length + 1 : 1;
    if (!goesOn && kind !== 0) stretches += 1;
    before = kind;
  }
  return { stretches, letters, digits };
}

/** Looked for in the last units of a value only, as every digit may begin one. */
const VERSION_TAIL = /[-_.]?v?\d+(?:\.\d+)+(?:[-.][a-z]+\d*)?$/i;
const VERSION_CHARS_MAX = 48;
const withoutVersion = (value: string): string =>
  value.slice(0, -VERSION_CHARS_MAX) + value.slice(-VERSION_CHARS_MAX).replace(VERSION_TAIL, "");

/**
 * Whether a value looks drawn at random: letters mixed with digits in short stretches. Names, versions, paths and constants have
 * words in them; random base64, hex and base36 have a change of class every one to three characters.
 *
 * @param atLeast shortest length that counts
 */
export function looksRandom(value: string, atLeast: number): boolean {
  const text = withoutVersion(value);
  if (text.length < atLeast) return false;
  const { stretches, letters, digits } = textureOf(text);
  const units = letters + digits;
  if (units < atLeast * 0.75 || letters === 0) return false;
  if (digits === 0) return looksRandomLetters(text);
  const mean = units / stretches;
  // Names of types: `V1AzureDiskVolumeSource`.
  if (mean > 2.8 && (text.match(/[A-Z][a-z]{3,}/g)?.length ?? 0) >= 3) return false;
  const bound = units >= 24 ? 3.7 : units >= 16 ? 3.5 : 3;
  return mean <= bound && entropyOf(text) >= (isHex(text) ? 2.5 : units >= 20 ? 3 : 2.7);
}

/** One case of letters with digits among them, unbroken, too few digits for `looksRandom`: base36 by its length, where a name vouches for it. */
export function isUnbrokenMix(text: string): boolean {
  if (text.length < 14 || !(/^[a-z0-9]+$/.test(text) || /^[A-Z0-9]+$/.test(text))) return false;
  const { stretches, digits } = textureOf(text);
  return digits > 0 && /\d[A-Za-z]/.test(text) && text.length / stretches <= 5.5 && entropyOf(text) >= 2.6;
}

/** Letters alone: mixed case in short stretches, or one case with few vowels or long runs of consonants. */
export function looksRandomLetters(text: string): boolean {
  if (text.length < 16 || /[^A-Za-z]/.test(text)) return false;
  const { stretches } = textureOf(text);
  if (stretches > 2) return text.length / stretches <= 2.7;
  const vowels = text.replace(/[^aeiouy]/gi, "").length / text.length;
  return vowels < 0.26 || /[bcdfghjklmnpqrstvwxz]{6}/i.test(text);
}

/** Words, with or without signs between them, that a person would read: no digit, or no more than a year or a count at an end. */
export const isWordy = (value: string): boolean => /^[\p{L}\s_.,:;'!?/=-]*\d{0,2}$/u.test(value) || !/[\p{L}\p{N}]/u.test(value);

/** Whether all of a value's letters and digits are hexadecimal. */
export const isHex = (value: string): boolean => /^[0-9a-f]+$/i.test(value);
