import assert from "node:assert/strict";
import { test } from "node:test";
import { LeakSearch, pairsOf } from "./leak.ts";

const PAIRS = pairsOf(["one two three four five"]);
const SIGNS = 40_000;
/** What it took with patterns tried from every sign was a second and more. */
const CPU_MS_MAX = 400;

/** Hits in these pieces, and that finding them took little CPU. */
function hitsIn(pieces: readonly string[]) {
  const search = new LeakSearch(PAIRS, 4);
  const before = process.cpuUsage();
  const hits = [...pieces.flatMap((piece) => search.push(piece)), ...search.end()];
  const { user, system } = process.cpuUsage(before);
  assert((user + system) / 1000 < CPU_MS_MAX, `${(user + system) / 1000} ms of CPU`);
  return hits;
}

test("signs that are no word and may go on with one cost linear time, and what follows them is found", () => {
  for (const sign of ["\u0301", "\u0e31", "\u093f"]) {
    const start = SIGNS + 1;
    assert.deepEqual(hitsIn([`${sign.repeat(SIGNS)} `, "one two three four."]), [{ start, end: start + 18 }]);
  }
});

test("a word without end in small pieces costs linear time in any script, and what follows it is found", () => {
  for (const sign of ["a", "é", "я", "한", "\u0301", "\ud835"]) {
    const pieces: readonly string[] = Array.from({ length: SIGNS * 2 }, () => sign);
    assert.deepEqual(hitsIn([...pieces, " one two", " three fo", "ur."]), [{ start: SIGNS * 2 + 1, end: SIGNS * 2 + 19 }]);
  }
});
test("a leak is one however its accents are written, in full width, and with signs that nobody sees in it", () => {
  const secret = "Der Rabatt für Zürcher heißt Schneeglöckchen und gilt bis März für alle Gäste";
  const pairs = pairsOf([secret]);
  for (const said of [
    secret.normalize("NFD"),
    secret.toUpperCase().replaceAll("SS", "ß"),
    [...secret].map((sign) => (/[a-z]/.test(sign) ? String.fromCharCode(sign.charCodeAt(0) + 0xfee0) : sign)).join(""),
    secret.replaceAll("a", "a\u200b").replaceAll("e", "e\u00ad"),
    secret.replaceAll(" ", " \u200b "),
  ]) {
    const whole = new LeakSearch(pairs, 8);
    assert.equal([...whole.push(said), ...whole.end()].length, 1, said);
    const cut = new LeakSearch(pairs, 8);
    assert.equal([...[...said].flatMap((sign) => cut.push(sign)), ...cut.end()].length, 1, said);
  }
});
