import type { Atom, Finding, ScanText } from "../../core/detector.ts";
import { BEFORE_CHARS } from "./context.ts";
import { Beginnings, Nearby, type Window } from "./nearby.ts";
import { isFreeAt, Runs } from "./runs.ts";
import { type Lengths, NEAR_CHARS_MAX, type NearWords, type Room, type ShapeFinder } from "./shape-finder.ts";
import { firstAtom, isAlnum, isJoin, isLetter, isUpper, LEAD_CHARS_MAX, SPREAD_MAX } from "./text.ts";

/** Forms of an atom: 32 lengths, and again for those that begin with a letter. */
const FORMS = 64;
/** Signs behind an atom, and none. */
const JOINTS = 33;
/** Form of a second run that no shape has. */
const NONE = 0;
const INVISIBLE = 0x200b;
/** Most invisible characters in a row within a code: one behind a group, one before the next. */
const HIDDEN_MAX = 2;
const NEAR: Window = { cuts: [BEFORE_CHARS], behind: NEAR_CHARS_MAX };

/**
 * Many finders in one pass over the atoms of a text. Which of them an atom can begin a code for is a few looks into tables of bits, one
 * a finder, in words of 32: by its length, by the sign that joins it to more, and for what neither says. Most atoms are none's.
 */
export class ShapeSet {
  readonly #finders: readonly ShapeFinder[];
  readonly #words: number;
  /** By form: finders for which such an atom may be all of it, or all before a bracket. */
  readonly #whole: Int32Array;
  /** By form: finders for which it may be the first group. */
  readonly #group: Int32Array;
  /** By sign behind the atom: finders that it may separate groups for. */
  readonly #joined: Int32Array;
  /** By form of the second run, its length counted from the atom's start: finders whose shapes may have such a one. */
  readonly #second: Int32Array;
  /** By place of a unit, and again for letters: finders whose shapes may have a digit, or a letter, there. */
  readonly #units: Int32Array;
  /** By how many single digits begin with it: finders of numbers that have no more. */
  readonly #spread: Int32Array;
  /** By flags of the atom: finders that must look. */
  readonly #flagged: Int32Array;

  /** Finders that find nothing without a word near, and their words. */
  readonly #needy: Int32Array;
  readonly #beginnings: Beginnings;

