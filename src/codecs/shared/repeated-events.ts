import type { Frame } from "../../core/codec.ts";
import { parseJsonValue } from "../../core/json.ts";
import { YIELD_CHARS } from "../../core/limits.ts";
import type { LaneId } from "../../core/view.ts";
import type { AnswerTexts, Seed } from "./answer-texts.ts";
import type { SseEvent } from "./sse.ts";
import { stretchesOf } from "./text-places.ts";

/** Forms learned in a row of which no event made use: the answer's events have nothing in common. */
const VAIN_MAX = 3;
/** What a JSON string may hold as it is. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must be escaped
const PLAIN = /^[^"\\\u0000-\u001f]*$/;

type Undo = ((event: SseEvent) => Uint8Array) | undefined;

/**
 * Knows an event that differs from the one before in one text alone, as most events of a stream do, and reads just that text.
 *
 * An event that brought one text and nothing else is parsed once more, with places; its characters before and behind the text are its
 * form. An event with the same characters there and one JSON string's inside between them parses to the same value but for that text.
 * Any other event ends the form, so a reader's state is the one that the form's own event left. Some providers pad each event
 * with a string of no meaning: the form leaves that open too.
 */
export class RepeatedEvents {
  readonly #texts: AnswerTexts;
  readonly #padding: readonly string[];
  #form: Form | undefined;
  #vain = 0;

  /** `padding`: members of an event that hold no more than padding. */
  constructor(texts: AnswerTexts, padding: readonly string[]) {
    this.#texts = texts;
    this.#padding = padding;
  }

  /** Whether a form is worth learning. */
  get learns(): boolean {
    return this.#vain < VAIN_MAX;
  }

  /** The event's frame; undefined: it is to be read. `write` gives the event with other data. */
  read(event: SseEvent, data: string, write: (undo: Undo) => (data: string) => Uint8Array): Frame | undefined {
    const form = this.#form;
    if (form === undefined) return undefined;
    const { undo, lane } = form;
    const end = event.kind === "event" && event.event === form.name && event.beside === undefined ? textEnd(form, data) : -1;
    const text = end === -1 ? undefined : insideOf(data, form.head.length, end);
    if (text === undefined) {
      this.#form = undefined;
      return undefined;
    }
    this.#vain = 0;
    const bytes = undo === undefined ? event.bytes : undo(event);
    return this.#texts.again(bytes, lane, text, (json) => write(undo)(data.slice(0, form.head.length - 1) + json + data.slice(end + 1)));
  }

  /** An event that was read. `seed`: where its one text stands. */
  learn(event: SseEvent, frame: Frame, seed: Seed | undefined, undo: Undo): void {
    const [delta, second] = frame.deltas;
    if (seed === undefined || delta === undefined || second !== undefined || frame.calls !== undefined || frame.ends !== undefined) return;
    if (event.kind !== "event" || event.beside !== undefined || seed.read.source.length > YIELD_CHARS) return;
    const { source, root } = seed.read;
    this.#vain += 1;
    const [text, ...paddings] = stretchesOf(seed.read, [seed.place, ...this.#padding.map((key) => ({ holder: root, key }))]);
    if (text === undefined) return;
    const padding = paddings.find((other) => other !== undefined && other.start > text.end);
    this.#form = {
      name: event.event,
      lane: delta,
      undo,
      head: source.slice(0, text.start + 1),
      between: padding === undefined ? undefined : source.slice(text.end - 1, padding.start + 1),
      tail: source.slice((padding ?? text).end - 1),
    };
  }
}

interface Form {
  readonly name: string | undefined;
  readonly lane: LaneId;
  readonly undo: Undo;
  /** Up to the text, its opening quote included. */
  readonly head: string;
  /** From the text's closing quote to the padding's opening one. */
  readonly between: string | undefined;
  readonly tail: string;
}

/** Where the text of an event of this form ends; -1: it is of another. */
function textEnd({ head, between, tail }: Form, data: string): number {
  let end = data.length - tail.length;
  // Two slices that are compared cost a third of `startsWith` and `endsWith`.
  if (data.length > YIELD_CHARS || end <= head.length || data.slice(0, head.length) !== head || data.slice(end) !== tail) return -1;
  if (between !== undefined) {
    const quote = data.lastIndexOf('"', end - 1);
    if (!PLAIN.test(data.slice(quote + 1, end))) return -1;
    end = quote + 1 - between.length;
    if (!data.startsWith(between, end)) return -1;
  }
  // An empty text is none: what else is in the event may then be read in its place.
  return end > head.length ? end : -1;
}

/** The text that a JSON string's inside says; undefined: it is none. */
function insideOf(data: string, start: number, end: number): string | undefined {
  const inside = data.slice(start, end);
  if (PLAIN.test(inside)) return inside;
  const text = parseJsonValue(`"${inside}"`);
  return typeof text === "string" ? text : undefined;
}
