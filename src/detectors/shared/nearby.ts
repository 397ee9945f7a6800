import { isUnspaced, isWordUnit, type Words } from "./context.ts";

/** Beginnings of words: three units of five bits. */
const BEGINNINGS = 32 ** 3;
const CHARACTERS = 8192;
const NEVER: readonly number[] = [];
const NONE = new Int32Array(0);

/** Which of many lists of words may have one that begins so; made once for a list of lists. */
export class Beginnings {
  /** By the first three units of a word: which of `#sets`; 0 for none. */
  readonly #bySpelling: Uint16Array;
  /** By the low bits of the first character, of words in scripts without blanks. */
  readonly #byCharacter: Uint16Array;
  /** The same by a whole word in small letters. */
  readonly #byWord = new Map<string, number>();
  /** Each the numbers of lists as bits, in words of 32. */
  readonly #sets: Int32Array[];

  /** `undefined` for a number that has no list. */
  constructor(lists: readonly (Words | undefined)[]) {
    const none = new Int32Array(Math.ceil(lists.length / 32));
    this.#sets = [none];
    const has = lists.some((words) => words !== undefined);
    this.#bySpelling = new Uint16Array(has ? BEGINNINGS : 0);
    this.#byCharacter = new Uint16Array(has ? CHARACTERS : 0);
    const known = new Map<string, number>([[none.join(), 0]]);
    const withBit = (set: number, list: number): number => {
      const bits = Int32Array.from(this.#sets[set] ?? none);
      bits[list >> 5] = (bits[list >> 5] ?? 0) | (1 << (list & 31));
      const name = bits.join();
      const made = known.get(name) ?? this.#sets.push(bits) - 1;
      known.set(name, made);
      return made;
    };
    for (const [list, words] of lists.entries())
      for (const word of words?.begins ?? []) {
        const first = word.charCodeAt(0);
        if (isUnspaced(first)) this.#byCharacter[first % CHARACTERS] = withBit(this.#byCharacter[first % CHARACTERS] ?? 0, list);
        else {
          this.#byWord.set(word, withBit(this.#byWord.get(word) ?? 0, list));
          for (const spelling of spellingsOf(word)) this.#bySpelling[spelling] = withBit(this.#bySpelling[spelling] ?? 0, list);
        }
      }
  }

  /** The set of lists of which a word may begin at `at`, whatever follows; 0 for none. */
  setAt(folded: string, at: number): number {
    return this.#bySpelling[spellingAt(folded, at)] ?? 0;
  }

  /** The same of the word that stands there whole. */
  setOfWord(folded: string, at: number): number {
    const may = this.setAt(folded, at);
    if (may === 0) return 0;
    const end = wordEnd(folded, at);
    return end < 0 ? may : (this.#byWord.get(folded.slice(at, end).toLowerCase()) ?? 0);
  }

  /** The same of a character in a script without blanks. */
  setOf(code: number): number {
    return this.#byCharacter[code % CHARACTERS] ?? 0;
  }

  bitsOf(set: number): Int32Array | undefined {
    return this.#sets[set];
  }
}

/** Every spelling that begins as a word does, where it has fewer than three units. */
function spellingsOf(word: string): readonly number[] {
  const spelling = spellingAt(word, 0);
  const units = [...word].length;
  if (units === 0) return NEVER;
  return units > 2 ? [spelling] : Array.from({ length: 32 ** (3 - units) }, (_, rest) => spelling + rest);
}

/** Up to three units of a word as one number, without regard to case; all letters beyond ASCII alike. */
function spellingAt(text: string, at: number): number {
  let spelling = 0;
  let isOver = false;
  for (let index = at; index < at + 3; index += 1) {
    const code = text.charCodeAt(index);
    isOver ||= !isWordUnit(code);
    spelling = (spelling << 5) | (isOver || code > 127 ? 0 : code & 31);
  }
  return spelling;
}

/** Longest word that is looked up whole, in UTF-16 units. */
const WHOLE_CHARS_MAX = 32;

/** Where a word ends; -1 where it is long, or a letter of ASCII stands behind another: a code may begin there, and cut it. */
function wordEnd(folded: string, start: number): number {
  let isBeyond = false;
  for (let at = start; at < start + WHOLE_CHARS_MAX; at += 1) {
    const code = folded.charCodeAt(at);
    if (!isWordUnit(code)) return at;
    if (isBeyond && code < 128) return -1;
    isBeyond = code > 127;
  }
  return -1;
}

/** Where words count, seen from a place, in UTF-16 units. */
export interface Window {
  /** How far before it words are looked for, the furthest first: at each of these a word may be cut. */
  readonly cuts: readonly number[];
  /** How far behind it. */
  readonly behind: number;
}

/**
 * Which lists may have a word near a place, for places from left to right: words are read once, by how they begin, so that most places
 * are known to have none near before anything else is looked at.
 */
export class Nearby {
  readonly #folded: string;
  readonly #ended: boolean;
  readonly #beginnings: Beginnings;
  readonly #window: Window;
  /** Made when a place is first asked about: most pieces of a stream ask about none. */
  #bits: Int32Array | undefined;
  /** Where words of some list may begin, and the sets of lists, both from `#first` on. */
  readonly #starts: number[] = [];
  readonly #sets: number[] = [];
  #first = 0;
  #read = -1;
  /** The place that `#bits` is of. */
  #start = -1;
  /** See `#addWindow`: by word from `#base` to `#turn`; of those from there to `#added`. */
  #unions = NONE;
  #behind = NONE;
  #base = 0;
  #turn = 0;
  #added = 0;

  constructor(text: { readonly folded: string; readonly ended: boolean }, beginnings: Beginnings, window: Window) {
    this.#folded = text.folded;
    this.#ended = text.ended;
    this.#beginnings = beginnings;
    this.#window = window;
  }

  /** Numbers of lists, as bits; `undefined` where that takes text that has not come. Good until the next call. */
  at(start: number): Int32Array | undefined {
    if (start === this.#start) return this.#bits;
    const { cuts, behind } = this.#window;
    const to = start + behind;
    if (to > this.#folded.length && !this.#ended) return undefined;
    this.#start = start;
    const from = Math.max(0, start - (cuts[0] ?? 0));
    this.#readTo(Math.min(to, this.#folded.length), from);
    const starts = this.#starts;
    while (this.#first < starts.length && (starts[this.#first] ?? 0) < from) this.#first += 1;
    this.#bits ??= new Int32Array(this.#beginnings.bitsOf(0)?.length ?? 0);
    const bits = this.#bits.fill(0);
    if (this.#first < starts.length) this.#addWindow(bits);
    for (const cut of cuts) this.#addCut(bits, start - cut);
    return bits;
  }

  /**
   * The lists of all words from `#first` on. Both ends of the window move to the right only, so each word is added a few times, however
   * many places share it: those up to `#turn` are known as the union of each and all behind it, those behind as one.
   */
  #addWindow(bits: Int32Array): void {
    const { length } = this.#starts;
    if (this.#first >= this.#turn) {
      this.#turn = length;
      this.#added = length;
      this.#base = this.#first;
      const size = bits.length;
      this.#behind = new Int32Array(size);
      this.#unions = new Int32Array((length - this.#first) * size);
      for (let index = length - 1; index >= this.#first; index -= 1) {
        this.#add(bits, this.#sets[index] ?? 0);
        this.#unions.set(bits, (index - this.#base) * size);
      }
      return;
    }
    for (; this.#added < length; this.#added += 1) this.#add(this.#behind, this.#sets[this.#added] ?? 0);
    const place = (this.#first - this.#base) * bits.length;
    for (let word = 0; word < bits.length; word += 1)
      bits[word] = (bits[word] ?? 0) | (this.#behind[word] ?? 0) | (this.#unions[place + word] ?? 0);
  }

  /** The end of a word that is cut counts as a word. */
  #addCut(bits: Int32Array, at: number): void {
    if (at > 0 && isWordUnit(this.#folded.charCodeAt(at - 1)) && isWordUnit(this.#folded.charCodeAt(at)))
      this.#add(bits, this.#beginnings.setAt(this.#folded, at));
  }

  #add(bits: Int32Array, set: number): void {
    const more = this.#beginnings.bitsOf(set);
    if (set === 0 || more === undefined) return;
    for (let word = 0; word < bits.length; word += 1) bits[word] = (bits[word] ?? 0) | (more[word] ?? 0);
  }

  #readTo(to: number, from: number): void {
    const folded = this.#folded;
    let at = Math.max(this.#read, from);
    while (at < to) {
      const code = folded.charCodeAt(at);
      if (isWordUnit(code)) {
        const set = this.#beginnings.setOfWord(folded, at);
        if (set !== 0) this.#mark(at, set);
        at = this.#readWord(at, code);
      } else {
        const set = isUnspaced(code) ? this.#beginnings.setOf(code) : 0;
        if (set !== 0) this.#mark(at, set);
        at += 1;
      }
    }
    this.#read = at;
  }

  /** To its end, or to a letter beyond ASCII behind one of ASCII: a code may end there. */
  #readWord(start: number, first: number): number {
    let [at, last] = [start, first];
    for (;;) {
      at += 1;
      const code = this.#folded.charCodeAt(at);
      if (!isWordUnit(code) || (last < 128 && code > 127)) return at;
      last = code;
    }
  }

  #mark(at: number, set: number): void {
    this.#starts.push(at);
    this.#sets.push(set);
  }
}
