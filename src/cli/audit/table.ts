import type { ExchangeRecord } from "../../core/record.ts";
import { count, duration, type Paint, paintOf, shown, usd } from "./words.ts";

/** Columns of the list. Widths are fixed, since rows are printed as they are found. */
const COLUMNS = [
  { title: "TIME (UTC)", width: 18, of: ({ time }: ExchangeRecord) => time.slice(5, 23).replace("T", " ") },
  { title: "ID", width: 8, of: ({ id }: ExchangeRecord) => id.slice(0, 8) },
  { title: "WHO", width: 28, of: ({ tenant, app, useCase }: ExchangeRecord) => [tenant ?? "-", app ?? "-", useCase ?? "-"].join("/") },
  { title: "MODEL", width: 24, of: ({ model, modelAsked }: ExchangeRecord) => model ?? modelAsked ?? "-" },
  { title: "DECISION", width: 8, of: ({ decision }: ExchangeRecord) => decision, painted: true },
  { title: "CODE OR ENDING", width: 21, of: ({ code, ending }: ExchangeRecord) => code ?? ending, painted: true },
  { title: "STATUS", width: 6, right: true, of: ({ status }: ExchangeRecord) => String(status ?? "-") },
  { title: "IN", width: 8, right: true, of: ({ usage }: ExchangeRecord) => tokens(usage?.inputTokens) },
  { title: "OUT", width: 7, right: true, of: ({ usage }: ExchangeRecord) => tokens(usage?.outputTokens) },
  {
    title: "COST",
    width: 13,
    right: true,
    of: ({ cost }: ExchangeRecord) => (cost === undefined ? "-" : `${cost.estimated ? "~" : ""}${usd(cost.nanoUsd)}`),
  },
  { title: "TIME TAKEN", width: 10, right: true, of: ({ ms }: ExchangeRecord) => duration(ms.total) },
] as const;

const tokens = (value: number | undefined): string => (value === undefined ? "-" : count(value));

function fit(text: string, width: number, right: boolean): string {
  const cut = text.length > width ? `${text.slice(0, width - 1)}…` : text;
  return right ? cut.padStart(width) : cut.padEnd(width);
}

export const tableHead = (paint: Paint): string =>
  paint.bold(
    COLUMNS.map((column) => fit(column.title, column.width, "right" in column))
      .join("  ")
      .trimEnd(),
  );

export function tableRow(record: ExchangeRecord, paint: Paint): string {
  const colour = paintOf(record, paint);
  const cells = COLUMNS.map((column) => {
    const cell = fit(shown(column.of(record)), column.width, "right" in column);
    return "painted" in column ? colour(cell) : cell;
  });
  return cells.join("  ").trimEnd();
}
