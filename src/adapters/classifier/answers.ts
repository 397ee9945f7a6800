/** Readers of answers that may be anything. */
import type { Labelled } from "./labels.ts";

export const member = (from: unknown, name: string): unknown =>
  typeof from === "object" && from !== null && !Array.isArray(from) && Object.hasOwn(from, name) ? Reflect.get(from, name) : undefined;
export const listOf = (from: unknown): readonly unknown[] | undefined => (Array.isArray(from) ? from : undefined);
/** A probability; sums of floating point that are a little above 1 count as 1. */
export function chance(from: unknown): number | undefined {
  if (typeof from !== "number" || !(from >= 0 && from <= 1.0001)) return undefined;
  return Math.min(1, from);
}

/** Every member read, or nothing. */
export function each<T>(list: readonly unknown[] | undefined, read: (one: unknown) => T | undefined): readonly T[] | undefined {
  if (list === undefined) return undefined;
  const all = list.map(read).filter((one) => one !== undefined);
  return all.length === list.length ? all : undefined;
}

/** `{ label, score }`, as text-classification servers write it. */
export function labelled(from: unknown): Labelled | undefined {
  const [label, score] = [member(from, "label"), chance(member(from, "score"))];
  return typeof label === "string" && label !== "" && label.length <= 200 && score !== undefined ? { label, score } : undefined;
}
