import type { Detector } from "../../core/detector.ts";
import type { Steps } from "../../core/slice.ts";
import type { Profile } from "./profile.ts";
import { StandIns } from "./restore.ts";
import { foundTogether, type Piece, Seam, type Side } from "./seam.ts";
import type { Looked } from "./texts.ts";

/** UTF-16 units of a part that are read again with the one behind it: longer than what is found, but for keys. */
const TAIL_CHARS = 4_096;
/** Units of the next part that are shown in one go. */
const HEAD_CHARS = 512;
const NO_STAND_INS = new StandIns([]);

/**
 * Texts of a request with what is found where two parts of one message meet: providers put them one behind the other, so that a value
 * may begin in one and end in the next.
 */
export function* joinParts(looked: readonly Looked[], detectors: readonly Detector[], profile: Profile): Steps<readonly Looked[]> {
  const nextOf = new Map(looked.flatMap((text) => (text.goesOn === undefined ? [] : [[text.goesOn, text]])));
  if (nextOf.size === 0) return looked;
  const sides = new Map<Looked, PartSide>();
  for (const first of looked) {
    if (first.goesOn !== undefined || !nextOf.has(first.node)) continue;
    let seam: Seam | undefined;
    for (let part: Looked | undefined = first; part !== undefined; part = nextOf.get(part.node)) {
      const side = new PartSide();
      sides.set(part, side);
      seam = showPart(part.shown, side, seam, detectors);
      yield;
    }
    seam?.end();
  }
  const actionOf = ({ entity, score }: { readonly entity: string; readonly score: number }) =>
    score < profile.minScore ? undefined : profile.requests.get(entity);
  return looked.map((text) => {
    const pieces = sides.get(text)?.pieces.filter((piece) => actionOf(piece) !== undefined) ?? [];
    return pieces.length === 0 ? text : { ...text, findings: foundTogether(text.findings, pieces, actionOf) };
  });
}

/** Shows a part to the seam with the one before. Gives the one with the next. */
function showPart(shown: string, side: PartSide, before: Seam | undefined, detectors: readonly Detector[]): Seam {
  if (before !== undefined) {
    before.begin(side);
    for (let at = 0; at < shown.length && !before.isOver; at += HEAD_CHARS) before.push(shown.slice(at, at + HEAD_CHARS));
    if (!before.isOver) {
      before.meet();
      return before;
    }
  }
  const seam = new Seam(detectors, NO_STAND_INS);
  const from = Math.max(0, shown.length - TAIL_CHARS);
  seam.begin(side, from);
  seam.push(shown.slice(from));
  seam.meet();
  return seam;
}

class PartSide implements Side {
  readonly pieces: Piece[] = [];
  take(piece: Piece): void {
    this.pieces.push(piece);
  }
  takeRestored(): void {}
  hasRestored(): boolean {
    return false;
  }
}
