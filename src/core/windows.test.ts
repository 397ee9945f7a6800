import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { property } from "../../test/support/property.ts";
import { Calendar, isTimeZone, type Weekday, type WindowSpec } from "./windows.ts";

const HOUR = 3_600_000;
const at = (text: string): number => Date.parse(text);
const hours = (zone: string, unit: "day" | "week" | "month", when: string): number => {
  const { startMs, endMs } = new Calendar(zone).windowAt({ unit }, at(when));
  return (endMs - startMs) / HOUR;
};

test("days of 23, 24 and 25 hours, and the weeks and months around them", () => {
  assert.equal(hours("Europe/Berlin", "day", "2026-03-29T12:00:00Z"), 23);
  assert.equal(hours("Europe/Berlin", "day", "2026-10-25T12:00:00Z"), 25);
  assert.equal(hours("Europe/Berlin", "day", "2026-10-26T12:00:00Z"), 24);
  assert.equal(hours("Europe/Berlin", "week", "2026-10-25T12:00:00Z"), 7 * 24 + 1);
  assert.equal(hours("America/New_York", "month", "2026-03-15T12:00:00Z"), 31 * 24 - 1);
  assert.equal(hours("Australia/Lord_Howe", "day", "2026-04-05T00:00:00Z"), 24.5);
  assert.equal(hours("UTC", "month", "2028-02-10T00:00:00Z"), 29 * 24);
});

test("a midnight that is skipped, one that comes twice, and a date that was left out", () => {
  const of = (zone: string, when: string) => {
    const { startMs, endMs } = new Calendar(zone).windowAt({ unit: "day" }, at(when));
    return [new Date(startMs).toISOString(), new Date(endMs).toISOString()];
  };
  // Santiago: 2026-09-06 begins at 01:00.
  assert.deepEqual(of("America/Santiago", "2026-09-06T12:00:00Z"), ["2026-09-06T04:00:00.000Z", "2026-09-07T03:00:00.000Z"]);
  // Havana: 2026-11-01 has 00:00 to 01:00 twice.
  assert.deepEqual(of("America/Havana", "2026-11-01T05:30:00Z"), ["2026-11-01T04:00:00.000Z", "2026-11-02T05:00:00.000Z"]);
  // St. John's went back from 00:01 to 23:01: what has begun does not end again.
  assert.deepEqual(of("America/St_Johns", "2008-11-02T02:45:00Z"), ["2008-11-02T02:30:00.000Z", "2008-11-03T03:30:00.000Z"]);
  // Samoa had no 2011-12-30.
  assert.deepEqual(of("Pacific/Apia", "2011-12-30T09:59:59Z"), ["2011-12-29T10:00:00.000Z", "2011-12-30T10:00:00.000Z"]);
  assert.deepEqual(of("Pacific/Apia", "2011-12-30T10:00:00Z"), ["2011-12-30T10:00:00.000Z", "2011-12-31T10:00:00.000Z"]);
});

test("weeks begin where the tenant says, hours follow half-hour offsets, zones are checked by name", () => {
  const berlin = new Calendar("Europe/Berlin");
  const start = (startsOn: Weekday) =>
    new Date(berlin.windowAt({ unit: "week", startsOn }, at("2026-11-24T12:00:00Z")).startMs).toISOString();
  assert.deepEqual([start(1), start(7), start(2)], ["2026-11-22T23:00:00.000Z", "2026-11-21T23:00:00.000Z", "2026-11-23T23:00:00.000Z"]);
  const hour = new Calendar("Asia/Kolkata").windowAt({ unit: "hour" }, at("2026-11-24T12:00:00Z"));
  assert.equal(new Date(hour.startMs).toISOString(), "2026-11-24T11:30:00.000Z");
  assert.deepEqual(["Europe/Berlin", "UTC", "Mars/Olympus", ""].map(isTimeZone), [true, true, false, false]);
});

const zones = [
  ...["UTC", "Europe/Berlin", "America/New_York", "America/Santiago", "America/Havana", "America/St_Johns", "Australia/Lord_Howe"],
  ...["Asia/Kolkata", "Asia/Kathmandu", "Pacific/Apia", "Pacific/Kiritimati", "Africa/Casablanca", "Asia/Beirut", "America/Sao_Paulo"],
];
const specs: readonly WindowSpec[] = [
  { unit: "minute" },
  { unit: "hour" },
  { unit: "day" },
  { unit: "month" },
  { unit: "week" },
  { unit: "week", startsOn: 7 },
  { unit: "week", startsOn: 4 },
  { unit: "seconds", seconds: 1 },
  { unit: "seconds", seconds: 7_200 },
];
const moment = fc.record({
  zone: fc.constantFrom(...zones),
  spec: fc.constantFrom(...specs),
  atMs: fc.integer({ min: at("1972-02-01T00:00:00Z"), max: at("2060-01-01T00:00:00Z") }),
});

property("each instant is in one window; the next begins where one ends; every instant of a window gives the same one", moment, (value) => {
  const window = new Calendar(value.zone).windowAt(value.spec, value.atMs);
  assert.ok(window.startMs <= value.atMs && value.atMs < window.endMs, "the instant is inside");
  const again = (atMs: number) => new Calendar(value.zone).windowAt(value.spec, atMs);
  for (const inside of [window.startMs, window.endMs - 1, Math.floor((window.startMs + window.endMs) / 2)])
    assert.deepEqual(again(inside), window);
  assert.equal(again(window.endMs).startMs, window.endMs);
  assert.equal(again(window.startMs - 1).endMs, window.startMs);
});

property("a calendar that is asked again and again answers like a new one", fc.array(moment, { maxLength: 20 }), (values) => {
  const calendars = new Map<string, Calendar>();
  for (const { zone, spec, atMs } of values) {
    const calendar = calendars.get(zone) ?? new Calendar(zone);
    calendars.set(zone, calendar);
    assert.deepEqual(calendar.windowAt(spec, atMs), new Calendar(zone).windowAt(spec, atMs));
  }
});

/** Another way to the same answer: minute by minute, the first whose local date differs from the last one's. */
property(
  "a day ends at the first minute with a later local date",
  fc.record({ zone: fc.constantFrom(...zones), day: fc.integer({ min: 10_957, max: 25_000 }) }),
  ({ zone, day }) => {
    const noon = day * 24 * HOUR + 12 * HOUR;
    const { endMs } = new Calendar(zone).windowAt({ unit: "day" }, noon);
    const format = new Intl.DateTimeFormat("sv-SE", { timeZone: zone });
    const today = format.format(noon);
    let first = noon;
    while (format.format(first) <= today) first += 60_000;
    assert.equal(endMs, first);
  },
  30,
);
