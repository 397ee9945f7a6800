import assert from "node:assert/strict";
import type { Frame } from "../../core/codec.ts";
import { type Json, parseJsonValue, parseValueSteps, quoteSteps } from "../../core/json.ts";
import { YIELD_CHARS } from "../../core/limits.ts";
import type { Steps } from "../../core/slice.ts";
import type { Delta, ToolCall } from "../../core/view.ts";
import { LaneBook } from "./lane-book.ts";
import {
  type Erasure,
  editPlaces,
  editSteps,
  type ReadJson,
  type Replacement,
  sourceSteps,
  sourcesOf,
  type TextPlace,
} from "./text-places.ts";

/** A delta while its event is read. */
export interface OpenDelta {
  readonly choice: number;
  readonly block: number;
  readonly channel: Delta["channel"];
  text: string;
  repeats?: true;
  signed?: true;
  spoken?: true;
  /** It stands as a JSON value. */
  raw?: true;
}

interface ScopedErasure extends Erasure {
  readonly choice: number;
  readonly block: number | undefined;
}
type Texts = readonly (string | undefined)[];
type Write = (text: string) => Uint8Array;

/** What guards need of one event. */
export class Guarded {
  read: ReadJson | undefined;
  outer: ((text: string) => string) | undefined;
  /** Of each delta; undefined: it stands nowhere by itself. */
  places: (TextPlace | undefined)[] = [];
  copies: (TextPlace & { readonly of: number })[] = [];
  erasures: ScopedErasure[] = [];
  calls: Omit<ToolCall, "arguments">[] = [];
  readonly lanes = new LaneBook();
  #spelled = false;
  /** What was read was searched for values that others of the same key hide. */
  isSearched = false;
  /** Objects that were read as calls, and values of which nothing is a call of this answer. */
  readCalls = new Set<Json>();
  opaque = new Set<Json>();
  /** What was read has a tool call, or a part of one, that another value hides, that stands where none is read, or that was told otherwise before. */
  isAmbiguous = false;

  /** A text that changes takes nothing else with it. */
  get isPlain(): boolean {
    return this.copies.length === 0 && this.erasures.length === 0;
  }

  begin(read: ReadJson, outer: ((text: string) => string) | undefined): void {
    this.read = read;
    this.outer = outer;
  }

  /** Gives values that stand as JSON their exact text. Where they cannot be placed all that was read stands for each, and cannot be changed. */
  *spell(deltas: readonly OpenDelta[]): Steps<void> {
    const { read } = this;
    const values = valuesOf(deltas, this.places);
    this.#spelled = true;
    if (read === undefined || values.length === 0) return;
    const texts = yield* sourceSteps(
      read,
      values.map(({ place }) => place),
    );
    if (texts !== undefined) return spellAs(values, texts);
    for (const { delta } of values) {
      delta.text = read.source;
      delta.signed = true;
    }
  }

