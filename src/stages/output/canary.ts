/**
 * Marks that were put into a system text, wherever an answer says them: in any case and width, with signs, blanks or markup between their
 * letters, with digits, accents or look-alikes for letters, backwards, shifted by thirteen letters, in base64 and base32 (at each of their
 * offsets), in hexadecimal, in bits or as numbers of signs, escaped as URLs, HTML and JSON do; encoded backwards, and the encoded text backwards.
 * A leak is often asked for in such a form, because filters look for the plain one.
 *
 * All forms are looked for at once (Aho and Corasick, 1975), sign by sign, so the work is linear and what is held is what may still
 * become one of them.
 */
import type { Hit, Search } from "./rule.ts";

/** Signs that may stand between two letters of a mark, UTF-16 units: some markup, an escape, a line's end. */
const GAP_MAX = 8;
/** Shorter marks are said by chance when all that is no letter is left out. */
export const CANARY_SIGNS_MIN = 6;
/** The same of encoded ones, whose case is not looked at. */
const ENCODED_SIGNS_MIN = 8;

interface Node {
  readonly depth: number;
  readonly next: Map<number, Node>;
  /** The node of the longest end of this one's text that is a beginning too. */
  fail: Node | undefined;
  /** Length of the longest form that ends here; 0: none does. */
  found: number;
}
const node = (depth: number): Node => ({ depth, next: new Map(), fail: undefined, found: 0 });

/** All forms of the marks, to be looked for. Made once for a rule. */
export class Canaries {
  readonly root = node(0);

  constructor(marks: readonly string[]) {
    for (const mark of marks) for (const form of formsOf(mark)) this.#add(lettersOf(form));
    const queue: Node[] = [...this.root.next.values()];
    for (const first of queue) first.fail = this.root;
    for (let at = queue.shift(); at !== undefined; at = queue.shift()) {
      for (const [sign, next] of at.next) {
        next.fail = step(this.root, at.fail, sign);
        if (next.found === 0) next.found = next.fail.found;
        queue.push(next);
      }
    }
  }

  #add(form: string): void {
    let at = this.root;
    for (let index = 0; index < form.length; index++) {
      const sign = form.charCodeAt(index);
      let next = at.next.get(sign);
      if (next === undefined) {
        next = node(at.depth + 1);
        at.next.set(sign, next);
      }
      at = next;
    }
    at.found = form.length;
  }
}

/** Where a sign leads from a node; `from` undefined: from before the root. */
function step(root: Node, from: Node | undefined, sign: number): Node {
  for (let at = from; at !== undefined; at = at.fail) {
    const next = at.next.get(sign);
    if (next !== undefined) return next;
  }
  return root;
}

/** Longest mark whose escaped forms are looked for, UTF-16 units: each costs memory for every sign. */
const ESCAPED_MARK_CHARS_MAX = 64;
/** The same of what is encoded in bits, in base32 and backwards: some thirty signs for each of the mark's. */
const CODED_MARK_CHARS_MAX = 40;

function formsOf(mark: string): readonly string[] {
  const letters = [...mark.toLowerCase()].filter((sign) => LETTER.test(sign)).join("");
  const encoded = [...base64Forms(mark), Buffer.from(mark).toString("hex")];
  if (mark.length <= CODED_MARK_CHARS_MAX) encoded.push(...codedForms(mark));
  const shifted = letters.replaceAll(/[a-z]/g, (letter) => String.fromCharCode(((letter.charCodeAt(0) - 97 + 13) % 26) + 97));
  const plain = [mark, reversed(letters), shifted, ...encoded.filter((form) => lettersOf(form).length >= ENCODED_SIGNS_MIN)];
  if (mark.length > ESCAPED_MARK_CHARS_MAX) return plain;
  // All signs escaped, or those that are no letters; in other dialects the signs between the numbers differ, which are not looked at.
  const escaped = ESCAPES.flatMap((written) => [
    [...mark].map(written).join(""),
    [...mark].map((sign) => (LETTER.test(sign) ? sign : written(sign))).join(""),
  ]);
  return [...new Set([...plain, ...escaped])];
}

const reversed = (text: string): string => [...text].reverse().join("");

/** Letters at either end hold bits of what stands beside the mark. */
function insideOf(encoded: string, bytes: number, { offset, bits }: { readonly offset: number; readonly bits: number }): string {
  return encoded.slice(Math.ceil((offset * 8) / bits), Math.floor(((offset + bytes) * 8) / bits));
}

function base64Forms(mark: string): readonly string[] {
  const bytes = Buffer.from(mark);
  return [0, 1, 2].map((offset) =>
    insideOf(Buffer.concat([Buffer.alloc(offset), bytes]).toString("base64"), bytes.length, { offset, bits: 6 }),
  );
}

const bitsOf = (bytes: Uint8Array): string => [...bytes].map((byte) => byte.toString(2).padStart(8, "0")).join("");
/** RFC 4648. */
const BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
function base32Forms(mark: string): readonly string[] {
  const bytes = Buffer.from(mark);
  return [0, 1, 2, 3, 4].map((offset) => {
    const bits = bitsOf(Buffer.concat([Buffer.alloc(offset), bytes, Buffer.alloc(4)]));
    const text = (bits.match(/.{5}/g) ?? []).map((five) => BASE32.charAt(Number.parseInt(five, 2))).join("");
    return insideOf(text, bytes.length, { offset, bits: 5 });
  });
}

