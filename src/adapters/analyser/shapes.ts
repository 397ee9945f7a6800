import type { Json } from "../../core/json.ts";
import type { AnalyseAsk, AnalyserSettings } from "../../ports/analyser.ts";

/** A finding as the service gave it: its own name, offsets in code points. */
export interface RawFinding {
  readonly entity: string;
  readonly start: number;
  readonly end: number;
  readonly score: number;
}
/** How a kind of analyser is asked, and what it answers. */
export interface Shape {
  body(texts: readonly string[], ask: Asked): Json;
  /** One list a text, in order; undefined: it is not of this shape. Offsets are checked by the caller. */
  read(answer: unknown, count: number): readonly (readonly RawFinding[])[] | undefined;
  /** Whether two findings of one text may overlap. */
  readonly overlaps: boolean;
}
export interface Asked {
  readonly language: AnalyseAsk["language"];
  /** The service's own names. */
  readonly entities: readonly string[];
  readonly minScore: number;
}

/**
 * Presidio's analyzer, `POST /analyze`: `text` is a text or a list of them, and the answer a list of findings or a list of such lists.
 * Entities of different kinds may overlap. Source: app.py of presidio-analyzer, 2026-11-29.
 */
function presidio(batch: boolean): Shape {
  return {
    body: (texts, { language, entities, minScore }) => ({
      text: batch ? [...texts] : (texts[0] ?? ""),
      ...{ language, entities: [...entities], score_threshold: minScore, return_decision_process: false },
    }),
    read: (answer, count) => lists(batch ? answer : [answer], count, "entity_type"),
    overlaps: true,
  };
}

/** The shape of docs/analysers.md: texts in, `findings` out, one list a text, none overlapping another. */
const generic: Shape = {
  body: (texts, { language, entities, minScore }) => ({
    ...{ version: 1, language, entities: [...entities], min_score: minScore, texts: [...texts] },
  }),
  read: (answer, count) => lists(member(answer, "findings"), count, "entity"),
  overlaps: false,
};

export const shapeOf = ({ kind, batch }: AnalyserSettings): Shape => (kind === "presidio" ? presidio(batch) : generic);

function lists(answer: unknown, count: number, name: string): readonly (readonly RawFinding[])[] | undefined {
  if (!Array.isArray(answer) || answer.length !== count) return undefined;
  const read: (readonly RawFinding[])[] = [];
  for (const list of answer) {
    if (!Array.isArray(list)) return undefined;
    const findings = list.map((one: unknown) => finding(one, name)).filter((one) => one !== undefined);
    if (findings.length !== list.length) return undefined;
    read.push(findings);
  }
  return read;
}

/** Names go to the record, so only a plain one is believed. */
const ENTITY = /^[A-Za-z][A-Za-z0-9_-]{0,63}$/;

function finding(from: unknown, name: string): RawFinding | undefined {
  const [entity, start, end, score] = [member(from, name), member(from, "start"), member(from, "end"), member(from, "score")];
  if (typeof entity !== "string" || !ENTITY.test(entity)) return undefined;
  if (typeof start !== "number" || typeof end !== "number" || typeof score !== "number") return undefined;
  if (!Number.isInteger(start) || !Number.isInteger(end) || start < 0 || end <= start) return undefined;
  return score >= 0 && score <= 1 ? { entity, start, end, score } : undefined;
}

const member = (from: unknown, name: string): unknown =>
  typeof from === "object" && from !== null && !Array.isArray(from) && Object.hasOwn(from, name) ? Reflect.get(from, name) : undefined;