  frame(bytes: Uint8Array, deltas: readonly OpenDelta[], write: Write | undefined): Frame {
    const { read, outer, places, copies, erasures, calls } = this;
    if (read !== undefined && !this.#spelled) spellValues(read, deltas, places);
    this.places = [];
    this.copies = [];
    this.erasures = [];
    this.calls = [];
    if (this.readCalls.size > 0) this.readCalls = new Set();
    if (this.opaque.size > 0) this.opaque = new Set();
    this.read = undefined;
    this.outer = undefined;
    this.#spelled = false;
    this.isSearched = false;
    const doubt = this.isAmbiguous ? AMBIGUOUS : undefined;
    this.isAmbiguous = false;
    const ends = this.lanes.takeEnds();
    const more: Partial<Frame> = { ...(calls.length > 0 ? { calls } : {}), ...(ends === undefined ? {} : { ends }), ...doubt };
    if (read === undefined || write === undefined || !places.some((place, index) => place !== undefined && deltas[index]?.signed !== true))
      return { bytes, deltas, ...more };
    const rewrite = (texts: Texts): Uint8Array => {
      const replacements = replacementsOf(deltas, places, copies, texts, jsonOf);
      if (replacements.length === 0) return bytes;
      const text = editPlaces(read, replacements, goneWith(erasures, deltas, texts));
      return write(outer === undefined ? text : outer(text));
    };
    if (read.source.length <= YIELD_CHARS) return { bytes, deltas, ...more, rewrite };
    const rewriteSteps = function* (texts: Texts): Steps<Uint8Array | undefined> {
      const written = new Map<number, string>();
      for (const [index, text] of texts.entries())
        if (text !== undefined) written.set(index, deltas[index]?.raw === true ? yield* jsonSteps(text) : yield* quoteSteps(text));
      const replacements = replacementsOf(deltas, places, copies, texts, (_delta, _text, index) => written.get(index) ?? "");
      if (replacements.length === 0) return bytes;
      const changed = yield* editSteps(read, replacements, goneWith(erasures, deltas, texts));
      if (changed === undefined || write === encodeText) return changed;
      const text = changed.toString("utf8");
      yield;
      return write(outer === undefined ? text : outer(text));
    };
    return { bytes, deltas, ...more, rewrite, rewriteSteps };
  }
}

const AMBIGUOUS: Partial<Frame> = { ambiguous: true };
const encoder = new TextEncoder();
/** Writes what was read as it is. */
export const encodeText: Write = (text) => encoder.encode(text);

interface RawValue {
  readonly delta: OpenDelta;
  readonly place: TextPlace;
}

function valuesOf(deltas: readonly OpenDelta[], places: readonly (TextPlace | undefined)[]): readonly RawValue[] {
  return deltas.flatMap((delta, index) => {
    const place = places[index];
    return delta.raw === true && place !== undefined ? [{ delta, place }] : [];
  });
}

/** Gives values that stand as JSON their exact text. */
function spellValues(read: ReadJson, deltas: readonly OpenDelta[], places: readonly (TextPlace | undefined)[]): void {
  if (!deltas.some(({ raw }) => raw === true)) return;
  const values = valuesOf(deltas, places);
  spellAs(
    values,
    sourcesOf(
      read,
      values.map(({ place }) => place),
    ),
  );
}

function spellAs(values: readonly RawValue[], texts: Texts): void {
  for (const [index, { delta }] of values.entries()) delta.text = texts[index] ?? delta.text;
}

function replacementsOf(
  deltas: readonly OpenDelta[],
  places: readonly (TextPlace | undefined)[],
  copies: readonly (TextPlace & { readonly of: number })[],
  texts: Texts,
  jsonFor: (delta: OpenDelta, text: string, index: number) => string,
): readonly Replacement[] {
  const copiesOf = Map.groupBy(copies, (copy) => copy.of);
  const out: Replacement[] = [];
  for (const [index, delta] of deltas.entries()) {
    const text = texts[index];
    if (text === undefined) continue;
    const place = places[index];
    assert(place !== undefined && delta.signed !== true, "a text that cannot be changed");
    const json = jsonFor(delta, text, index);
    out.push({ place, json });
    for (const copy of copiesOf.get(index) ?? []) out.push({ place: copy, json });
  }
  return out;
}

/** What goes with the texts that change. */
function goneWith(erasures: readonly ScopedErasure[], deltas: readonly OpenDelta[], texts: Texts): readonly ScopedErasure[] {
  if (erasures.length === 0) return erasures;
  const changed = new Set<string>();
  for (const [index, { choice, block }] of deltas.entries())
    if (texts[index] !== undefined) changed.add(String(choice)).add(`${choice}/${block}`);
  return erasures.filter(({ choice, block }) => changed.has(block === undefined ? String(choice) : `${choice}/${block}`));
}

/** JSON text as it is; what is none becomes a string, so that the whole stays JSON. */
function jsonOf({ raw }: OpenDelta, text: string): string {
  if (raw !== true) return JSON.stringify(text);
  if (parseJsonValue(text) !== undefined) return text;
  return text === "" ? "{}" : JSON.stringify(text);
}

function* jsonSteps(text: string): Steps<string> {
  if ((yield* parseValueSteps(text)) !== undefined) return text;
  return text === "" ? "{}" : yield* quoteSteps(text);
}
