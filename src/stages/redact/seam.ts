import type { Detector, Finding } from "../../core/detector.ts";
import { StreamScan } from "../../detectors/index.ts";
import { type Restored, RestoreScan, type StandIns } from "./restore.ts";
import type { Action } from "./section.ts";

/** UTF-16 units before what is undecided, and behind the place where two blocks meet, that are read as context of what is found there. */
export const SEAM_CHARS = 256;

/** A finding, as far as it lies in one block. */
export interface Piece extends Finding {
  /** All of what was found. */
  readonly value: string;
  /** It is the nth of so many. */
  readonly nth: number;
  readonly of: number;
}
/** A stand-in, as far as it lies in one block. */
export interface RestoredPiece extends Restored {
  readonly nth: number;
  /** All of what it stands for. */
  readonly value: string;
}
/** A block as a seam sees it. */
export interface Side {
  take(piece: Piece): void;
  takeRestored(piece: RestoredPiece): void;
  /** A stand-in was found in the block alone that overlaps this stretch of it. */
  hasRestored(start: number, end: number): boolean;
}
interface Segment {
  readonly side: Side;
  /** Where the block's own offset 0 stands in the joined text. */
  readonly base: number;
  end: number;
}

/**
 * Blocks that callers put one behind the other without a break, read together where they meet: for values and stand-ins that begin in
 * one and end in the next, or that only words of the one before tell. Each block is read by itself besides, since a value that stands
 * at its end would not be one with letters of the next behind it.
 *
 * It begins with the last of the first block, as much as is undecided or may be context, and is over when nothing that begins within
 * `SEAM_CHARS` of a meeting place is open any more.
 */
export class Seam {
  readonly #scan: StreamScan | undefined;
  readonly #restore: RestoreScan | undefined;
  #segments: Segment[];
  #text = "";
  #textFrom = 0;
  #length = 0;
  #released = 0;
  /** The first meeting place, and the last one. */
  #firstMeets: number | undefined;
  #meets = 0;

  constructor(detectors: readonly Detector[], standIns: StandIns) {
    this.#scan = detectors.length === 0 ? undefined : new StreamScan(detectors);
    this.#restore = standIns.isEmpty ? undefined : new RestoreScan(standIns);
    this.#segments = [];
  }

  /** Nothing will be told any more. */
  get isOver(): boolean {
    return this.#released >= this.#meets + SEAM_CHARS;
  }

  /** A block begins. `before`: units of it that stand before what is pushed. */
  begin(side: Side, before = 0): void {
    this.#segments.push({ side, base: this.#length - before, end: Number.POSITIVE_INFINITY });
  }
  /** The block that text is pushed of is whole. */
  meet(): void {
    this.#meets = this.#length;
    this.#firstMeets ??= this.#length;
    const last = this.#segments.at(-1);
    if (last !== undefined) last.end = this.#length;
  }

