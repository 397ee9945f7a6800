import { setImmediate } from "node:timers/promises";
import type { Detector, Finding } from "../../core/detector.ts";
import { SLICE_MS, YIELD_CHARS } from "../../core/limits.ts";
import { Overlaps } from "./overlaps.ts";
import { isAlnum, isUpper, LEAD_CHARS_MAX, Scanned } from "./text.ts";

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
  readonly #detectors: readonly Detector[];
  /** Where each detector goes on. */
  readonly #froms: number[];
  readonly #overlaps: Overlaps;
  #buffer = "";
  /** Offset of the buffer's first unit. */
  #base = 0;
  #released = 0;

  constructor(detectors: readonly Detector[]) {
    this.#detectors = detectors;
    this.#froms = detectors.map(() => 0);
    this.#overlaps = new Overlaps(
      detectors.flatMap(({ entities }) => entities),
      (start, end) => /[\p{L}\p{N}]/u.test(this.#buffer.slice(start - this.#base, end - this.#base)),
    );
  }

  /** Decides what it can, with `piece` behind all earlier text. */
  push(piece: string): Decided {
    this.#buffer += piece;
    return this.#step(false);
  }

  /** Decides the rest. Call it once. */
  end(): Decided {
    return this.#step(true);
  }

  #step(ended: boolean): Decided {
    const end = this.#base + this.#buffer.length;
    const first = Math.min(end, ...this.#froms);
    const text = new Scanned(this.#buffer, ended, first - this.#base);
    const has = present(text.folded, first - this.#base);
    const word = this.#base + (ended ? this.#buffer.length : wordStart(text.folded));
    let open = end;
    let keepFrom = end;
    this.#detectors.forEach((detector, index) => {
      const from = this.#froms[index] ?? 0;
      let next = Math.max(from, word);
      if (detector.needs === undefined || has[detector.needs]) {
        const found = detector.find(text, from - this.#base);
        next = found.open + this.#base;
        this.#overlaps.add(found.findings.map((finding) => this.#placed(finding)));
      }
      this.#froms[index] = next;
      open = Math.min(open, next);
      keepFrom = Math.min(keepFrom, next - detector.lookBehind);
    });
    const findings = this.#overlaps.settle(open);
    this.#release(Math.min(open, this.#overlaps.heldFrom), ended);
    const keep = Math.max(0, Math.min(keepFrom, this.#released) - this.#base);
    this.#buffer = this.#buffer.slice(keep);
    this.#base += keep;
    return { findings, released: this.#released };
  }

  #placed(finding: Finding): Finding {
    return this.#base === 0 ? finding : { ...finding, start: finding.start + this.#base, end: finding.end + this.#base };
  }

  #release(to: number, ended: boolean): void {
    const code = this.#buffer.charCodeAt(to - this.#base - 1);
    const parts = !ended && code >= 0xd800 && code <= 0xdbff;
    this.#released = Math.max(this.#released, parts ? to - 1 : to);
  }
}

/** All findings of a whole text, in order, not overlapping. Runs to its end: for text past `YIELD_CHARS` use `scanSliced`. */
export function scan(text: string, detectors: readonly Detector[]): readonly Finding[] {
  const stream = new StreamScan(detectors);
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

/** Which of the characters that detectors need are there at or after `from`. */
function present(folded: string, from: number): Readonly<Record<"digit" | "at" | "colon", boolean>> {
  const rest = folded.slice(from);
  return { digit: /[0-9]/.test(rest), at: rest.includes("@"), colon: rest.includes(":") };
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
const isWordUnit = (code: number): boolean => code > 32 && code < NEVER_WORDS_FROM && code !== 0x200b;
