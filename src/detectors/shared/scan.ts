import { setImmediate } from "node:timers/promises";
import type { Detector, Finding } from "../../core/detector.ts";
import { SLICE_MS, YIELD_CHARS } from "../../core/limits.ts";
import { Overlaps, ranksOf, type Weigh } from "./overlaps.ts";
import { leastOf, Places } from "./places.ts";
import { ShapeSet } from "./shape-set.ts";
import { ShapeDetector } from "./shapes.ts";
import { INVISIBLE, isAlnum, isUpper, LEAD_CHARS_MAX, Scanned } from "./text.ts";

/** What more text has decided: offsets count from the first piece. */
export interface Decided {
  /** New ones, in order, not overlapping; each ends at or before `released`. */
  readonly findings: readonly Finding[];
  /** Text before this offset holds no finding but those already given. It never parts a surrogate pair. */
  readonly released: number;
}

/** Text is scanned in pieces of so many UTF-16 units, so that a long one needs little memory. */
const PIECE_CHARS = 16_384;
/** Longest word that is held where nothing in it can be a finding yet, in UTF-16 units: above what an address or number starts with. */
const WORD_CHARS_MAX = 128;
const NEVER_WORDS_FROM = 0x2e80;

/**
 * Scans text that is still coming. For every way of cutting a text the findings are those of the whole text, and as little as can be
 * is held: the word that the text ends in, and what could still become, grow into or undo a finding.
 *
 * Each detector goes on from where it said that more text could change its mind. A position is released when no detector has it open
 * and no finding there can still lose to one that overlaps it. Memory: the longest finding and the longest look behind.
 */
export class StreamScan {
  readonly #lineup: Lineup;
  /** Where each detector goes on, in the buffer; and where those by shape do. */
  readonly #froms: number[];
  readonly #shapePlaces: Places;
  readonly #overlaps: Overlaps;
  #buffer = "";
  /** The first half of a sign of two units, where the text ends in it. */
  #half = "";
  /** Offset of the buffer's first unit. */
  #base = 0;
  #released = 0;

