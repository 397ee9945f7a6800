import type { TextEdit } from "./guard.ts";

/** Raw text that is decided, and the changes to be made in it: raw offsets, in order, not overlapping. */
export interface Settled {
  readonly decided: number;
  readonly edits: readonly TextEdit[];
}

/** A run of raw text that guards see in one way. */
interface Run {
  /** structure: what is no value: shown, never changed. bare: stands outside strings and should not: changed as it is. */
  readonly kind: "structure" | "bare" | "string" | "escape" | "number";
  /** Where it begins, as guards count and in the raw text. */
  readonly seen: number;
  readonly raw: number;
  seenLength: number;
  rawLength: number;
  /** Of a number: the token. */
  token: string;
}

/** RFC 8259 section 7. */
const ESCAPES: Readonly<Record<string, string>> = { '"': '"', "\\": "\\", "/": "/", b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" };
/** How JSON begins: an object or list whose first sign fits; of arguments, a string too. */
const OBJECT_OR_LIST = /^\s*(?:\{\s*["}]|\[\s*[[\]{"\-0-9tfn])/;
const ANY_VALUE = /^\s*(?:"|\{\s*["}]|\[\s*[[\]{"\-0-9tfn])/;
/** Beginnings that may still become one. */
const UNDECIDED = /^\s*[[{]?\s*$/;
/** Blanks are no beginning for ever; UTF-16 units. */
const LEAD_CHARS_MAX = 256;
const LITERALS = ["true", "false", "null"];
const NUMBER = /^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?$/;
const NOTHING: readonly TextEdit[] = [];

/**
 * How guards see the text of one lane, and how their changes are made in it.
 *
 * Text that begins as a JSON object or list does is JSON: its strings are shown with their escapes undone, wherever the pieces part
 * them, and what is put into a string is escaped again. A number that is touched is written anew whole, so it is held until it is
 * whole. Commas, brackets and quotes are shown, as context, and stay. Everything else is shown and changed as it is.
 *
 * What begins like JSON and turns out to be none (`[[1] Smith`) is plain text from there on.
 */
export class LaneText {
  /** unknown: what came is kept in `#lead`. */
  #mode: "unknown" | "json" | "plain";
  readonly #begins: RegExp;
  #lead = "";
  readonly #runs: Run[] = [];
  #seen = 0;
  #raw = 0;
  #inString = false;
  /** It is no JSON after all: what stood outside strings is none of its words. The rest is plain text. */
  #broken = false;
  #word = "";
  /** An escape whose end has not come. */
  #escape = "";
  /** The last sign outside strings that counts; a number is a value behind `[`, `,` and `:`. */
  #last = "";
  #edits: TextEdit[] = [];
  /** Of them, the first that has not been passed. */
  #first = 0;
  /** The change whose text was written already; the rest of its stretch is cut. */
  #written: TextEdit | undefined;
  #done = 0;

  /** `kind`: arguments of tools may be any JSON value, content is JSON where it begins as an object or list, the rest never is. */
  constructor(kind: "arguments" | "content" | "plain") {
    this.#mode = kind === "plain" ? "plain" : "unknown";
    this.#begins = kind === "arguments" ? ANY_VALUE : OBJECT_OR_LIST;
  }

  /** Takes raw text; gives what guards see of it. */
  push(piece: string): string {
    let text = piece;
    if (this.#mode === "unknown") {
      text = this.#lead + piece;
      this.#lead = text;
      if (this.#begins.test(text)) this.#mode = "json";
      else if (text.length < LEAD_CHARS_MAX && UNDECIDED.test(text)) return "";
      else this.#mode = "plain";
      this.#lead = "";
    }
    return this.#mode === "json" ? this.#read(text) : this.#plain(text);
  }

  /** The lane's end: gives what guards were not shown yet. */
  end(): string {
    if (this.#mode === "unknown") {
      this.#mode = "plain";
      return this.#plain(this.#lead);
    }
    const rest = this.#escape;
    this.#escape = "";
    if (rest !== "") this.#add("string", rest.length, rest);
    return rest;
  }

  /** Where guards' offset stands in the raw text. Only for offsets that are not settled yet. */
  rawOf(seen: number): number {
    if (this.#mode !== "json") return seen;
    // Runs that are settled are gone; what is asked for stands in those that are left.
    for (const run of this.#runs) {
      if (seen >= run.seen + run.seenLength) continue;
      return seen <= run.seen || run.kind === "escape" || run.kind === "number" ? run.raw : run.raw + seen - run.seen;
    }
    return this.#raw;
  }

  /**
   * Everything before `to` is decided, with these changes, none of which reaches past it. `ended`: no more text comes.
   * What is given before `decided` is not to be asked for again.
   */
  settle(to: number, edits: readonly TextEdit[], ended: boolean): Settled {
    if (this.#mode !== "json") {
      return { decided: Math.min(to, this.#seen), edits };
    }
    this.#edits.push(...edits);
    const out: TextEdit[] = [];
    let decided = this.#raw;
    let gone = 0;
    for (let run = this.#runs[0]; run !== undefined; run = this.#runs[gone]) {
      const whole = run.seen + run.seenLength;
      const open = run.kind === "number" && ((this.#runs.length === gone + 1 && !ended) || whole > to);
      const until = Math.min(whole, to);
      if (open || until <= run.seen) {
        decided = run.raw;
        break;
      }
      const touching = this.#edits.length === 0 ? NOTHING : this.#touching(Math.max(run.seen, this.#done), until);
      if (touching.length > 0) this.#change(run, touching, until, out);
      this.#done = until;
      if (until < whole) {
        decided = run.raw + until - run.seen;
        break;
      }
      gone += 1;
    }
    this.#runs.splice(0, gone);
    if (this.#edits.length > 0) this.#edits = this.#edits.filter((edit) => edit.end > this.#done);
    this.#first = 0;
    // Of an escape that is not whole nothing is decided.
    return { decided: Math.min(decided, this.#raw), edits: out };
  }

  #plain(text: string): string {
    this.#seen += text.length;
    return text;
  }

  #read(text: string): string {
    let shown = "";
    let at = 0;
    while (at < text.length) {
      if (this.#broken) {
        shown += this.#run("bare", text.slice(at));
        break;
      }
      if (this.#escape !== "") {
        const [seen, used] = this.#readEscape(text, at);
        shown += seen;
        at = used;
      } else if (this.#inString) {
        const end = endOfRun(text, at);
        shown += this.#run("string", text.slice(at, end));
        at = end;
        const sign = text.charAt(at);
        if (sign === "\\") this.#escape = sign;
        else if (sign === '"') {
          this.#inString = false;
          shown += this.#run("structure", sign);
        }
        at += 1;
      } else shown += this.#readOutside(text.charAt(at++));
    }
    return shown;
  }

  /** One sign of an escape, or four of `\uXXXX` where they are there. */
  #readEscape(text: string, at: number): readonly [seen: string, at: number] {
    const taking = this.#escape + text.charAt(at);
    this.#escape = taking;
    const unicode = taking.charAt(1) === "u";
    if (unicode && /^\\u[0-9a-fA-F]{0,3}$/.test(taking)) return ["", at + 1];
    this.#escape = "";
    if (unicode && /^\\u[0-9a-fA-F]{4}$/.test(taking)) {
      this.#add("escape", 1, taking);
      return [String.fromCharCode(Number.parseInt(taking.slice(2), 16)), at + 1];
    }
    if (!unicode && taking.charAt(1) in ESCAPES) {
      this.#add("escape", 1, taking);
      return [ESCAPES[taking.charAt(1)] ?? "", at + 1];
    }
    // No escape of JSON: shown as it is. Its last sign is read again, for it may end the string.
    const taken = taking.slice(0, -1);
    this.#add("string", taken.length, taken);
    return [taken, at];
  }

  #readOutside(sign: string): string {
    const last = this.#runs.at(-1);
    if (last?.kind === "number" && last.seen + last.seenLength === this.#seen && /[-+.0-9eE]/.test(sign)) {
      last.token += sign;
      return this.#grow(last, sign);
    }
    if (sign === '"') this.#inString = true;
    if (/[\s{}[\],:"]/.test(sign)) {
      if (sign.trim() !== "") this.#last = sign;
      return this.#run("structure", sign);
    }
    const isValue = /[-0-9]/.test(sign) && /^[[,:]$/.test(this.#last);
    this.#last = sign;
    if (isValue) {
      this.#add("number", 1, sign);
      return sign;
    }
    this.#word = last?.kind === "bare" ? this.#word + sign : sign;
    this.#broken = !LITERALS.some((literal) => literal.startsWith(this.#word));
    return this.#run("bare", sign);
  }

  #run(kind: "structure" | "bare" | "string", text: string): string {
    const last = this.#runs.at(-1);
    if (last?.kind === kind) return this.#grow(last, text);
    if (text !== "") this.#add(kind, text.length, text);
    return text;
  }

  #grow(run: Run, text: string): string {
    run.seenLength += text.length;
    run.rawLength += text.length;
    this.#seen += text.length;
    this.#raw += text.length;
    return text;
  }

  #add(kind: Run["kind"], seenLength: number, raw: string): void {
    this.#runs.push({ kind, seen: this.#seen, raw: this.#raw, seenLength, rawLength: raw.length, token: kind === "number" ? raw : "" });
    this.#seen += seenLength;
    this.#raw += raw.length;
  }

  /** Asked in order of places, so each change is passed by once. */
  #touching(from: number, to: number): readonly TextEdit[] {
    const edits = this.#edits;
    while ((edits[this.#first]?.end ?? Number.POSITIVE_INFINITY) <= from) this.#first += 1;
    let last = this.#first;
    while ((edits[last]?.start ?? Number.POSITIVE_INFINITY) < to) last += 1;
    return last === this.#first ? NOTHING : edits.slice(this.#first, last);
  }

  #change(run: Run, touching: readonly TextEdit[], until: number, out: TextEdit[]): void {
    if (run.kind === "structure") return;
    if (run.kind === "number") {
      out.push(this.#renumber(run, touching));
      return;
    }
    for (const edit of touching) {
      const from = Math.max(edit.start, run.seen, this.#done);
      const to = Math.min(edit.end, until);
      const raw = run.kind === "escape" ? [run.raw, run.raw + run.rawLength] : [run.raw + from - run.seen, run.raw + to - run.seen];
      const text = this.#written === edit ? "" : run.kind === "bare" ? edit.text : inString(edit.text);
      this.#written = edit;
      out.push({ ...edit, start: raw[0] ?? 0, end: raw[1] ?? 0, text });
    }
  }

  /** A number is written anew as a whole: a number still, or a string. */
  #renumber(run: Run, touching: readonly TextEdit[]): TextEdit {
    let text = "";
    let at = 0;
    let other: string | undefined;
    for (const edit of touching) {
      text += run.token.slice(at, Math.max(0, edit.start - run.seen));
      if (this.#written !== edit) text += edit.text;
      this.#written = edit;
      at = Math.min(run.token.length, edit.end - run.seen);
      other ??= edit.inNumber;
    }
    text += run.token.slice(at);
    const first = touching[0];
    const fixed = touching.every(({ ifFixed }) => ifFixed === "pass") ? { ifFixed: "pass" as const } : {};
    const number = NUMBER.test(text) ? text : other !== undefined && NUMBER.test(other) ? other : undefined;
    // The rest of a change that began in an earlier value: an empty number is none.
    const written = number ?? (first !== undefined && text === "" ? "null" : JSON.stringify(text));
    return { start: run.raw, end: run.raw + run.rawLength, text: written, ...fixed };
  }
}

/** Text as it stands between the quotes of a JSON string. */
const inString = (text: string): string => JSON.stringify(text).slice(1, -1);

/** Next quote or backslash, else the text's end. */
function endOfRun(text: string, from: number): number {
  let at = from;
  while (at < text.length && text.charCodeAt(at) !== 34 && text.charCodeAt(at) !== 92) at += 1;
  return at;
}
