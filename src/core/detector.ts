/** A stretch of text that a detector knows: UTF-16 offsets, `end` exclusive. Never the text itself, so that it can be recorded. */
export interface Finding {
  /** What it is: `email`, `payment_card`, `secret_aws_key` ... the name that policies, records and metrics use. */
  readonly entity: string;
  readonly start: number;
  readonly end: number;
  /** How sure, 0 to 1: a checksum or a published shape is 1, a shape with a word of context near it about 0.8, a shape alone less. */
  readonly score: number;
}

/** Text that is scanned, with what several detectors need of it, made once and only when asked for. */
export interface ScanText {
  readonly text: string;
  /**
   * The same text, unit by unit, in the plain form of each character: full-width forms and the digits of other scripts as ASCII,
   * every kind of space as a space (line ends stay), every kind of dash as `-`, invisible characters as U+200B. Offsets are those of `text`.
   */
  readonly folded: string;
  /** False while more text may come behind it. */
  readonly ended: boolean;
  /**
   * The same for detectors of numbers and codes: percent escapes of blanks and signs, as URLs have them, are those signs in `folded`, each
   * between two invisible ones, and so are blanks of HTML (`&nbsp;`), with invisible ones behind; it ends before an escape that is not whole yet. This very text where there is none.
   */
  readonly unescaped: ScanText;
  /** Whether it has a digit where something is not decided yet. */
  readonly hasDigit: boolean;
  /** Runs of ASCII letters and digits of `folded` that hold a digit, in order: where numbers and codes may begin. */
  readonly atoms: readonly Atom[];
  /** Words close before an offset. */
  wordsBefore(start: number): Worded;
  /** Words close behind an offset, in its sentence; `undefined` where that takes text that has not come. */
  wordsAfter(end: number): Worded | undefined;
}

/** Text with its words taken apart, so that many lists can be looked for in it. */
export interface Worded {
  readonly text: string;
  /** Runs of letters, in small ones. */
  readonly lower: readonly string[];
  /** One of them as it is written. */
  wordAt(index: number): string;
  /** Whether only blanks, `-`, `_`, `.` and apostrophes, at most three, stand between a word and the next. */
  isJoined(index: number): boolean;
  /** Whether it has characters of a script that puts no blanks between words. */
  readonly unspaced: boolean;
}

/** A run of ASCII letters and digits with at least one digit, as long as can be. */
export interface Atom {
  readonly start: number;
  readonly end: number;
  /** It begins with a letter. */
  readonly letterFirst: boolean;
}

/** What a detector says of a text. */
export interface Found {
  /** Decided findings that start at or after `from`, in order of `start`, none overlapping another, each ending at or before `open`. */
  readonly findings: readonly Finding[];
  /** From here on more text can add, change or undo something; `text.length` where nothing can. Never inside a decided finding. */
  readonly open: number;
}

/** What a finding is about; policies choose entities by it. */
export type DetectorClass = "personal" | "financial" | "network" | "secret";

/**
 * One kind of thing to find in text. Pure, bounded, linear in the text's length whatever the text.
 *
 * Text may still be coming (a streamed answer). The contract: for every text and every way of cutting it, calling `find` on each
 * longer piece, from where the last call said `open`, gives together just the findings of one call on the whole (`ended`, from 0).
 * The earlier text that a call sees may be as short as `lookBehind` units before `from`. What is open is held back from a reader,
 * so `open` is as near to the end as can be. Where `ended`, `open` is the text's length.
 */
export interface Detector {
  /** Entities it may report. Most have one. */
  readonly entities: readonly string[];
  readonly class: DetectorClass;
  /** The lightest profile that uses it: `standard` (and so `strict` too), `strict`, or `asked`: only where a policy names the entity. */
  readonly profile: "standard" | "strict" | "asked";
  /**
   * A character without which nothing is found, so that text without it costs nothing: while none has come since `from`, only the
   * word that the text ends in is open, and a word of at most six capitals before it. Absent: always asked.
   */
  readonly needs?: "digit" | "colon";
  /** How many units before `from` it may look at (words of context, borders). */
  readonly lookBehind: number;
  /** Longest finding, in UTF-16 units. */
  readonly lengthMax: number;
  find(text: ScanText, from: number): Found;
}
