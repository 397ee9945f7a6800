import { CLOSING, DIGIT, jointRow, LETTER, OPENING, runRow, type ShapeTable, UNITS_MAX } from "./shape-table.ts";
import { ATOM_CHARS_MAX, INVISIBLE, isAlnum, isDigit, isLetter } from "./text.ts";

const MINUS = 45;
const STOP = 46;
const PERCENT = 37;
/** What stands there is no unit of any shape. */
const OTHER = -1;
/** A text that ends before something can be told. */
const MORE = -1;

/**
 * Reads a text from a place on for all shapes of a table at once, no further than one of them may go. One for many texts, each place in
 * its turn.
 *
 * Between two units there may be one invisible character. At a border of a shape there may be two of them, or one of its separators with
 * at most one before and five behind it. Written digit by digit (`1 2 3 4`) one sign stands between all units, wherever the borders are.
 */
export class ShapeWalk {
  readonly #table: ShapeTable;
  /** Shapes that what was read may still become. */
  readonly #alive: Int32Array;
  /** Shapes that begin at the place and end where nothing behind belongs to them. */
  readonly hits: Int32Array;
  /** Shapes of which more text has to say. */
  readonly more: Int32Array;
  /** By count of units: where they end. */
  readonly #ends = new Int32Array(UNITS_MAX + 2);
  /** Values of the letters and digits from the place to `#valued`. */
  readonly #values = new Uint8Array(UNITS_MAX);
  #valued = 0;
  #valueCount = 0;
  #compact = "";
  /** Units of the longest that is there. */
  #longest = 0;
  #folded = "";
  #ended = true;
  #isSpread = false;
  #between = 0;
  #isAny = false;

  constructor(table: ShapeTable) {
    this.#table = table;
    this.#alive = new Int32Array(table.words);
    this.hits = new Int32Array(table.words);
    this.more = new Int32Array(table.words);
  }

  /** Where a shape ends that has so many units, brackets included. */
  endOf(units: number): number {
    return this.#ends[units] ?? 0;
  }

  /** Values of the letters and digits up to `end`, the first of what it gives. Good until the next place is read. */
  valuesTo(end: number): Uint8Array {
    for (; this.#valued < end; this.#valued += 1) {
      const code = this.#folded.charCodeAt(this.#valued);
      if (!isAlnum(code)) continue;
      this.#values[this.#valueCount] = isDigit(code) ? code - 48 : (code & 31) + 9;
      this.#valueCount += 1;
    }
    return this.#values;
  }

  /** The same as a text in upper case, the first `units` of them. Made once a place, as many finders ask. */
  compact(units: number): string {
    if (this.#compact === "") {
      this.valuesTo(this.endOf(this.#longest));
      for (let index = 0; index < this.#valueCount; index += 1) this.#compact += SIGNS.charAt(this.#values[index] ?? 0);
    }
    return this.#compact.slice(0, units);
  }

  /** The text to read. */
  open(folded: string, ended: boolean): void {
    this.#folded = folded;
    this.#ended = ended;
  }

  /** Lets go of the text and of what was read of it: it lives as long as the policy. */
  close(): void {
    this.#folded = "";
    this.#compact = "";
    this.#values.fill(0);
  }

  /**
   * Fills `hits` and `more` for codes that begin at `start`, which stands alone, with so many capitals before the first digit. Says
   * whether there are any.
   */
  read(start: number, lead: number): boolean {
    this.#begin(lead);
    this.#valued = start;
    this.#valueCount = 0;
    this.#compact = "";
    this.#longest = 0;
    let [at, count] = [start, 0];
    while (at >= 0) {
      const behind = this.#readRun(at, count);
      if (behind < 0) break;
      count += behind - at;
      this.#ends[count] = behind;
      if (count === 1) this.#readSpread(start);
      at = this.#readGap(behind, count);
    }
    return this.#isAny;
  }

  #begin(lead: number): void {
    const { words, leads } = this.#table;
    for (let word = 0; word < words; word += 1) this.#alive[word] = leads[lead * words + word] ?? 0;
    if (this.#isAny) {
      this.hits.fill(0);
      this.more.fill(0);
    }
    this.#isAny = false;
    this.#isSpread = false;
  }

  /** Reads units of one kind, `count` behind the start: gives their end, or less than 0 where no shape has them. */
  #readRun(start: number, count: number): number {
    const folded = this.#folded;
    const kind = kindOf(folded.charCodeAt(start));
    if (kind === OTHER) return OTHER;
    const most = Math.min(folded.length, start + UNITS_MAX - count);
    let at = start + 1;
    if (kind === DIGIT) while (at < most && isDigit(folded.charCodeAt(at))) at += 1;
    else if (kind === LETTER) while (at < most && isLetter(folded.charCodeAt(at))) at += 1;
    return at <= most && (at === start + 1 || !this.#isSpread) && this.#keep(this.#table.runs, runRow(kind, count, at - start))
      ? at
      : OTHER;
  }

  /** Whether a code is written digit by digit from its first digit on. */
  #readSpread(start: number): void {
    const folded = this.#folded;
    if (start + 1 >= folded.length) return;
    const sign = folded.charCodeAt(start + 1);
    if (sign < 32 || sign >= 64 || isDigit(sign)) return;
    if (!this.#ended && start + 3 >= folded.length) {
      this.#mark(this.more, this.#table.signs, sign - 32);
      return;
    }
    if (!isAlnum(folded.charCodeAt(start + 2)) || isAlnum(folded.charCodeAt(start + 3))) return;
    if (isBehindSingle(folded, start, sign)) return;
    this.#isSpread = true;
    this.#between = sign;
    this.#keep(this.#table.signs, sign - 32);
  }

  /** What stands behind so many units, the last ending at `end`: gives where the next begins, or less than 0 where no shape goes on. */
  #readGap(end: number, count: number): number {
    const folded = this.#folded;
    if (end >= folded.length) return this.#stop(count);
    const code = folded.charCodeAt(end);
    if (isAlnum(code)) return this.#isSpread ? MORE : end;
    this.#finish(end, code, count);
    return code === INVISIBLE ? this.#readHidden(end + 1, count) : this.#readSign(end, count);
  }

