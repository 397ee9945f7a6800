/** A stretch of text that a detector knows: UTF-16 offsets, `end` exclusive. Never the text itself, so that it can be recorded. */
export interface Finding {
  /** What it is: `email`, `payment_card`, `secret_aws_key` ... the name that policies, records and metrics use. */
  readonly entity: string;
  readonly start: number;
  readonly end: number;
  /** How sure, 0 to 1: a checksum or a published shape is 1, a shape with a word of context near it about 0.8, a shape alone less. */
  readonly score: number;
}

/**
 * One kind of thing to find in text. Pure, bounded, linear in the text's length whatever the text.
 *
 * A detector must be able to work on a text that is still coming (a streamed answer), and say there just what it would say of the
 * whole. So beside `find` it has `open`: from where on text that is still to come can change its mind. For every cut of a text into
 * `head + tail`: the findings of `find(head)` that end at or before `open(head)` are, unchanged and all of them, the findings of
 * `find(head + tail)` that end there. Held text is what delays a reader, so `open` is as near to the end as can be: only a run of
 * characters that could still become, grow into or undo a finding is open.
 */
export interface Detector {
  /** Entities it may report. Most have one. */
  readonly entities: readonly string[];
  /** Findings in order of `start`, not overlapping each other. */
  find(text: string): readonly Finding[];
  /** First offset that is not decided before more text comes; `text.length` where nothing is open. */
  open(text: string): number;
  /**
   * How many characters before an offset `find` and `open` may look at to judge what begins there (words of context, borders).
   * A reader of a stream keeps so much of what it has released.
   */
  readonly lookBehind: number;
  /** Longest finding, in UTF-16 units: no run stays open for longer. */
  readonly lengthMax: number;
}
