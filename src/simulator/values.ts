/** Narrowing of parsed JSON whose shape nobody promises. */
export type Values = Readonly<Record<string, unknown>>;

const NOTHING: Values = {};

export const isObject = (value: unknown): value is Values => typeof value === "object" && value !== null && !Array.isArray(value);
export const objectOf = (value: unknown): Values => (isObject(value) ? value : NOTHING);
export const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
export const textOf = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined);
export const numberOf = (value: unknown): number | undefined => (typeof value === "number" && Number.isFinite(value) ? value : undefined);

/** A whole number within bounds, or undefined where the value is no number at all. */
export function wholeOf(value: unknown, bounds: { readonly min: number; readonly max: number }): number | undefined {
  const number = numberOf(value);
  return number === undefined ? undefined : Math.min(bounds.max, Math.max(bounds.min, Math.floor(number)));
}

/** `undefined` when the text is not JSON. */
export function parsed(text: string): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) };
  } catch {
    return undefined;
  }
}