function codedForms(mark: string): readonly string[] {
  const back = reversed(mark);
  const base64 = [...base64Forms(mark), ...base64Forms(back)];
  const hex = [Buffer.from(mark), Buffer.from(back)].map((bytes) => bytes.toString("hex"));
  const bits = [Buffer.from(mark), Buffer.from(back)].map(bitsOf);
  return [...base64, ...hex, ...base64.map(reversed), ...hex.map(reversed), ...bits, ...base32Forms(mark), ...base32Forms(back)];
}

const codeOf = (sign: string): number => sign.codePointAt(0) ?? 0;
const hexOf = (sign: string): string => codeOf(sign).toString(16);
/** `%2d` and `%252d`, `&#45;`, `&#x2d;` and `\\x2d`, `\\u002d`. */
const ESCAPES: readonly ((sign: string) => string)[] = [
  (sign) => Buffer.from(sign).toString("hex"),
  (sign) => Buffer.from(sign).reduce((out, byte) => `${out}%25${byte.toString(16).padStart(2, "0")}`, ""),
  (sign) => `${codeOf(sign)}`,
  (sign) => `x${hexOf(sign)}`,
  (sign) => `u${hexOf(sign).padStart(4, "0")}`,
];

/** The letters of a text as they are compared: small, of plain width and without accents, digits as the letters that they are written for. */
export function lettersOf(text: string): string {
  let out = "";
  for (let at = 0; at < text.length; at++) {
    const sign = letterOf(text, at);
    if (sign !== 0) out += String.fromCharCode(sign);
  }
  return out;
}

const LETTER = /[\p{L}\p{N}]/u;
const isHalf = (code: number): boolean => code >= 0xd800 && code <= 0xdfff;
/** Letters that digits are written for, from 0 on; and 1 and l are one. */
const DIGITS = "oizeasgtbg";
/** Letters of other alphabets that look like Latin ones. */
const ALIKE: ReadonlyMap<string, string> = new Map(
  [..."авекмнорстухіјѕԁαεικορτυχΑΒΕΖΗΙΚΜΝΟΡΤΥΧ"].map((sign, at) => [sign, "abekmhopctyxijsdaeikoptuxabezhikmnoptyx".charAt(at)]),
);

/** The letter or digit at a place, as it is compared; 0: it is none. */
function letterOf(text: string, at: number): number {
  let code = text.charCodeAt(at);
  if (code >= 0xff01 && code <= 0xff5e) code -= 0xfee0;
  if (code < 128) return plainLetter(code);
  const sign = String.fromCharCode(code);
  if (isHalf(code)) return code;
  if (!LETTER.test(sign)) return 0;
  const base = sign.normalize("NFD").charAt(0);
  const small = base.toLowerCase().charAt(0);
  const like = ALIKE.get(base) ?? ALIKE.get(small) ?? small;
  return like.charCodeAt(0) < 128 ? plainLetter(like.charCodeAt(0)) : like.charCodeAt(0);
}

function plainLetter(code: number): number {
  if (code >= 48 && code <= 57) return DIGITS.charCodeAt(code - 48);
  const small = code >= 65 && code <= 90 ? code + 32 : code;
  if (small < 97 || small > 122) return 0;
  return small === 108 ? 105 : small;
}

export class CanarySearch implements Search {
  readonly #root: Node;
  #at: Node;
  /** Units seen, and where the letters of the node at hand stand. */
  #seen = 0;
  #places: number[] = [];
  #gap = 0;

  constructor(canaries: Canaries) {
    this.#root = canaries.root;
    this.#at = canaries.root;
  }

  get decided(): number {
    return this.#places[0] ?? this.#seen;
  }

  push(piece: string): readonly Hit[] {
    const hits: Hit[] = [];
    for (let index = 0; index < piece.length; index++, this.#seen++) {
      const sign = letterOf(piece, index) || this.#written(piece.charCodeAt(index));
      if (sign === 0) {
        if (this.#at !== this.#root && ++this.#gap > GAP_MAX) this.#move(this.#root);
        continue;
      }
      this.#gap = 0;
      this.#places.push(this.#seen);
      const next = step(this.#root, this.#at, sign);
      if (next.found > 0) {
        hits.push({ start: this.#places[this.#places.length - next.found] ?? this.#seen, end: this.#seen + 1 });
        this.#move(this.#root);
      } else this.#move(next);
    }
    return hits;
  }
  end(): readonly Hit[] {
    this.#move(this.#root);
    return [];
  }

  /** A sign that is written for a letter, where that letter would go on; else it stands between letters. */
  #written(code: number): number {
    const letter = code === 64 ? 97 : code === 36 ? 115 : 0;
    return letter !== 0 && this.#at.next.has(letter) ? letter : 0;
  }

  #move(to: Node): void {
    this.#at = to;
    if (this.#places.length > to.depth) this.#places.splice(0, this.#places.length - to.depth);
  }
}
