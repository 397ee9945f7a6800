import { INJECTION_DEPTH_MAX, INJECTION_OVERLAP_CHARS, INJECTION_PART_CHARS } from "../../core/limits.ts";
import { finish } from "../../core/slice.ts";
import { type Census, takeCensus } from "./census.ts";
import { codesOf } from "./codes.ts";
import { createCueNeedles } from "./cues.ts";
import type { Family } from "./families.ts";
import { buildLexicon } from "./lexicon.ts";
import { type ByteModel, unpackModel } from "./model.ts";
import { normalise } from "./normalise.ts";
import { payloads } from "./payloads.ts";
import { createReadings, type Readings } from "./readings.ts";
import { familyOfMark, MARK_OBFUSCATED, RULES, rulesByMark } from "./rules.ts";
import { createRoom, type Tokens, tokenise, type Words } from "./tokens.ts";
import { WEIGHTS } from "./weights.ts";
import { bestWindow, type Sign } from "./windows.ts";
import { createWordWeights, type WordWeights } from "./word-weights.ts";

/** Whose words a text is: a user's own, or what came from elsewhere (tool results, documents), which has nothing to command. */
export type Position = "user" | "untrusted";

/** How likely a text is an attack. Offsets are UTF-16 units; never the text itself, so that it can be recorded. */
export interface InjectionScore {
  /** 0 to 1. */
  readonly score: number;
  /** What speaks for it, strongest first; empty below `FAMILIES_FROM`. */
  readonly families: readonly Family[];
  /** The strongest stretch; `start === end` where there is none. */
  readonly start: number;
  readonly end: number;
}

export interface InjectionScorer {
  score(text: string, position: Position): InjectionScore;
  /** The same in steps of at most `INJECTION_PART_CHARS`: the caller may rest between them. */
  steps(text: string, position: Position): Generator<undefined, InjectionScore>;
}

/** Below this score no families are named. */
const FAMILIES_FROM = 0.2;
const FAMILIES_MAX = 4;
const NOTHING: InjectionScore = { score: 0, families: [], start: 0, end: 0 };
/** How far the strongest stretch is widened to the borders of its sentence, characters. */
const SENTENCE_CHARS_MAX = 400;

/** Everything that scoring needs, built once a process: 30 ms. */
export function createInjectionScorer(model: ByteModel = unpackModel(WEIGHTS)): InjectionScorer {
  const weights = { user: createWordWeights(model, false), untrusted: createWordWeights(model, true) };
  const engine: Engine = { words: createWords(), byMark: rulesByMark(), readings: createReadings(), model, weights };
  function* steps(text: string, position: Position): Generator<undefined, InjectionScore> {
    let best = NOTHING;
    for (let from = 0; from < text.length; from += INJECTION_PART_CHARS - INJECTION_OVERLAP_CHARS) {
      const to = Math.min(text.length, from + INJECTION_PART_CHARS);
      const found = scorePart(engine, text, from, to, position, 0);
      if (found.score > best.score) best = found;
      if (to === text.length) break;
      yield undefined;
    }
    return best;
  }
  const score = (text: string, position: Position): InjectionScore => finish(steps(text, position));
  return { score, steps };
}

export const createWords = (): Words => ({ lexicon: buildLexicon(), needles: createCueNeedles(), room: createRoom(INJECTION_PART_CHARS) });

export interface Engine {
  readonly words: Words;
  readonly byMark: readonly (readonly number[])[];
  readonly readings: Readings;
  readonly model: ByteModel;
  readonly weights: Readonly<Record<Position, WordWeights>>;
}

/** What a part says: its words, with marks for hidden characters, and what is written in it in another way. */
export function readPart(words: Words, text: string, from: number, to: number): Part {
  const part = from === 0 && to === text.length ? text : text.slice(from, to);
  const codes = codesOf(part);
  const census = takeCensus(codes);
  const normal = normalise(part, from, census);
  const tokens = tokenise({ text: part, codes, census }, from, normal, words);
  const inner: Inner[] = normal.smuggled.map((piece) => ({ ...piece, hidden: true }));
  for (const piece of payloads(part, from, census)) inner.push({ ...piece, hidden: false });
  const marked = normal.hidden >= 3 && tokens.count > 0 ? withMark(tokens, MARK_OBFUSCATED) : tokens;
  return { text: part, census, tokens: marked, inner };
}
export interface Part {
  readonly text: string;
  readonly census: Census;
  readonly tokens: Tokens;
  readonly inner: readonly Inner[];
}
export interface Inner {
  readonly text: string;
  readonly start: number;
  readonly end: number;
  readonly hidden: boolean;
}