  /** Behind one that is invisible: it may be before a unit or a sign; or, at a border, before another one and a unit. */
  #readHidden(start: number, count: number): number {
    const folded = this.#folded;
    if (start >= folded.length) return this.#stop(0);
    if (folded.charCodeAt(start) !== INVISIBLE) return this.#readSign(start, count);
    if (!this.#keep(this.#table.borders, count)) return MORE;
    const at = start + 1;
    if (at >= folded.length) return this.#stop(0);
    return this.#isSpread ? this.#readSign(at, count) : at;
  }

  /** A sign that is a separator, or a unit. */
  #readSign(at: number, count: number): number {
    const code = this.#folded.charCodeAt(at);
    if (this.#isSpread) return code === this.#between ? this.#behind(at) : MORE;
    if (kindOf(code) !== OTHER) return at;
    if (code < 32 || code >= 64 || !this.#keep(this.#table.joints, jointRow(code, count))) return MORE;
    let next = this.#behind(at);
    for (let hidden = 0; next >= 0 && hidden < HIDDEN_BEHIND_MAX && this.#folded.charCodeAt(next) === INVISIBLE; hidden += 1)
      next = this.#behind(next);
    return next;
  }

  /** The unit behind one that fits, or less than 0 where the text ends. */
  #behind(at: number): number {
    return at + 1 < this.#folded.length ? at + 1 : this.#stop(0);
  }

  /** At the end of the text: those of `count` units are there, if no more comes; else all have to wait. */
  #stop(count: number): number {
    if (this.#ended) this.#hit(count);
    else this.#mark(this.more, this.#table.leads, 0);
    return MORE;
  }

  /** Shapes of `count` units end before `sign`; none of them goes on. */
  #finish(end: number, sign: number, count: number): void {
    const isJoin = sign === MINUS || sign === STOP || sign === INVISIBLE;
    const isCut = isJoin && end + 1 >= this.#folded.length && !this.#ended;
    const isFree = isJoin ? !isDigit(this.#folded.charCodeAt(end + 1)) : sign !== PERCENT;
    if (isCut) this.#mark(this.more, this.#table.ends, count);
    else if (isFree) this.#hit(count);
  }

  #hit(count: number): void {
    this.#mark(this.hits, this.#table.ends, count);
    this.#longest = Math.max(this.#longest, count);
  }

  /** Takes the shapes of a row out of those that go on, into those that are there or that have to wait. */
  #mark(into: Int32Array, table: Int32Array, row: number): void {
    const { words } = this.#table;
    for (let word = 0; word < words; word += 1) {
      const marked = (this.#alive[word] ?? 0) & (table[row * words + word] ?? 0);
      if (marked === 0) continue;
      this.#isAny = true;
      into[word] = (into[word] ?? 0) | marked;
      this.#alive[word] = (this.#alive[word] ?? 0) & ~marked;
    }
  }

  /** Leaves the shapes of a row alone; says whether there are any. */
  #keep(table: Int32Array, row: number): boolean {
    const { words } = this.#table;
    let any = 0;
    for (let word = 0; word < words; word += 1) {
      const kept = (this.#alive[word] ?? 0) & (table[row * words + word] ?? 0);
      this.#alive[word] = kept;
      any |= kept;
    }
    return any !== 0;
  }
}

/** By value. */
const SIGNS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";

function kindOf(code: number): number {
  if (isDigit(code)) return DIGIT;
  if (isLetter(code)) return LETTER;
  return code === 40 ? OPENING : code === 41 ? CLOSING : OTHER;
}

/** A single digit, and the same sign, before it: it is not the first of those that are written so. */
function isBehindSingle(folded: string, start: number, sign: number): boolean {
  if (folded.charCodeAt(start - 1) !== sign) return false;
  const digit = visibleBefore(folded, start - 1);
  return isDigit(folded.charCodeAt(digit)) && !isAlnum(folded.charCodeAt(digit - 1));
}

/** The last unit before a place that is no invisible one within a number. */
function visibleBefore(folded: string, place: number): number {
  let at = place - 1;
  while (at >= place - HIDDEN_MAX && folded.charCodeAt(at) === INVISIBLE) at -= 1;
  return at;
}
/** Most of them behind a separator: of a blank that HTML spells out. */
const HIDDEN_BEHIND_MAX = 5;
/** Most invisible characters in a row within a number. */
const HIDDEN_MAX = 2;

/** `$ + £ ¥ € ₹ ₽`. */
const isMoney = (code: number): boolean =>
  code === 36 || code === 43 || code === 0xa3 || code === 0xa5 || code === 0x20ac || code === 0x20b9 || code === 0x20bd;

/** Does nothing before it belong to it: no letter or digit, no number joined by a sign, no sign of money? */
export function isFreeAt(folded: string, start: number): boolean {
  const sign = folded.charCodeAt(start - 1);
  if (isAlnum(sign) || isMoney(sign)) return false;
  if (sign !== MINUS && sign !== STOP && sign !== INVISIBLE) return true;
  for (let at = sign === INVISIBLE ? start - 2 : visibleBefore(folded, start - 1); at >= 0 && at > start - 2 - ATOM_CHARS_MAX; at -= 1) {
    const code = folded.charCodeAt(at);
    if (isDigit(code)) return false;
    if (!isLetter(code)) return true;
  }
  return true;
}
