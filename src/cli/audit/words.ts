import { formatUsd } from "../../core/money.ts";
import type { ExchangeRecord } from "../../core/record.ts";

/** Colours, or none of them. */
export interface Paint {
  readonly dim: (text: string) => string;
  readonly bold: (text: string) => string;
  readonly good: (text: string) => string;
  readonly warn: (text: string) => string;
  readonly bad: (text: string) => string;
}
const plain = (text: string): string => text;
const code =
  (number: number) =>
  (text: string): string =>
    `\x1b[${number}m${text}\x1b[0m`;
export const paintFor = (colors: boolean): Paint =>
  colors
    ? { dim: code(2), bold: code(1), good: code(32), warn: code(33), bad: code(31) }
    : { dim: plain, bold: plain, good: plain, warn: plain, bad: plain };

/** What came from outside, without anything that speaks to a terminal. */
export const shown = (value: unknown): string => String(value ?? "").replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, "?");

export const count = (value: number): string => String(value).replaceAll(/\B(?=(\d{3})+$)/g, ",");
export const usd = (nanoUsd: number): string => `$${formatUsd(nanoUsd)}`;

/** Milliseconds, as few digits as tell something. */
export function duration(ms: number): string {
  if (ms < 10) return `${ms.toFixed(ms < 1 ? 2 : 1)} ms`;
  if (ms < 10_000) return `${Math.round(ms)} ms`;
  return ms < 120_000 ? `${(ms / 1000).toFixed(1)} s` : `${(ms / 60_000).toFixed(1)} min`;
}

export const paintOf = (record: ExchangeRecord, paint: Paint): ((text: string) => string) => {
  if (record.decision === "refused") return paint.warn;
  if (record.code !== undefined || (record.ending !== "served" && record.ending !== "answered")) return paint.bad;
  return record.decision === "allowed" ? paint.good : paint.warn;
};

/** Lines of columns, each as wide as its widest cell; `right` names columns of numbers. Colours come after the widths. */
export function columns(rows: readonly (readonly string[])[], right: readonly number[] = []): readonly string[] {
  const widths: number[] = [];
  for (const row of rows) for (const [index, cell] of row.entries()) widths[index] = Math.max(widths[index] ?? 0, cell.length);
  return rows.map((row) =>
    row
      .map((cell, index) => (right.includes(index) ? cell.padStart(widths[index] ?? 0) : cell.padEnd(widths[index] ?? 0)))
      .join("  ")
      .trimEnd(),
  );
}