  constructor(detectors: readonly Detector[]) {
    this.#lineup = lineupOf(detectors);
    this.#froms = this.#lineup.others.map(() => 0);
    this.#shapePlaces = new Places(this.#lineup.shapes.length);
    const isWorth = (start: number, end: number): boolean => /[\p{L}\p{N}]/u.test(this.#buffer.slice(start - this.#base, end - this.#base));
    this.#overlaps = new Overlaps(this.#lineup.ranks, isWorth, this.#lineup.weigh);
  }

  /** Decides what it can, with `piece` behind all earlier text. */
  push(piece: string): Decided {
    // What half of a sign is its other half says.
    const text = this.#half + piece;
    this.#half = isFirst(text.charCodeAt(text.length - 1)) ? text.slice(-1) : "";
    this.#buffer += this.#half === "" ? text : text.slice(0, -1);
    return this.#step(false);
  }

  /** Decides the rest. Call it once. */
  end(): Decided {
    this.#buffer += this.#half;
    return this.#step(true);
  }

  /** Decides all of a text that comes at once, as its first and last piece. */
  whole(text: string): Decided {
    this.#buffer = text;
    return this.#step(true);
  }

  #step(ended: boolean): Decided {
    const { length } = this.#buffer;
    const first = this.#openFrom(length);
    const text = new Scanned(this.#buffer, ended, first);
    const has = signsIn(text, first);
    const word = ended ? length : wordStart(text.folded);
    const keepFrom = Math.min(this.#findOthers(text, has, word), this.#findShapes(text, has, word));
    const open = this.#base + this.#openFrom(length);
    const findings = this.#overlaps.settle(open);
    this.#release(Math.min(open, this.#overlaps.heldFrom), ended);
    this.#forget(Math.max(0, Math.min(keepFrom, this.#released - this.#base)));
    return { findings, released: this.#released };
  }

  /** The first place in the buffer that some detector has not decided; `length` where there is none. */
  #openFrom(length: number): number {
    return Math.min(leastOf(this.#froms, length), this.#shapePlaces.least);
  }

  /** Lets each detector go on; gives from where on the buffer is needed again. */
  #findOthers(text: Scanned, has: Signs, word: number): number {
    const { others } = this.#lineup;
    let keepFrom = text.text.length;
    for (let index = 0; index < others.length; index += 1) {
      const [detector, from] = [others[index], this.#froms[index] ?? 0];
      if (detector === undefined) break;
      let next = Math.max(from, word);
      if (detector.needs === undefined || has[detector.needs]) {
        const found = detector.find(text, from);
        next = found.open;
        this.#take(found.findings);
      }
      this.#froms[index] = next;
      keepFrom = Math.min(keepFrom, next - detector.lookBehind);
    }
    return keepFrom;
  }

  /** The same of those by shape. */
  #findShapes(text: Scanned, has: Signs, word: number): number {
    const { set, lookBehind } = this.#lineup;
    const places = this.#shapePlaces;
    if (has.digit) this.#take(places.moveEach((each) => set.find(text, each)));
    else places.moveTo(word);
    return Math.min(text.text.length, places.least) - lookBehind;
  }

  #take(findings: readonly Finding[]): void {
    if (findings.length > 0) this.#overlaps.add(findings.map((finding) => this.#placed(this.#wholeOf(finding))));
  }

  /** Of a sign of two units the second is seen (`fold`): what begins there begins before it. */
  #wholeOf(finding: Finding): Finding {
    return isSecond(this.#buffer.charCodeAt(finding.start)) ? { ...finding, start: finding.start - 1 } : finding;
  }

  /** Drops so many units of the buffer. */
  #forget(units: number): void {
    if (units === 0) return;
    this.#buffer = this.#buffer.slice(units);
    this.#base += units;
    for (let index = 0; index < this.#froms.length; index += 1) this.#froms[index] = (this.#froms[index] ?? 0) - units;
    this.#shapePlaces.shift(units);
  }

  #placed(finding: Finding): Finding {
    if (this.#base === 0) return finding;
    const { entity, start, end, score } = finding;
    return { entity, start: start + this.#base, end: end + this.#base, score };
  }

  #release(to: number, ended: boolean): void {
    const code = this.#buffer.charCodeAt(to - this.#base - 1);
    const parts = !ended && code >= 0xd800 && code <= 0xdbff;
    this.#released = Math.max(this.#released, parts ? to - 1 : to);
  }
}

/** Detectors, made ready for scans: those by shape go together. */
interface Lineup {
  readonly others: readonly Detector[];
  readonly shapes: readonly ShapeDetector[];
  readonly set: ShapeSet;
  readonly lookBehind: number;
  /** Entities in the order that settles draws. */
  readonly ranks: ReadonlyMap<string, number>;
  readonly weigh: Weigh | undefined;
}

/** A policy's list of detectors is made once and scans many texts. */
const lineups = new WeakMap<readonly Detector[], Lineup>();

function lineupOf(detectors: readonly Detector[]): Lineup {
  return lineups.get(detectors) ?? lineUp(detectors, undefined);
}

/** The list itself, from now on with weights: of two findings that overlap, the one of more weight stands. */
export function weighed(detectors: readonly Detector[], weigh: Weigh): readonly Detector[] {
  lineUp(detectors, weigh);
  return detectors;
}

function lineUp(detectors: readonly Detector[], weigh: Weigh | undefined): Lineup {
  const shapes = detectors.filter((detector) => detector instanceof ShapeDetector);
  const made: Lineup = {
    others: detectors.filter((detector) => !(detector instanceof ShapeDetector)),
    shapes,
    set: new ShapeSet(shapes.map(({ finder }) => finder)),
    lookBehind: Math.max(0, ...shapes.map(({ lookBehind }) => lookBehind)),
    ranks: ranksOf(detectors.flatMap(({ entities }) => entities)),
    weigh,
  };
  lineups.set(detectors, made);
  return made;
}

/** All findings of a whole text, in order, not overlapping. Runs to its end: for text past `YIELD_CHARS` use `scanSliced`. */
export function scan(text: string, detectors: readonly Detector[]): readonly Finding[] {
  const stream = new StreamScan(detectors);
  if (text.length <= PIECE_CHARS) return stream.whole(text).findings;
  const findings: Finding[] = [];
  for (let at = 0; at < text.length; at += PIECE_CHARS) findings.push(...stream.push(text.slice(at, at + PIECE_CHARS)).findings);
  findings.push(...stream.end().findings);
  return findings;
}

/** `scan` for text of any length: gives way to the event loop each `SLICE_MS`. Stops early, with what it has, when `signal` is aborted. */
export async function scanSliced(text: string, detectors: readonly Detector[], signal?: AbortSignal): Promise<readonly Finding[]> {
  if (text.length <= YIELD_CHARS) return scan(text, detectors);
  const stream = new StreamScan(detectors);
  const findings: Finding[] = [];
  let sliceEnds = performance.now() + SLICE_MS;
  for (let at = 0; at < text.length && signal?.aborted !== true; at += PIECE_CHARS / 8) {
    findings.push(...stream.push(text.slice(at, at + PIECE_CHARS / 8)).findings);
    if (performance.now() < sliceEnds) continue;
    await setImmediate();
    sliceEnds = performance.now() + SLICE_MS;
  }
  findings.push(...stream.end().findings);
  return findings;
}

/** Halves of signs that have two units. */
const isFirst = (code: number): boolean => code >= 0xd800 && code <= 0xdbff;
const isSecond = (code: number): boolean => code >= 0xdc00 && code <= 0xdfff;

/** Which of the signs are there that detectors need (`Detector.needs`). */
type Signs = Readonly<Record<"digit" | "colon", boolean>>;

/** Those at or after `from`. */
function signsIn({ folded, hasDigit }: Scanned, from: number): Signs {
  return { digit: hasDigit, colon: folded.includes(":", from) };
}

/**
 * Where the word begins that the text ends in, at most `WORD_CHARS_MAX` units back; with a short word of capitals before it, as
 * codes written with blanks begin (`AB 12 34 56 C`). A word has no blank and nothing of a script that writes none.
 */
function wordStart(folded: string): number {
  const least = Math.max(0, folded.length - WORD_CHARS_MAX);
  let start = folded.length;
  while (start > least && isWordUnit(folded.charCodeAt(start - 1))) start -= 1;
  if (folded.charAt(start - 1) !== " ") return start;
  let lead = start - 1;
  while (lead > 0 && start - 1 - lead < LEAD_CHARS_MAX && isUpper(folded.charCodeAt(lead - 1))) lead -= 1;
  return lead < start - 1 && !isAlnum(folded.charCodeAt(lead - 1)) ? lead : start;
}

/** Not a blank, and of no script that puts none between words (CJK and Hangul; halves of surrogate pairs). */
const isWordUnit = (code: number): boolean => code > 32 && code < NEVER_WORDS_FROM && code !== INVISIBLE;
