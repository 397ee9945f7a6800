import type { ExchangeRecord } from "../../core/record.ts";
import { err, ok, type Result } from "../../core/result.ts";

/** Options that pick records, as `parseArgs` wants them. Texts take several values: `--code rate_limited,overloaded`. */
export const FILTER_OPTIONS = {
  tenant: { type: "string" },
  app: { type: "string" },
  user: { type: "string" },
  "use-case": { type: "string" },
  credential: { type: "string" },
  conversation: { type: "string" },
  surface: { type: "string" },
  model: { type: "string" },
  provider: { type: "string" },
  policy: { type: "string" },
  decision: { type: "string" },
  code: { type: "string" },
  ending: { type: "string" },
  "would-deny": { type: "string" },
  status: { type: "string" },
  id: { type: "string" },
  trace: { type: "string" },
  since: { type: "string" },
  until: { type: "string" },
  "min-cost": { type: "string" },
  "min-ms": { type: "string" },
} as const;
export type FilterValues = { readonly [Name in keyof typeof FILTER_OPTIONS]?: string | undefined };

export interface RecordFilter {
  matches(record: ExchangeRecord): boolean;
  /** Texts that a line as Sluice writes it must hold; saves parsing most lines of a large file. */
  readonly needles: readonly string[];
  /** Wall milliseconds of arrival; -Infinity and Infinity where nothing is said. */
  readonly sinceMs: number;
  readonly untilMs: number;
}

type Test = (record: ExchangeRecord) => boolean;

/** The value that one option looks at, and its key in the record where it stands there as `"key":"value"`. */
const TEXT_FIELDS: readonly {
  readonly option: keyof FilterValues;
  readonly key?: string;
  readonly of: (record: ExchangeRecord) => string | undefined;
}[] = [
  { option: "tenant", key: "tenant", of: ({ tenant }) => tenant },
  { option: "app", key: "app", of: ({ app }) => app },
  { option: "user", key: "user", of: ({ user }) => user },
  { option: "use-case", key: "useCase", of: ({ useCase }) => useCase },
  { option: "credential", of: ({ credential }) => credential?.id },
  { option: "conversation", key: "conversation", of: ({ conversation }) => conversation },
  { option: "surface", key: "surface", of: ({ surface }) => surface },
  { option: "provider", key: "provider", of: ({ target }) => target?.provider },
  { option: "policy", key: "version", of: ({ policy }) => policy?.version },
  { option: "decision", key: "decision", of: ({ decision }) => decision },
  { option: "code", key: "code", of: ({ code }) => code },
  { option: "ending", key: "ending", of: ({ ending }) => ending },
];

/** Error: which option is wrong, and what it wants. */
export function readFilter(values: FilterValues, nowMs: number): Result<RecordFilter, string> {
  const tests: Test[] = [];
  const needles: string[] = [];
  for (const { option, key, of } of TEXT_FIELDS) {
    const wanted = list(values[option]);
    if (wanted === undefined) continue;
    const [only] = wanted;
    if (wanted.length === 1 && key !== undefined && only !== undefined) needles.push(`${JSON.stringify(key)}:${JSON.stringify(only)}`);
    tests.push((record) => wanted.includes(of(record) ?? ""));
  }
  const models = list(values.model);
  // By the policy's name, the provider's, or as the caller spelled it.
  if (models !== undefined)
    tests.push(({ model, modelAsked, target }) =>
      [model, modelAsked, target?.model].some((name) => name !== undefined && models.includes(name)),
    );
  const wouldDeny = list(values["would-deny"]);
  if (wouldDeny !== undefined)
    tests.push(({ stages }) =>
      stages.some(
        (stage) =>
          stage.verdict === "deny" && stage.mode !== "enforce" && (wouldDeny.includes("any") || wouldDeny.includes(stage.code ?? "")),
      ),
    );
  const { id, trace } = values;
  if (id !== undefined) {
    needles.push(id);
    tests.push((record) => record.id.startsWith(id) || record.requestId === id);
  }
  if (trace !== undefined) {
    needles.push(trace);
    tests.push((record) => record.trace?.id === trace || record.traceparent?.split("-")[1] === trace);
  }
  const statuses = list(values.status);
  if (statuses !== undefined) {
    if (!statuses.every((status) => /^[1-5](?:\d\d|xx)$/.test(status))) return err("--status wants 429, 5xx, or several with commas");
    tests.push(({ status }) => statuses.some((wanted) => String(status ?? "").startsWith(wanted.replace("xx", ""))));
  }
  const [minCost, minMs] = [number(values["min-cost"]), number(values["min-ms"])];
  if (Number.isNaN(minCost)) return err("--min-cost wants US dollars, such as 0.05");
  if (Number.isNaN(minMs)) return err("--min-ms wants milliseconds, such as 2000");
  if (minCost !== undefined) tests.push(({ cost }) => (cost?.nanoUsd ?? -1) >= minCost * 1e9);
  if (minMs !== undefined) tests.push(({ ms }) => ms.total >= minMs);
  const sinceMs = values.since === undefined ? Number.NEGATIVE_INFINITY : instant(values.since, nowMs);
  const untilMs = values.until === undefined ? Number.POSITIVE_INFINITY : instant(values.until, nowMs);
  if (sinceMs === undefined || untilMs === undefined)
    return err(
      `--${sinceMs === undefined ? "since" : "until"} wants a time ago (15m, 2h, 7d) or a time (2026-11-23, 2026-11-23T10:00:00Z)`,
    );
  if (values.since !== undefined || values.until !== undefined)
    tests.push((record) => {
      const arrived = Date.parse(record.time);
      return arrived >= sinceMs && arrived < untilMs;
    });
  return ok({ matches: (record) => tests.every((test) => test(record)), needles, sinceMs, untilMs });
}

const list = (text: string | undefined): readonly string[] | undefined => text?.split(",").map((word) => word.trim());
const number = (text: string | undefined): number | undefined => {
  if (text === undefined) return undefined;
  return /^\d+(?:\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
};

const UNIT_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };

/** A moment: so long ago, or a date or time; without a zone it is UTC, as records are. */
function instant(text: string, nowMs: number): number | undefined {
  const [, count, unit] = /^(\d{1,6})([smhdw])$/.exec(text) ?? [];
  const unitMs = unit === undefined ? undefined : UNIT_MS[unit];
  if (count !== undefined && unitMs !== undefined) return nowMs - Number(count) * unitMs;
  if (!/^\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,3})?)?(?:Z|[+-]\d{2}:\d{2})?)?$/.test(text)) return undefined;
  const iso = text.replace(" ", "T");
  const ms = Date.parse(/T/.test(iso) && !/(?:Z|[+-]\d{2}:\d{2})$/.test(iso) ? `${iso}Z` : iso);
  return Number.isNaN(ms) ? undefined : ms;
}
