import type { Json } from "../../core/json.ts";

/** Most figures kept of one usage object; real ones have under forty. */
const FIGURES_MAX = 256;
/** Deepest nesting looked into; real ones have three levels. */
const FIGURES_DEPTH_MAX = 8;

/** What names of figures are made of. Others may be anybody's words, which no record holds. */
const NAME = /^[\w.:-]{1,64}$/;

/** Every number of a usage object by dotted path, exactly as reported; array items by their index. */
export function reportedFigures(usage: Json): Readonly<Record<string, number>> {
  const figures: Record<string, number> = {};
  let count = 0;
  const visit = (value: Json, path: string, depth: number): void => {
    if (count >= FIGURES_MAX || depth > FIGURES_DEPTH_MAX) return;
    if (typeof value === "number") {
      figures[path] = value;
      count++;
    } else if (typeof value === "object" && value !== null) {
      for (const [key, inner] of Object.entries(value)) if (NAME.test(key)) visit(inner, depth === 0 ? key : `${path}.${key}`, depth + 1);
    }
  };
  visit(usage, "", 0);
  return figures;
}

/** A count of tokens or calls: a whole number, at least 0. Anything else counts as not reported. */
export function tokenCount(value: Json | undefined): number | undefined {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}

/** An object without its undefined members, for types with exact optional properties. */
export function defined<T extends Readonly<Record<string, number | undefined>>>(figures: T): { [K in keyof T]?: number } {
  const out: { [K in keyof T]?: number } = {};
  for (const key in figures) {
    const value = figures[key];
    if (value !== undefined) out[key] = value;
  }
  return out;
}
