/** Shorter texts are always of one piece: V8's `ConsString::kMinLength` and `SlicedString::kMinLength`. */
const PIECES_FROM = 13;

/**
 * The same text in one piece. V8 keeps a long text that was put together as its parts, and one that was cut out as a window on the whole:
 * JSON.stringify takes twice the time for all of a value in which one such stands, and a window keeps a request's whole body alive.
 */
export function inOnePiece(text: string): string {
  return text.length < PIECES_FROM ? text : [text.slice(0, 1), text.slice(1)].join("");
}
