/** UTF-16 offsets of code points: `of(n)` is where the n-th begins, or the text's end; undefined past it. */
export class CodePoints {
  readonly #length: number;
  /** Absent where every code point is one unit. */
  readonly #starts: Uint32Array | undefined;

  constructor(text: string) {
    this.#length = text.length;
    if (!/[\ud800-\udbff][\udc00-\udfff]/.test(text)) return;
    const starts = new Uint32Array(text.length + 1);
    let count = 0;
    for (let at = 0; at < text.length; at += (text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1) starts[count++] = at;
    starts[count] = text.length;
    this.#starts = starts.subarray(0, count + 1);
  }

  of(index: number): number | undefined {
    if (this.#starts !== undefined) return this.#starts[index];
    return index <= this.#length ? index : undefined;
  }
}