function withMark(tokens: Tokens, mark: number): Tokens {
  const [first, ...rest] = tokens.marks;
  return { ...tokens, marks: [[...(first ?? []), mark], ...rest] };
}

function scorePart(engine: Engine, text: string, from: number, to: number, position: Position, depth: number): InjectionScore {
  const part = readPart(engine.words, text, from, to);
  const { tokens, inner } = part;
  let best = scoreTokens(engine, text, tokens, position);
  if (depth >= INJECTION_DEPTH_MAX) return best;
  const readings = engine.readings
    .of(part.text, tokens, from, part.census)
    .map((other) => ({ text: other, start: from, end: to, hidden: false }));
  const pieces = [...inner, ...readings];
  for (const { text: decoded, start, end, hidden } of pieces) {
    // Nobody encodes what may be read: what is inside counts as from elsewhere, and written invisibly it is an attack by itself.
    const found = scorePart(engine, decoded, 0, Math.min(decoded.length, INJECTION_PART_CHARS), "untrusted", depth + 1);
    const user =
      position === "user" ? scorePart(engine, decoded, 0, Math.min(decoded.length, INJECTION_PART_CHARS), "user", depth + 1).score : 1;
    const within = Math.min(found.score, Math.max(user, 0.5));
    const score = hidden ? Math.max(0.9, within) : within;
    const family: Family = hidden ? "hidden_text" : "encoded_payload";
    if (score > best.score) best = { score, families: [...new Set([family, ...found.families])].slice(0, FAMILIES_MAX), start, end };
  }
  return best;
}

function scoreTokens(engine: Engine, text: string, tokens: Tokens, position: Position): InjectionScore {
  const best = bestWindow(tokens, engine.byMark, position === "untrusted", engine.model, engine.weights[position]);
  if (best === undefined) return NOTHING;
  const score = 1 / (1 + Math.exp(-best.logit));
  if (score < FAMILIES_FROM) return { score, families: [], start: 0, end: 0 };
  const [from, to] = best.sentence;
  const [start, end] = sentence(text, tokens.starts[from] ?? 0, tokens.ends[to - 1] ?? 0);
  return { score, families: familiesOf(best.signs), start, end };
}

function sentence(text: string, start: number, end: number): [number, number] {
  let first = start;
  while (first > 0 && start - first < SENTENCE_CHARS_MAX && !isBorder(text, first - 1)) first -= 1;
  let last = end;
  while (last < text.length && last - end < SENTENCE_CHARS_MAX && !isBorder(text, last)) last += 1;
  while (first < start && /\s/.test(text[first] ?? "")) first += 1;
  if (last < text.length && !/[\n|]/.test(text[last] ?? "")) last += 1;
  return [first, last];
}

/** Sentences end at a line's end, a table's bar, and a full stop before a space. */
function isBorder(text: string, index: number): boolean {
  const char = text[index] ?? "";
  return /[\n|。！？]/.test(char) || (/[.!?;]/.test(char) && /\s/.test(text[index + 1] ?? " "));
}

function familiesOf(signs: readonly Sign[]): readonly Family[] {
  const sums = new Map<Family, number>();
  for (const { sign, weight } of signs) {
    const family = sign < RULES.length ? RULES[sign]?.family : familyOfMark(sign - RULES.length);
    if (family !== undefined && weight > 0.05) sums.set(family, (sums.get(family) ?? 0) + weight);
  }
  if (sums.size === 0) return ["learned"];
  return [...sums]
    .sort((a, b) => b[1] - a[1])
    .map(([family]) => family)
    .slice(0, FAMILIES_MAX);
}
