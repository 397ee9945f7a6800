import type { Denial } from "../../core/denials.ts";
import type { Detector, Finding } from "../../core/detector.ts";
import type { LaneReader, LaneStep, Stop, TextEdit } from "../../core/guard.ts";
import { StreamScan } from "../../detectors/index.ts";
import type { Profile } from "./profile.ts";
import type { Replacer } from "./replace.ts";
import { type Restored, RestoreScan, type StandIns } from "./restore.ts";
import { type Found, foundTogether, type Piece, type RestoredPiece, SEAM_CHARS, Seam, type Side, shareOf } from "./seam.ts";
import type { Action } from "./section.ts";

interface ReaderParts {
  readonly detectors: readonly Detector[];
  readonly standIns: StandIns;
  readonly profile: Profile;
  readonly replacer: Replacer;
  readonly note: (entity: string, action: string, value: string) => void;
}

const NO_EDITS: readonly TextEdit[] = [];
/** Text that is decided is dropped when there is so much of it, UTF-16 units: with each piece alone it would be copied as often. */
const DROPPED_CHARS = 1_024;

/**
 * Reads one lane. Where a stand-in and a finding overlap, the stand-in counts, and what the finding has beside it is replaced. What
 * begins in it and ends in the next block, or the other way round, a `Seam` tells both.
 */
export class Reader implements LaneReader, Side {
  readonly #parts: ReaderParts;
  readonly #scan: StreamScan | undefined;
  readonly #restore: RestoreScan | undefined;
  #restored: (Restored & Partial<RestoredPiece>)[] = [];
  #findings: Finding[] = [];
  /** What the seam told. */
  #pieces: Piece[] = [];
  #decided = 0;
  /** Text from shortly before the first place that is not decided, for the values that are found in it and the block that follows. */
  #kept = "";
  #keptFrom = 0;
  /** Up to here the lane by itself is decided. */
  #own = 0;
  /** Where this block meets the one before or the next. */
  #seam: Seam | undefined;
  #paused = false;

  constructor(parts: ReaderParts, after: Reader | undefined) {
    this.#parts = parts;
    this.#scan = parts.detectors.length === 0 ? undefined : new StreamScan(parts.detectors);
    this.#restore = parts.standIns.isEmpty ? undefined : new RestoreScan(parts.standIns);
    this.#seam = after === undefined ? undefined : after.#seam;
    this.#seam?.begin(this);
  }

