/**
 * Windows of limits and budgets: [start, end) in UTC milliseconds, from a tenant's IANA time zone.
 *
 * A day, week or month begins at the first instant whose local date is that date or later. So windows follow each other without
 * gap or overlap whatever the zone does: a day of 23 or 25 hours, a midnight that is skipped (the day begins at 01:00), a
 * midnight that comes twice (the first one counts), a date that a zone left out (it has no window).
 * Only `Intl` is asked, for the zone's offset at an instant; its data is the time-zone database that Node carries.
 */

/** [startMs, endMs) in UTC milliseconds since 1970. */
export interface TimeWindow {
  readonly startMs: number;
  readonly endMs: number;
}
/** 1 is Monday, 7 is Sunday (ISO 8601). */
export type Weekday = 1 | 2 | 3 | 4 | 5 | 6 | 7;
export type WindowSpec =
  | { readonly unit: "minute" | "hour" | "day" | "month" }
  | { readonly unit: "week"; readonly startsOn?: Weekday }
  /** Counted from 1970 in UTC, the same for every tenant: whole seconds, 1 to `WINDOW_SECONDS_MAX`. */
  | { readonly unit: "seconds"; readonly seconds: number };

/** A year: longer fixed windows are a mistake. */
export const WINDOW_SECONDS_MAX = 366 * 86_400;

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
/** No zone has been further from UTC since 1900. */
const OFFSET_MAX = 16 * HOUR;

/** Is this a name of the time-zone database that this Node knows? */
export function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat("en-US", { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

/**
 * The windows of one time zone. Remembers the last window of each spec, so that asking again inside it costs a comparison.
 * Right from 1972 (when the last offset with seconds went away) to 9999. Throws RangeError for an unknown zone: check with
 * `isTimeZone` where the name is given by somebody.
 */
export class Calendar {
  readonly timeZone: string;
  readonly #format: Intl.DateTimeFormat;
  /** By spec: as many as there are kinds of windows in a policy. */
  readonly #last = new Map<string, TimeWindow>();

  constructor(timeZone: string) {
    this.timeZone = timeZone;
    this.#format = new Intl.DateTimeFormat("en-US", {
      ...{ timeZone, calendar: "gregory", numberingSystem: "latn", hourCycle: "h23" },
      ...{ year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric", second: "numeric" },
    });
  }

  /** The window that `atMs` is in. */
  windowAt(spec: WindowSpec, atMs: number): TimeWindow {
    const key = spec.unit === "seconds" ? `s${spec.seconds}` : spec.unit === "week" ? `w${spec.startsOn ?? 1}` : spec.unit;
    const last = this.#last.get(key);
    if (last !== undefined && atMs >= last.startMs && atMs < last.endMs) return last;
    const window = this.#compute(spec, atMs);
    if (this.#last.size >= REMEMBERED_MAX) this.#last.clear();
    this.#last.set(key, window);
    return window;
  }

  #compute(spec: WindowSpec, atMs: number): TimeWindow {
    if (spec.unit === "seconds") return grid(atMs, spec.seconds * SECOND);
    // Offsets are whole minutes, so minutes of every zone are those of UTC.
    if (spec.unit === "minute") return grid(atMs, MINUTE);
    if (spec.unit === "hour") return this.#hour(atMs);
    const localDay = Math.floor(this.#local(atMs) / DAY);
    const [first, next] = datesOf(spec, localDay);
    const [startMs, endMs] = [this.#begin(first), this.#begin(next)];
    if (atMs < endMs) return { startMs, endMs };
    // Just after midnight the clocks went back over it: the local date is yesterday's again, and today has begun.
    const [, afterNext] = datesOf(spec, next);
    return { startMs: endMs, endMs: this.#begin(afterNext) };
  }

  /** A local hour; where the offset changes inside it, it ends there and another begins. */
  #hour(atMs: number): TimeWindow {
    const offset = this.#offset(atMs);
    const { startMs, endMs } = grid(atMs + offset, HOUR);
    const [start, end] = [startMs - offset, endMs - offset];
    return {
      startMs: this.#offset(start) === offset ? start : this.#change(start, atMs),
      endMs: this.#offset(end - 1) === offset ? end : this.#change(atMs, end - 1),
    };
  }

  /** First instant whose local date is `day` (days since 1970) or later. */
  #begin(day: number): number {
    const local = day * DAY;
    const [before, after] = [this.#offset(local - OFFSET_MAX), this.#offset(local + OFFSET_MAX)];
    const early = local - before;
    if (before === after || this.#offset(early) === before) return early;
    const late = local - after;
    if (this.#offset(late) === after) return late;
    return this.#change(late, early);
  }

  /** The instant in (low, high] from which the offset is that of `high`; there is one change between them. */
  #change(low: number, high: number): number {
    const offset = this.#offset(high);
    let [from, to] = [low, high];
    while (to - from > 1) {
      const middle = Math.floor((from + to) / 2);
      if (this.#offset(middle) === offset) to = middle;
      else from = middle;
    }
    return to;
  }

  #offset(atMs: number): number {
    return this.#local(atMs) - atMs;
  }

  /** The local clock's reading at an instant, as if it were UTC. */
  #local(atMs: number): number {
    const reading = { year: 0, month: 0, day: 0, hour: 0, minute: 0, second: 0 };
    for (const { type, value } of this.#format.formatToParts(atMs)) if (isField(type)) reading[type] = Number(value);
    const { year, month, day, hour, minute, second } = reading;
    return Date.UTC(year, month - 1, day, hour, minute, second) + (((atMs % SECOND) + SECOND) % SECOND);
  }
}

const REMEMBERED_MAX = 64;

type Field = "year" | "month" | "day" | "hour" | "minute" | "second";
const FIELDS: ReadonlySet<string> = new Set<Field>(["year", "month", "day", "hour", "minute", "second"]);
const isField = (type: string): type is Field => FIELDS.has(type);

/** First date of the window that a date is in, and of the window after it: days since 1970. */
function datesOf(spec: Exclude<WindowSpec, { readonly unit: "seconds" }>, day: number): readonly [first: number, next: number] {
  if (spec.unit === "week") {
    // 1970-01-01 was a Thursday.
    const weekday = ((((day + 3) % 7) + 7) % 7) + 1;
    const first = day - ((weekday - (spec.startsOn ?? 1) + 7) % 7);
    return [first, first + 7];
  }
  if (spec.unit === "month") {
    const date = new Date(day * DAY);
    const begin = (months: number): number => Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + months, 1) / DAY;
    return [begin(0), begin(1)];
  }
  return [day, day + 1];
}

function grid(atMs: number, lengthMs: number): TimeWindow {
  const startMs = Math.floor(atMs / lengthMs) * lengthMs;
  return { startMs, endMs: startMs + lengthMs };
}
