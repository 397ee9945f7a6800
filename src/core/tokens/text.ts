/**
 * Estimates how many tokens a text has, for models whose tokenizer is not public, without one.
 *
 * All current tokenizers cut text alike before they merge: words with the blank before them, digits in small groups, runs of
 * punctuation, line breaks. `TextMeter` makes the same cuts, one UTF-16 unit at a time, and gives each piece its mean number of tokens
 * by kind and length. It keeps its place within a piece, so that text in pieces counts as the whole does, for every cut.
 *
 * Trade-off: means. A short text is off by a token or two, and invented words by more; a long one by a few percent. Linear in the text,
 * about 20 ns a character, and no memory.
 */

/** Mean tokens by kind of piece: what the tokenizers of one family make of text. */
export interface TextRates {
  /** A word of 1, 2, 3 ... Latin letters, with the blank before it. */
  readonly word: readonly number[];
  /** Each letter of a word past the end of `word`. */
  readonly wordFurther: number;
  /** Added for each letter of Latin beyond ASCII. */
  readonly accent: number;
  /**
   * Added for each word of five and more letters once a letter of Latin Extended-A was seen (Polish, Czech, Hungarian, Romanian,
   * Turkish): tokenizers know the words of the large western languages, and cut those of others.
   */
  readonly lesserWord: number;
  /** A group of digits, and how many make a group. */
  readonly digits: number;
  readonly digitsInGroup: number;
  /** Added where letters and digits meet without a blank: ids, hashes, base64. */
  readonly joined: number;
  /** A run of marks: its first, each further one; and one alone right before a letter, with which it often merges. */
  readonly mark: number;
  readonly markFurther: number;
  readonly markBeforeWord: number;
  /** A run of line breaks; one right after a mark, with which it often merges. */
  readonly line: number;
  readonly lineAfterMark: number;
  /** A run of blanks that no word takes in. */
  readonly blanks: number;
  /** A character, by script. */
  readonly cyrillic: number;
  readonly greek: number;
  readonly semitic: number;
  readonly indic: number;
  readonly thai: number;
  readonly han: number;
  readonly kana: number;
  readonly hangul: number;
  /** Half a character past the basic plane (a surrogate): emoji and the like. */
  readonly surrogate: number;
  /** Any other character. */
  readonly other: number;
}

const NONE = 0;
const BLANK = 1;
const LINE = 2;
const WORD = 3;
const DIGIT = 4;
const MARK = 5;
const SCRIPT = 6;
/** Kinds of the ASCII characters. Other controls count as marks. */
const ASCII: Uint8Array = Uint8Array.from({ length: 128 }, (_, code) => {
  if (code === 0x20 || code === 0x09) return BLANK;
  if (code === 0x0a || code === 0x0d) return LINE;
  if (code >= 0x30 && code <= 0x39) return DIGIT;
  return (code >= 0x41 && code <= 0x5a) || (code >= 0x61 && code <= 0x7a) ? WORD : MARK;
});
/** Longest run of blanks or line breaks that is one piece; longer ones are several. */
const RUN_MAX = 16;

/** Counts one text as it comes. */
export class TextMeter {
  readonly #rates: TextRates;
  #tokens = 0;
  #kind = NONE;
  /** Units of the piece that is not over. */
  #length = 0;
  #lastLower = false;
  #afterMark = false;
  #lesser = false;

  constructor(rates: TextRates) {
    this.#rates = rates;
  }

  add(text: string): void {
    const end = text.length;
    for (let at = 0; at < end; at++) {
      const code = text.charCodeAt(at);
      this.#unit(code);
      if (code < 0x61 || code > 0x7a) continue;
      // The rest of a word in small letters, which most text is, at once.
      let next = at + 1;
      for (; next < end; next++) {
        const letter = text.charCodeAt(next);
        if (letter < 0x61 || letter > 0x7a) break;
      }
      this.#length += next - at - 1;
      at = next - 1;
    }
  }

  /** Ends the piece: what comes next belongs to another text. */
  cut(): void {
    this.#tokens += this.#pending();
    this.#kind = NONE;
    this.#length = 0;
    this.#lastLower = false;
    this.#afterMark = false;
  }