  push(text: string): LaneStep {
    this.#kept += text;
    if (this.#restore !== undefined) this.#restored.push(...this.#restore.push(text));
    this.#own = this.#restore?.decided ?? Number.POSITIVE_INFINITY;
    if (this.#scan !== undefined) {
      const seen = this.#scan.push(text);
      if (seen.findings.length > 0) this.#findings.push(...seen.findings);
      this.#own = Math.min(this.#own, seen.released);
    }
    this.#seam?.push(text);
    return this.#step(this.#limit());
  }

  end(): LaneStep {
    if (!this.#paused) this.#endOwn();
    this.#seam?.end();
    this.#seam = undefined;
    return this.#step(Number.POSITIVE_INFINITY);
  }

  pause(): LaneStep {
    const length = this.#keptFrom + this.#kept.length;
    const before = Math.min(this.#own, length);
    this.#endOwn();
    this.#paused = true;
    this.#own = Number.POSITIVE_INFINITY;
    if (this.#seam === undefined) {
      this.#seam = new Seam(this.#parts.detectors, this.#parts.standIns);
      const from = Math.max(this.#keptFrom, before - SEAM_CHARS);
      this.#seam.begin(this, from);
      this.#seam.push(this.#kept.slice(from - this.#keptFrom));
    }
    this.#seam.meet();
    return this.#step(this.#limit());
  }

  late(): LaneStep {
    return this.#step(this.#limit());
  }

  take(piece: Piece): void {
    const start = Math.max(piece.start, this.#decided);
    if (start < piece.end && this.#actionOf(piece) !== undefined) this.#pieces.push({ ...piece, start });
  }
  takeRestored(piece: RestoredPiece): void {
    this.#restored = this.#restored.filter(({ start, end }) => end <= piece.start || start >= piece.end);
    this.#restored.push(piece);
  }
  hasRestored(start: number, end: number): boolean {
    return this.#restored.some((other) => other.start < end && other.end > start);
  }

  #endOwn(): void {
    if (this.#restore !== undefined) this.#restored.push(...this.#restore.end());
    if (this.#scan !== undefined) this.#findings.push(...this.#scan.end().findings);
  }

  #limit(): number {
    if (this.#seam === undefined) return this.#own;
    const limit = Math.min(this.#own, this.#seam.decidedOf(this));
    if (this.#seam.isOver && !this.#paused) this.#seam = undefined;
    return limit;
  }

  #step(limit: number): LaneStep {
    if (this.#restored.length === 0 && this.#findings.length === 0 && this.#pieces.length === 0) return this.#nothing(limit);
    let to = limit;
    for (let again = true; again; ) {
      again = false;
      for (const { start, end } of [...this.#restored, ...this.#findings, ...this.#pieces])
        if (start < to && end > to) {
          to = start;
          again = true;
        }
    }
    const edits: TextEdit[] = [];
    const restored = this.#restored.filter(({ end }) => end <= to);
    for (const { start, end, text, nth } of restored)
      edits.push({ start, end, text, ifFixed: "pass", ...(nth === undefined ? {} : { seam: true }) });
    let stop: LaneStep["stop"];
    const own = this.#findings.filter(({ end }) => end <= to);
    const pieces = this.#pieces.filter(({ end }) => end <= to);
    for (const finding of foundTogether(own, pieces, (one) => this.#actionOf(one))) {
      stop = this.#judge(finding, restored, edits);
      if (stop !== undefined) break;
    }
    for (const { text, nth = 0, value = text } of restored) if (nth === 0) this.#parts.note("stand_in", "restore", value);
    this.#restored = this.#restored.filter(({ end }) => end > to);
    this.#findings = this.#findings.filter(({ end }) => end > to);
    this.#pieces = this.#pieces.filter(({ end }) => end > to);
    if (to !== Number.POSITIVE_INFINITY) this.#forget(to);
    this.#decided = Math.max(this.#decided, to);
    edits.sort((a, b) => a.start - b.start);
    const before = stop === undefined ? edits : edits.filter(({ end }) => end <= (stop?.at ?? 0));
    return stop === undefined ? { decided: this.#decided, edits: before } : { decided: this.#decided, edits: before, stop };
  }

  #actionOf({ entity, score }: Finding): Action | undefined {
    const { answers, minScore } = this.#parts.profile;
    return score < minScore ? undefined : answers.get(entity);
  }

  /** Most pieces of an answer bring nothing. */
  #nothing(to: number): LaneStep {
    if (to !== Number.POSITIVE_INFINITY) this.#forget(to);
    this.#decided = Math.max(this.#decided, to);
    return { decided: this.#decided, edits: NO_EDITS };
  }

  #judge(finding: Found, restored: readonly Restored[], edits: TextEdit[]): LaneStep["stop"] {
    const { replacer, note } = this.#parts;
    const { entity, start, end, nth = 0, of } = finding;
    const action = this.#actionOf(finding);
    if (action === undefined) return undefined;
    if (restored.some((other) => other.start <= start && other.end >= end)) return undefined;
    const value = finding.value ?? this.#kept.slice(start - this.#keptFrom, end - this.#keptFrom);
    // In shadow the provider saw the value itself: saying it again is no leak of the model's.
    if (replacer.pseudonyms.knows(entity, value)) {
      if (nth === 0) note(entity, "restore", value);
      return undefined;
    }
    if (nth === 0) note(entity, action === "pseudonymise" ? "mask" : action, value);
    if (action === "block") return { at: start, stop: BLOCKED(entity) };
    if (action === "watch") return undefined;
    const text = shareOf(replacer.replacement(entity, value, action === "pseudonymise" ? "mask" : action), nth, of);
    const more = finding.value === undefined ? replacer.numbers : { ...replacer.numbers, seam: true as const };
    let said = false;
    let from = start;
    const put = (to: number): void => {
      if (from < to) edits.push({ start: from, end: to, text: said ? "" : text, ...more });
      said ||= from < to;
    };
    for (const other of restored) {
      if (other.end <= from || other.start >= end) continue;
      put(other.start);
      from = other.end;
    }
    put(end);
    return undefined;
  }

  #forget(decided: number): void {
    const before = decided - SEAM_CHARS;
    if (before < this.#keptFrom + DROPPED_CHARS) return;
    this.#kept = this.#kept.slice(before - this.#keptFrom);
    this.#keptFrom = before;
  }
}

export const denialOf = (entity: string): Denial => ({
  code: "content_blocked",
  detail: `The policy does not allow ${entity} in answers.`,
});
const BLOCKED = (entity: string): Stop => ({ kind: "refuse", denial: denialOf(entity) });
