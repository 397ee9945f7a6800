import { setImmediate as nextTurn } from "node:timers/promises";
import type { Detector } from "../../core/detector.ts";
import type { TextEdit } from "../../core/guard.ts";
import type { JsonNode, JsonNumber, JsonString } from "../../core/json.ts";
import { LaneText } from "../../core/lane-text.ts";
import { YIELD_CHARS } from "../../core/limits.ts";
import { finish, isStepDone, Slice, type Steps } from "../../core/slice.ts";
import type { StageContext } from "../../core/stage.ts";
import { isCodedText, textFileSteps } from "../../core/text-file.ts";
import { scan, scanSliced } from "../../detectors/index.ts";
import type { Coded } from "./coded.ts";
import type { Found } from "./seam.ts";

/** A text of the request as this stage sees it: as earlier stages left it, with JSON in it shown without escapes. */
export interface Shown {
  readonly node: JsonString | JsonNumber;
  readonly place: string;
  /** Makes the string that stands in the request of other words, where it holds a file. */
  readonly write?: (text: string) => Steps<string>;
  readonly source: string;
  readonly shown: string;
  readonly lane: LaneText;
  /** It is the next part of the message that this text is one of. */
  readonly goesOn?: JsonString | JsonNumber;
}
export interface Looked extends Shown {
  readonly findings: readonly Found[];
  /** What stands in it in base64, where something is found there. */
  readonly coded?: readonly Coded[];
}

/** Numbers with fewer digits are amounts and settings. */
const NUMBER_DIGITS_MIN = 7;

/** Least length of a key that may hold a value, UTF-16 units. */
const KEY_CHARS_MIN = 6;
/** A key that may hold an address or a number: names of an API have neither. */
const KEY = /@|%40|\uff20|(?:\p{Nd}[^\p{Nd}]?){6}/u;

/** Every text of the request, the longer numbers that stand in it as JSON numbers, and the keys of objects that may hold a value. */
export const textsOf = (context: StageContext): readonly Omit<Shown, "shown" | "lane">[] => finish(textSteps(context));

/** The same in steps. */
export function* textSteps({ request, change }: StageContext): Steps<readonly Omit<Shown, "shown" | "lane">[]> {
  if (request === undefined) return [];
  const texts: Omit<Shown, "shown" | "lane">[] = [];
  for (const { node, place, holds } of request.view.texts()) {
    const source = change.texts?.get(node) ?? node.value;
    if (holds === "file" || (holds === undefined && isCodedText(source))) {
      const { text, write } = yield* textFileSteps(source);
      texts.push({ node, place, source: text, write });
    } else if (isStepDone(texts.push({ node, place, source }))) yield;
  }
  const { root, text } = request.doc;
  const parts = new Map<JsonNode, JsonString>();
  if (request.form === undefined && root.kind === "object")
    for (const { value } of root.members) if (value.kind !== "number") yield* collectMore(value, text, texts, parts);
  if (parts.size === 0) return texts;
  return texts.map((one) => {
    const goesOn = parts.get(one.node);
    return goesOn === undefined ? one : { ...one, goesOn };
  });
}

function* collectMore(from: JsonNode, text: string, out: Omit<Shown, "shown" | "lane">[], parts: Map<JsonNode, JsonString>): Steps<void> {
  const open: JsonNode[] = [from];
  let count = 0;
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    if (isStepDone(++count)) yield;
    if (node.kind === "array") {
      let before: JsonString | undefined;
      for (const item of node.items) {
        open.push(item);
        const part = partText(item);
        if (part !== undefined && before !== undefined) parts.set(part, before);
        before = part;
      }
    } else if (node.kind === "object")
      for (const { key, start, value } of node.members) {
        open.push(value);
        if (key.length >= KEY_CHARS_MIN && KEY.test(key))
          out.push({ node: { kind: "string", value: key, start, end: endOfString(text, start) }, place: "key", source: key });
      }
    else if (node.kind === "number" && node.end - node.start >= NUMBER_DIGITS_MIN)
      out.push({ node, place: "number", source: text.slice(node.start, node.end) });
  }
}

/** The text of a part of a message, as all dialects write it: `{"type": "text", "text": ...}`, or without a type. */
function partText(item: JsonNode): JsonString | undefined {
  if (item.kind !== "object") return undefined;
  const value = item.members.find(({ key }) => key === "text")?.value;
  return value?.kind === "string" ? value : undefined;
}

/** Behind the closing quote of the string that begins here. */
function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length && text.charAt(at) !== '"') at += text.charAt(at) === "\\" ? 2 : 1;
  return at + 1;
}

export const isLong = (texts: readonly { readonly source: string }[]): boolean => {
  let chars = 0;
  for (const { source } of texts) chars += source.length;
  return chars > YIELD_CHARS;
};

export function look(text: Omit<Shown, "shown" | "lane">, detectors: readonly Detector[]): Looked {
  const shown = show(text);
  return { ...shown, findings: scan(shown.shown, detectors) };
}

/** `look` for texts of any length, in slices of the event loop. */
export async function lookSliced(
  texts: readonly Omit<Shown, "shown" | "lane">[],
  detectors: readonly Detector[],
  signal: AbortSignal,
): Promise<readonly Looked[]> {
  const looked: Looked[] = [];
  const slice = new Slice();
  for (const text of texts) {
    if (slice.isOver()) await slice.next();
    const shown = await showSliced(text);
    looked.push({ ...shown, findings: await scanSliced(shown.shown, detectors, signal) });
  }
  return looked;
}

/** Text that is shown in one go, UTF-16 units; a millisecond or two of the densest JSON. */
const SHOW_CHARS = 16_384;

async function showSliced(text: Omit<Shown, "shown" | "lane">): Promise<Shown> {
  if (text.source.length <= SHOW_CHARS) return show(text);
  const lane = new LaneText("content");
  const pieces: string[] = [];
  for (let at = 0; at < text.source.length; at += SHOW_CHARS) {
    pieces.push(lane.push(text.source.slice(at, at + SHOW_CHARS)));
    await nextTurn();
  }
  return { ...text, shown: pieces.join("") + lane.end(), lane };
}

/** As this stage sees it. */
export function show(text: Omit<Shown, "shown" | "lane">): Shown {
  const lane = new LaneText(text.node.kind === "number" || text.place === "key" ? "plain" : "content");
  const shown = lane.push(text.source) + lane.end();
  return { ...text, shown, lane };
}

/** The text with changes made, given in what was shown. */
export function changed({ source, lane }: Shown, edits: readonly TextEdit[]): string {
  let out = "";
  let at = 0;
  for (const { start, end, text } of lane.settle(Number.POSITIVE_INFINITY, edits, true).edits) {
    out += source.slice(at, start) + text;
    at = end;
  }
  return out + source.slice(at);
}
