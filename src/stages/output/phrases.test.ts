import assert from "node:assert/strict";
import { test } from "node:test";
import { PhraseSearch } from "./phrases.ts";

const SIGNS = 1_000_000;
/** What it took when every hit looked for all phrases and for all open ends anew was several seconds. */
const CPU_MS_MAX = 1_500;

const hostile: readonly (readonly [string, string, readonly string[]])[] = [
  ["beside one that stands nowhere", "fa ", ["fa", "project falcon"]],
  ["beside a long one", "ab", ["ab", "z".repeat(200)]],
];
for (const [name, piece, phrases] of hostile)
  test(`a text of nothing but a phrase costs linear time: ${name}`, () => {
    const search = new PhraseSearch(phrases);
    const before = process.cpuUsage();
    const count = Math.floor(SIGNS / piece.length);
    const hits = [...search.push(piece.repeat(count)), ...search.end()];
    const { user, system } = process.cpuUsage(before);
    assert.equal(hits.length, count);
    assert((user + system) / 1000 < CPU_MS_MAX, `${(user + system) / 1000} ms of CPU`);
  });