  /** Tokens of all that was added so far: a fraction, so that sums stay fair. */
  tokens(): number {
    return this.#tokens + this.#pending();
  }

  #unit(code: number): void {
    if (code < 0x80) {
      const kind = ASCII[code] ?? MARK;
      const upper = kind === WORD && code <= 0x5a;
      // `camelCase` is two words.
      if (kind !== this.#kind || (upper && this.#lastLower)) this.#begin(kind);
      this.#length++;
      this.#lastLower = kind === WORD && !upper;
    } else if (code < 0xc0) {
      if (this.#kind !== MARK) this.#begin(MARK);
      this.#length++;
    } else if (code < 0x250 || (code >= 0x1e00 && code < 0x1f00)) {
      if (this.#kind !== WORD) this.#begin(WORD);
      this.#length++;
      this.#tokens += this.#rates.accent;
      if (code >= 0x100 && code < 0x250) this.#lesser = true;
      this.#lastLower = true;
    } else {
      if (this.#kind !== SCRIPT) this.#begin(SCRIPT);
      this.#tokens += scriptRate(code, this.#rates);
    }
  }

  #begin(kind: number): void {
    const was = this.#kind;
    const length = this.#length;
    if (was === BLANK && length > 0 && (kind === WORD || kind === MARK || kind === SCRIPT)) {
      // The last blank goes with what follows.
      this.#length--;
      this.#tokens += this.#pending();
    } else if (was === BLANK && kind === LINE) {
      // Blanks at the end of a line go with its break.
    } else if (was === MARK && length === 1 && kind === WORD) this.#tokens += this.#rates.markBeforeWord;
    else this.#tokens += this.#pending();
    if ((was === DIGIT && kind === WORD) || (was === WORD && kind === DIGIT)) this.#tokens += this.#rates.joined;
    this.#afterMark = was === MARK;
    this.#kind = kind;
    this.#length = 0;
    this.#lastLower = false;
  }

  /** Tokens of the piece that is not over. */
  #pending(): number {
    const length = this.#length;
    if (length === 0) return 0;
    const rates = this.#rates;
    switch (this.#kind) {
      case WORD: {
        const known = rates.word.length;
        const usual = length <= known ? (rates.word[length - 1] ?? 1) : (rates.word[known - 1] ?? 1) + (length - known) * rates.wordFurther;
        return this.#lesser && length >= 5 ? usual + rates.lesserWord : usual;
      }
      case DIGIT:
        return Math.ceil(length / rates.digitsInGroup) * rates.digits;
      case MARK:
        return rates.mark + (length - 1) * rates.markFurther;
      case LINE:
        return Math.ceil(length / RUN_MAX) * (this.#afterMark ? rates.lineAfterMark : rates.line);
      case BLANK:
        return Math.ceil(length / RUN_MAX) * rates.blanks;
      default:
        return 0;
    }
  }
}

/** Tokens of a whole text. */
export function textTokens(text: string, rates: TextRates): number {
  const meter = new TextMeter(rates);
  meter.add(text);
  return meter.tokens();
}

function scriptRate(code: number, rates: TextRates): number {
  if (code >= 0xd800 && code <= 0xdfff) return rates.surrogate;
  if (code < 0x370) return rates.other;
  if (code < 0x400) return rates.greek;
  if (code < 0x530) return rates.cyrillic;
  if (code >= 0x590 && code < 0x780) return rates.semitic;
  if (code >= 0x900 && code < 0xe00) return rates.indic;
  if (code >= 0xe00 && code < 0xf00) return rates.thai;
  if (code >= 0x2000 && code < 0x2070) return rates.mark;
  if (code >= 0x3040 && code < 0x3100) return rates.kana;
  if (code >= 0xac00 && code < 0xd7b0) return rates.hangul;
  if ((code >= 0x3000 && code < 0x3040) || (code >= 0x3400 && code < 0xa000) || (code >= 0xf900 && code < 0xfb00)) return rates.han;
  if (code >= 0xff00 && code < 0xfff0) return rates.han;
  return rates.other;
}
