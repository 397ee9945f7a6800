import type { ExchangeRecord } from "../../core/record.ts";
import { columns, count, duration, type Paint, shown, usd } from "./words.ts";

/** What totals can be taken by. */
export const SUM_KEYS: Readonly<Record<string, (record: ExchangeRecord) => string>> = {
  tenant: ({ tenant }) => tenant ?? "-",
  app: ({ app }) => app ?? "-",
  user: ({ user }) => user ?? "-",
  "use-case": ({ useCase }) => useCase ?? "-",
  credential: ({ credential }) => credential?.id ?? "-",
  model: ({ model }) => model ?? "-",
  provider: ({ target }) => target?.provider ?? "-",
  surface: ({ surface }) => surface ?? "-",
  operation: ({ operation }) => operation ?? "-",
  decision: ({ decision }) => decision,
  code: ({ code }) => code ?? "-",
  ending: ({ ending }) => ending,
  status: ({ status }) => String(status ?? "-"),
  policy: ({ policy }) => policy?.version ?? "-",
  day: ({ time }) => time.slice(0, 10),
  hour: ({ time }) => `${time.slice(0, 13)}:00`,
};

/** Groups kept; what comes later is summed as `other`, so that a group by user cannot fill the memory. */
const GROUPS_MAX = 50_000;
/** Ratio of one bucket's bounds: a percentile is exact to five per cent. */
const STEP = 1.05;

class Group {
  readonly keys: readonly string[];
  calls = 0;
  refused = 0;
  failed = 0;
  inputTokens = 0;
  outputTokens = 0;
  nanoUsd = 0;
  estimated = 0;
  readonly #durations = new Map<number, number>();
  constructor(keys: readonly string[]) {
    this.keys = keys;
  }

  add(record: ExchangeRecord): void {
    this.calls += 1;
    if (record.decision === "refused") this.refused += 1;
    else if (record.code !== undefined || !["served", "answered"].includes(record.ending)) this.failed += 1;
    this.inputTokens += record.usage?.inputTokens ?? 0;
    this.outputTokens += record.usage?.outputTokens ?? 0;
    this.nanoUsd += record.cost?.nanoUsd ?? 0;
    if (record.cost?.estimated === true) this.estimated += 1;
    const bucket = Math.ceil(Math.log(Math.max(record.ms.total, 0.001)) / Math.log(STEP));
    this.#durations.set(bucket, (this.#durations.get(bucket) ?? 0) + 1);
  }

  /** Milliseconds that this share of the calls did not exceed. */
  percentile(share: number): number {
    let left = Math.ceil(this.calls * share);
    for (const [bucket, calls] of [...this.#durations].sort(([one], [other]) => one - other)) {
      left -= calls;
      if (left <= 0) return STEP ** bucket;
    }
    return 0;
  }
}

/** Totals of records by the values of some keys; the memory is bounded by the number of groups. */
export class Sums {
  readonly #by: readonly string[];
  readonly #groups = new Map<string, Group>();
  readonly #all = new Group([]);
  constructor(by: readonly string[]) {
    this.#by = by;
  }

  add(record: ExchangeRecord): void {
    this.#all.add(record);
    if (this.#by.length === 0) return;
    const keys = this.#by.map((name) => SUM_KEYS[name]?.(record) ?? "-");
    const name = JSON.stringify(keys);
    const group = this.#groups.get(name) ?? this.#make(name, keys);
    group.add(record);
  }

  #make(name: string, keys: readonly string[]): Group {
    const other = JSON.stringify([]);
    const full = this.#groups.size >= GROUPS_MAX;
    const known = full ? this.#groups.get(other) : undefined;
    const made = known ?? new Group(full ? keys.map(() => "other") : keys);
    this.#groups.set(full ? other : name, made);
    return made;
  }

  get calls(): number {
    return this.#all.calls;
  }

  /** Dearest first; days and hours in their order. */
  #sorted(): readonly Group[] {
    const [first] = this.#by;
    const inTime = first === "day" || first === "hour";
    return [...this.#groups.values()].sort((one, other) =>
      inTime ? one.keys.join().localeCompare(other.keys.join()) : other.nanoUsd - one.nanoUsd || other.calls - one.calls,
    );
  }

  table(paint: Paint): string {
    const keys = this.#by.length;
    const cells = (group: Group, names: readonly string[]): readonly string[] => [
      ...names.map(shown),
      ...[group.calls, group.refused, group.failed, group.inputTokens, group.outputTokens].map(count),
      `${group.estimated > 0 ? "~" : ""}${usd(group.nanoUsd)}`,
      duration(group.percentile(0.5)),
      duration(group.percentile(0.95)),
    ];
    const titles = [...this.#by.map((name) => name.toUpperCase()), "CALLS", "REFUSED", "FAILED", "INPUT", "OUTPUT", "COST", "P50", "P95"];
    const rows = [
      titles,
      ...this.#sorted().map((group) => cells(group, group.keys)),
      cells(
        this.#all,
        this.#by.map((_, index) => (index === 0 ? "all" : "")),
      ),
    ];
    const lines = columns(
      rows,
      titles.map((_, index) => index).filter((index) => index >= keys),
    );
    return lines.map((line, index) => `${index === 0 || index === lines.length - 1 ? paint.bold(line) : line}\n`).join("");
  }

  /** One JSON line a group, or one for all. Money in whole nano-dollars. */
  *jsonLines(): Generator<string> {
    for (const group of this.#by.length === 0 ? [this.#all] : this.#sorted()) {
      const { calls, refused, failed, inputTokens, outputTokens, nanoUsd, estimated } = group;
      const keys = Object.fromEntries(this.#by.map((name, index) => [name, group.keys[index] ?? "-"]));
      const ms = { p50: round(group.percentile(0.5)), p95: round(group.percentile(0.95)) };
      yield JSON.stringify({ ...keys, calls, refused, failed, inputTokens, outputTokens, nanoUsd, estimated, ms });
    }
  }
}

const round = (ms: number): number => Math.round(ms * 100) / 100;
