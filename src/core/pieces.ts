/** A piece of a longer text: where it begins, in UTF-16 units. */
export interface Piece {
  readonly start: number;
  readonly text: string;
  /** Findings that begin before this offset of the whole text are the piece before's to report. */
  readonly from: number;
  /** Findings that begin here or later are the next piece's; Infinity in the last. */
  readonly to: number;
}

/**
 * Cuts a text for a service that takes only so much at once. Pieces overlap, so that what stands on a border is whole in one of them,
 * as long as it is at most half the overlap; no surrogate pair is cut. Units: UTF-16.
 */
export function piecesOf(text: string, { charsMax, overlap }: { readonly charsMax: number; readonly overlap: number }): readonly Piece[] {
  const pieces: Piece[] = [];
  let from = 0;
  for (let start = 0; ; ) {
    const end = start + charsMax >= text.length ? text.length : whole(text, start + charsMax);
    const to = end === text.length ? Number.POSITIVE_INFINITY : whole(text, end - Math.floor(overlap / 2));
    pieces.push({ start, text: text.slice(start, end), from, to });
    if (end === text.length) return pieces;
    from = to;
    start = whole(text, end - overlap);
  }
}

/** The offset, or the one before it where a surrogate pair would be cut. */
function whole(text: string, at: number): number {
  const isLow = (text.charCodeAt(at) & 0xfc00) === 0xdc00;
  const isHigh = (text.charCodeAt(at - 1) & 0xfc00) === 0xd800;
  return isLow && isHigh ? at - 1 : at;
}