  push(text: string): void {
    this.#text += text;
    this.#length += text.length;
    const seen = this.#scan?.push(text);
    this.#take(seen?.findings ?? [], this.#restore?.push(text) ?? []);
    this.#release(Math.min(seen?.released ?? this.#length, this.#restore?.decided ?? this.#length));
  }
  end(): void {
    if (this.#released === Number.POSITIVE_INFINITY) return;
    this.#take(this.#scan?.end().findings ?? [], this.#restore?.end() ?? []);
    this.#release(Number.POSITIVE_INFINITY);
  }

  /** Up to where a block is decided, in its own offsets. */
  decidedOf(side: Side): number {
    const segment = this.#segments.find((one) => one.side === side);
    return segment === undefined || this.#released >= segment.end ? Number.POSITIVE_INFINITY : Math.max(0, this.#released - segment.base);
  }

  #release(to: number): void {
    this.#released = to;
    if (to >= this.#meets) this.#segments = this.#segments.filter(({ end }) => end > to || end === Number.POSITIVE_INFINITY);
    const keep = Math.min(to, this.#length);
    this.#text = this.#text.slice(keep - this.#textFrom);
    this.#textFrom = keep;
  }

  #take(findings: readonly Finding[], restored: readonly Restored[]): void {
    for (const { start, end, text } of restored) {
      if (!this.#crosses(start, end)) continue;
      const parts = this.#partsOf(start, end);
      if (parts.some(({ segment, from, to }) => segment.side.hasRestored(from, to))) continue;
      for (const [index, { segment, from, to }] of parts.entries())
        segment.side.takeRestored({ start: from, end: to, text: shareOf(text, index, parts.length), nth: index, value: text });
    }
    for (const finding of findings) {
      const { start, end } = finding;
      if (this.#firstMeets === undefined || end <= this.#firstMeets || start >= this.#meets + SEAM_CHARS) continue;
      const value = this.#text.slice(start - this.#textFrom, end - this.#textFrom);
      const parts = this.#partsOf(start, end);
      // Letters behind a stand-in are no more of it.
      if (parts.length > 1 && parts.some(({ segment, from, to }) => segment.side.hasRestored(from, to))) continue;
      for (const [index, { segment, from, to }] of parts.entries())
        segment.side.take({ ...finding, start: from, end: to, value, nth: index, of: parts.length });
    }
  }

  #crosses(start: number, end: number): boolean {
    return this.#segments.some((segment) => start < segment.end && end > segment.end);
  }
  #partsOf(start: number, end: number): readonly { readonly segment: Segment; readonly from: number; readonly to: number }[] {
    return this.#segments.flatMap((segment) => {
      const from = Math.max(0, start - segment.base);
      const to = Math.min(end, segment.end) - segment.base;
      return start < segment.end && to > from ? [{ segment, from, to }] : [];
    });
  }
}

/**
 * What the nth of so many blocks says of the text that stands in place of what was found in them all: the first all but the last signs,
 * of which each of the others says one. A block may be nothing but its piece, and Anthropic takes no message with an empty block.
 */
export function shareOf(text: string, nth = 0, of = 1): string {
  const last = text.slice(text.length - of + 1);
  if (of === 1 || text.length < of || /[\ud800-\udfff]/.test(last)) return nth === 0 ? text : "";
  return nth === 0 ? text.slice(0, text.length - of + 1) : last.charAt(nth - 1);
}

/** A finding of one block, or what a seam told of it. */
export type Found = Finding & Partial<Piece>;

/**
 * Findings of a block by itself and of its seams, in order, apart. What the block alone tells is part of what the seam tells, or keeps
 * what is left; nothing that is refused goes in what is replaced, and nothing that is replaced in what is watched.
 */
export function foundTogether(
  own: readonly Found[],
  pieces: readonly Piece[],
  actionOf: (finding: Finding) => Action | undefined,
): readonly Found[] {
  if (pieces.length === 0) return own;
  const rankOf = (finding: Found, isPiece: boolean): number => {
    const action = actionOf(finding);
    if (action === "block") return 0;
    return action === undefined || action === "watch" || action === "pass" ? 3 : isPiece ? 1 : 2;
  };
  const ranked = [
    ...pieces.map((found) => ({ found, rank: rankOf(found, true) })),
    ...own.map((found) => ({ found, rank: rankOf(found, false) })),
  ].sort((a, b) => a.rank - b.rank);
  const all: Found[] = [];
  for (const { found } of ranked) all.push(...restsOf(found, all));
  return all.sort((a, b) => a.start - b.start);
}

/** What is left of a finding where others stand. */
function restsOf(finding: Found, others: readonly Found[]): readonly Found[] {
  let rests = [finding];
  for (const { start, end } of others)
    rests = rests.flatMap((rest) =>
      rest.end <= start || rest.start >= end
        ? [rest]
        : [
            { ...rest, end: Math.min(rest.end, start) },
            { ...rest, start: Math.max(rest.start, end) },
          ].filter((left) => left.start < left.end),
    );
  return rests;
}
