import type { Finding, ScanText } from "../../core/detector.ts";
import { BEFORE_CHARS } from "./context.ts";
import { Beginnings, Nearby, type Window } from "./nearby.ts";
import { type Judged, NEAR_CHARS_MAX, type ShapeFinder } from "./shape-finder.ts";
import { ShapeTable } from "./shape-table.ts";
import { isFreeAt, ShapeWalk } from "./shape-walk.ts";
import { firstAtom, isUpper, LEAD_CHARS_MAX } from "./text.ts";

const NEAR: Window = { cuts: [BEFORE_CHARS], behind: NEAR_CHARS_MAX };
const NOBODY = -1;

/** A text that is looked at: what it has said so far, and which words may be near. */
interface Look {
  readonly text: ScanText;
  readonly nearby: Nearby;
  readonly findings: Finding[];
  /** By finder: from where on it looks. */
  readonly froms: number[];
  /** Shapes of finders that need more text to go on. */
  readonly done: Int32Array;
}

/**
 * Many finders in one pass over the atoms of a text: all their shapes are read at once, and a finder is asked about what has one of its
 * shapes alone. Most atoms are none's.
 */
export class ShapeSet {
  readonly #finders: readonly ShapeFinder[];
  /** By shape: its finder, and its place among that one's shapes. A finder's shapes stand together, in its order. */
  readonly #finderOf: Uint16Array;
  readonly #placeOf: Uint16Array;
  readonly #table: ShapeTable;
  readonly #walk: ShapeWalk;
  readonly #beginnings: Beginnings;

  constructor(finders: readonly ShapeFinder[]) {
    this.#finders = finders;
    this.#finderOf = Uint16Array.from(finders.flatMap(({ shapes }, finder) => shapes.map(() => finder)));
    this.#placeOf = Uint16Array.from(finders.flatMap(({ shapes }) => shapes.map((_, place) => place)));
    this.#table = new ShapeTable(finders.flatMap(({ shapes }) => shapes));
    this.#walk = new ShapeWalk(this.#table);
    this.#beginnings = new Beginnings(finders.map(({ words }) => words));
  }

  /**
   * Finder by finder, what begins at or after its own place in `froms`, which becomes the place from where on more text can change what
   * it says. The findings of all, each finder's own in order.
   */
  find({ unescaped: text }: ScanText, froms: number[]): readonly Finding[] {
    const { atoms, folded, ended } = text;
    const nearby = new Nearby(text, this.#beginnings, NEAR);
    const look: Look = { text, nearby, findings: [], froms, done: new Int32Array(this.#table.words) };
    this.#walk.open(folded, ended);
    const least = froms.reduce((least, from) => Math.min(least, from), folded.length);
    for (let index = firstAtom(atoms, least); index < atoms.length; index += 1) {
      const start = atoms[index]?.start ?? 0;
      const lead = capitalsBefore(folded, start);
      if (lead > 0 && isFreeAt(folded, start - 1 - lead)) this.#findAt(look, start - 1 - lead, lead);
      // Before anything else: digits parted by signs are many atoms, and all but the first are part of a longer number.
      if (isFreeAt(folded, start)) this.#findAt(look, start, 0);
    }
    this.#walk.close();
    this.#open(look);
    return look.findings;
  }

  #findAt(look: Look, start: number, lead: number): void {
    const { hits, more } = this.#walk;
    const { froms, done } = look;
    if (!this.#walk.read(start, lead)) return;
    let settled = NOBODY;
    for (let word = 0; word < hits.length; word += 1) {
      let bits = ((hits[word] ?? 0) | (more[word] ?? 0)) & ~(done[word] ?? 0);
      while (bits !== 0) {
        const bit = bits & -bits;
        bits ^= bit;
        const shape = word * 32 + 31 - Math.clz32(bit);
        const finder = this.#finderOf[shape] ?? 0;
        if (finder === settled || start < (froms[finder] ?? 0)) continue;
        if (this.#isSettled(look, { finder, shape, start, isMore: ((more[word] ?? 0) & bit) !== 0 })) settled = finder;
      }
    }
  }

  /** Whether it is known what a finder says of a place, by one of its shapes. */
  #isSettled(
    { text, nearby, findings, froms, done }: Look,
    { finder, shape, start, isMore }: { readonly finder: number; readonly shape: number; readonly start: number; readonly isMore: boolean },
  ): boolean {
    const who = this.#finders[finder];
    if (who === undefined || (who.isNeedy && !isNearBy(nearby, start, finder))) return true;
    const judged = isMore ? start : this.#judge(text, nearby, { who, finder, shape, start });
    if (judged === undefined) return false;
    if (typeof judged !== "number") findings.push({ entity: who.entity, start: judged.start, end: judged.end, score: judged.score });
    froms[finder] = typeof judged === "number" ? judged : judged.end;
    if (typeof judged === "number") this.#markDone(done, finder);
    return true;
  }

  #judge(
    text: ScanText,
    nearby: Nearby,
    { who, finder, shape, start }: { readonly who: ShapeFinder; readonly finder: number; readonly shape: number; readonly start: number },
  ): Judged {
    const end = this.#walk.endOf(this.#table.countOf(shape));
    const candidate = { start, end, units: who.units[this.#placeOf[shape] ?? 0] ?? 0 };
    const score = who.scoreOf(text, candidate, this.#walk);
    if (score === undefined) return undefined;
    return who.judge(text, candidate, { score, mayBeNear: who.words === undefined || isNearBy(nearby, start, finder) });
  }

  #markDone(done: Int32Array, finder: number): void {
    for (let shape = 0; shape < this.#finderOf.length; shape += 1)
      if (this.#finderOf[shape] === finder) done[shape >> 5] = (done[shape >> 5] ?? 0) | (1 << (shape & 31));
  }

  /** Where those are open that are not done: at letters that may become a code. */
  #open({ text: { folded, ended }, froms, done }: Look): void {
    for (let shape = 0; shape < this.#finderOf.length; shape += 1) {
      const finder = this.#finderOf[shape] ?? 0;
      if ((this.#placeOf[shape] ?? 0) > 0 || ((done[shape >> 5] ?? 0) & (1 << (shape & 31))) !== 0) continue;
      const open = ended ? folded.length : (this.#finders[finder]?.trailing(folded) ?? 0);
      if ((froms[finder] ?? 0) < open) froms[finder] = open;
    }
  }
}
const ALL = -1;

/** Whether a finder may have one of its words near a place. */
const isNearBy = (nearby: Nearby, start: number, finder: number): boolean =>
  ((nearby.at(start)?.[finder >> 5] ?? ALL) & (1 << (finder & 31))) !== 0;

/** How many capitals stand, with one sign, before a place; 0 where none do or too many. */
function capitalsBefore(folded: string, start: number): number {
  let lead = start - 1;
  while (lead > 0 && start - 1 - lead <= LEAD_CHARS_MAX && isUpper(folded.charCodeAt(lead - 1))) lead -= 1;
  const letters = start - 1 - lead;
  return letters > 0 && letters <= LEAD_CHARS_MAX ? letters : 0;
}