  constructor(finders: readonly ShapeFinder[]) {
    this.#finders = finders;
    this.#words = Math.ceil(finders.length / 32);
    const table = (rows: number, has: (finder: ShapeFinder, row: number) => boolean): Int32Array => {
      const bits = new Int32Array(rows * this.#words);
      finders.forEach((finder, index) => {
        for (let row = 0; row < rows; row += 1) {
          const place = row * this.#words + (index >> 5);
          if (has(finder, row)) bits[place] = (bits[place] ?? 0) | (1 << (index & 31));
        }
      });
      return bits;
    };
    this.#whole = table(FORMS, ({ whole }, form) => hasForm(whole, form));
    this.#group = table(FORMS, ({ firstLengths }, form) => hasForm(firstLengths, form));
    this.#joined = table(JOINTS, ({ separators }, joint) => joint > 0 && ((separators >>> (joint - 1)) & 1) === 1);
    this.#second = table(FORMS, ({ secondEnds }, form) => hasForm(secondEnds, form));
    this.#units = table(FORMS, ({ units }, form) => hasForm(units, form));
    this.#spread = table(SPREAD_MAX + 1, ({ spreadMin }, spread) => spread >= spreadMin);
    this.#needy = table(1, ({ isNeedy }) => isNeedy);
    this.#beginnings = new Beginnings(finders.map(({ words }) => words));
    this.#flagged = table(4, ({ lead }, flags) => (flags & 1) === 1 || (flags === 2 && lead > 0));
  }

  /**
   * Finder by finder, what begins at or after its own place in `froms`, which becomes the place from where on more text can change what
   * it says. The findings of all, each finder's own in order.
   */
  find(text: ScanText, froms: number[]): readonly Finding[] {
    const { atoms, folded } = text;
    const findings: Finding[] = [];
    const [done, merged, left] = [new Int32Array(this.#words), new Int32Array(this.#words), new Int32Array(this.#words)];
    const nearby = new Nearby(text, this.#beginnings, NEAR);
    const near = new AtomWords(text.folded, nearby, this.#words);
    const room: Room = { walked: [], runs: new Runs(text.folded, text.ended), near, place: 0 };
    for (
      let index = firstAtom(
        atoms,
        froms.reduce((least, from) => Math.min(least, from), folded.length),
      );
      index < atoms.length;
      index += 1
    ) {
      const atom = atoms[index];
      if (atom === undefined) break;
      // Before anything else: digits parted by signs are many atoms, and all but the first are part of a longer number.
      if ((atom.flags & 2) === 0 && !isFreeAt(folded, atom.start)) continue;
      const second = secondForm(text, atom);
      const isMerged = (atom.flags & 1) === 1 && this.#merge(text, atom, { bits: merged.fill(0), left: left.fill(-1) });
      near.moveTo(atom);
      for (let word = 0; word < this.#words; word += 1) {
        const flags = isMerged ? atom.flags & 2 : atom.flags;
        let bits = (this.#mayBegin(atom, second, word) | (this.#flagged[flags * this.#words + word] ?? 0)) & ~(done[word] ?? 0);
        if (isMerged) bits |= (merged[word] ?? 0) & ~(done[word] ?? 0);
        const needy = bits & (this.#needy[word] ?? 0);
        if (needy !== 0) bits &= ~needy | near.bitsOf(word);
        while (bits !== 0) {
          const bit = bits & -bits;
          bits ^= bit;
          const place = word * 32 + 31 - Math.clz32(bit);
          const from = froms[place] ?? 0;
          const finder = this.#finders[place];
          if (finder === undefined || atom.start < from) continue;
          room.place = place;
          const judged = finder.at(text, atom, from, room);
          if (judged === undefined) continue;
          if (typeof judged === "number") {
            froms[place] = judged;
            done[word] = (done[word] ?? 0) | bit;
          } else {
            findings.push({ entity: finder.entity, ...judged });
            froms[place] = judged.end;
          }
        }
      }
    }
    this.#open(text, froms, done);
    return findings;
  }

  #mayBegin({ form, joint, spread }: Atom, second: number, word: number): number {
    const words = this.#words;
    let first = this.#group[form * words + word] ?? 0;
    if (second >= 0) first &= this.#second[second * words + word] ?? 0;
    const joined = (first | (this.#spread[spread * words + word] ?? 0)) & (this.#joined[joint * words + word] ?? 0);
    return (this.#whole[form * words + word] ?? 0) | joined;
  }

  /**
   * Adds the finders for which an atom may begin a code if the invisible characters in it did not stand there: all of it, what stands
   * before letters behind such a one or before anything behind two, or its first group. False where the text that has come does not tell.
   */
  #merge(
    { folded, ended }: ScanText,
    { start, letterFirst }: Atom,
    // `left`: those whose shapes have such units as were read.
    { bits, left }: { readonly bits: Int32Array; readonly left: Int32Array },
  ): boolean {
    let [at, units] = [start, 0];
    while (units < 32) {
      if (!ended && at + HIDDEN_MAX + 2 >= folded.length) return false;
      const from = at;
      while (at < from + HIDDEN_MAX && folded.charCodeAt(at) === INVISIBLE) at += 1;
      const code = folded.charCodeAt(at);
      const form = units + (letterFirst ? 32 : 0);
      if (!isAlnum(code)) {
        const isJoined = code >= 32 && code < 64 && isJoin(folded.charCodeAt(at + 1));
        this.#addForm(bits, left, { form, joint: isJoined ? code - 31 : 0 });
        return true;
      }
      // Behind two of them a code may have ended, whatever comes.
      if (at > from && (isLetter(code) || at > from + 1)) this.#addForm(bits, left, { form, joint: 0 });
      if (!this.#keep(left, units + (isLetter(code) ? 32 : 0))) return true;
      units += 1;
      at += 1;
    }
    this.#addForm(bits, left, { form: letterFirst ? 63 : 31, joint: 0 });
    return true;
  }

  /** Whether any is left that may have such a unit. */
  #keep(left: Int32Array, unit: number): boolean {
    let all = 0;
    for (let word = 0; word < this.#words; word += 1) {
      left[word] = (left[word] ?? 0) & (this.#units[unit * this.#words + word] ?? 0);
      all |= left[word] ?? 0;
    }
    return all !== 0;
  }

  #addForm(bits: Int32Array, left: Int32Array, { form, joint }: { readonly form: number; readonly joint: number }): void {
    for (let word = 0; word < this.#words; word += 1) {
      const first = (this.#group[form * this.#words + word] ?? 0) & (this.#joined[joint * this.#words + word] ?? 0);
      bits[word] = (bits[word] ?? 0) | ((first | (this.#whole[form * this.#words + word] ?? 0)) & (left[word] ?? 0));
    }
  }

  /** Where those are open that are not done: at letters that may become a code. */
  #open({ folded, ended }: ScanText, froms: number[], done: Int32Array): void {
    for (let place = 0; place < froms.length; place += 1) {
      if (((done[place >> 5] ?? 0) & (1 << (place & 31))) !== 0) continue;
      const open = ended ? folded.length : (this.#finders[place]?.trailing(folded) ?? 0);
      if ((froms[place] ?? 0) < open) froms[place] = open;
    }
  }
}

const hasForm = ({ digit, letter }: Lengths, form: number): boolean => (((form < 32 ? digit : letter) >>> (form & 31)) & 1) === 1;

/** Finders that may have words near what begins at an atom, or at capitals before it. Asked of few atoms. */
class AtomWords implements NearWords {
  readonly #folded: string;
  readonly #nearby: Nearby;
  readonly #bits: Int32Array;
  #atom: Atom | undefined;
  #isKnown = false;

  constructor(folded: string, nearby: Nearby, words: number) {
    this.#folded = folded;
    this.#nearby = nearby;
    this.#bits = new Int32Array(words);
  }

  moveTo(atom: Atom): void {
    this.#atom = atom;
    this.#isKnown = false;
  }

  bitsOf(word: number): number {
    if (!this.#isKnown) this.#read();
    return this.#bits[word] ?? 0;
  }

  #read(): void {
    this.#isKnown = true;
    this.#bits.fill(0);
    const { start = 0, flags = 0 } = this.#atom ?? {};
    if ((flags & 2) !== 0) {
      let lead = start - 1;
      while (lead > 0 && start - 1 - lead < LEAD_CHARS_MAX && isUpper(this.#folded.charCodeAt(lead - 1))) lead -= 1;
      this.#add(lead);
    }
    this.#add(start);
  }

  /** All of them where it takes text that has not come. */
  #add(place: number): void {
    const more = this.#nearby.at(place);
    for (let word = 0; word < this.#bits.length; word += 1)
      this.#bits[word] = (this.#bits[word] ?? 0) | (more?.[word] ?? (more === undefined ? -1 : 0));
  }
}

/** Form of the run that a sign joins to an atom, its length counted from the atom's start; -1 where that does not tell. */
function secondForm({ folded, ended }: ScanText, { start, end, joint, spread }: Atom): number {
  const first = folded.charCodeAt(end + 1);
  if (joint === 0 || !isAlnum(first)) return -1;
  let at = end + 2;
  while (at - end < FORMS && isAlnum(folded.charCodeAt(at))) at += 1;
  if (folded.charCodeAt(at) === INVISIBLE || (!ended && at + 2 >= folded.length)) return -1;
  // Digit by digit: a letter may be one of its units, else only its count tells.
  if (spread > 0 && at === end + 2) return isSpreadOver(folded, start + 2 * spread - 1, end) ? NONE : -1;
  return Math.min(at - 1 - start, 31) + (isLetter(first) ? 32 : 0);
}

/** Whether a number written digit by digit goes on with no letter at `at`, by the sign at `sign`. */
function isSpreadOver(folded: string, at: number, sign: number): boolean {
  const [code, next] = [folded.charCodeAt(at), folded.charCodeAt(at + 1)];
  return code !== INVISIBLE && next !== INVISIBLE && !(code === folded.charCodeAt(sign) && isLetter(next)) && at + 3 < folded.length;
}
