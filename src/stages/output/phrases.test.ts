import assert from "node:assert/strict";
import { test } from "node:test";
import { PhraseSearch } from "./phrases.ts";

const SIGNS = 1_000_000;
/** What it took when every hit looked for all phrases and for all open ends anew was several seconds. */
const CPU_MS_MAX = 1_500;

const hostile: readonly (readonly [string, string, readonly string[]])[] = [
  ["beside one that stands nowhere", "fa ", ["fa", "project falcon"]],
  ["beside a long one", "ab", ["ab", "z".repeat(200)]],
  ["with blanks that are left out", "fa \n", ["fa"]],
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

/** What the phrase is put out of, for every cut into two pieces and into single signs. */
function hitsOf(text: string, phrases: readonly string[]): readonly string[] {
  const read = (pieces: readonly string[]): string[] => {
    const search = new PhraseSearch(phrases);
    let decided = 0;
    const hits = pieces.flatMap((piece) => {
      const found = search.push(piece);
      assert.ok(search.decided >= decided, "nothing is taken back");
      decided = search.decided;
      return found;
    });
    return [...hits, ...search.end()].map(({ start, end }) => text.slice(start, end));
  };
  const whole = read([text]);
  for (let at = 0; at <= text.length; at++) assert.deepEqual(read([text.slice(0, at), text.slice(at)]), whole, `cut at ${at}`);
  assert.deepEqual(read([...text]), whole);
  return whole;
}
test("a phrase is found over line ends, several blanks and signs that are not seen", () => {
  const table: readonly (readonly [string, readonly string[]])[] = [
    ["on project\nfalcon.", ["project\nfalcon"]],
    ["a  b \r\n  Project \u00a0 FALCON\n\nproject falcon", ["Project \u00a0 FALCON", "project falcon"]],
    ["\u200bpro\u200bject\u00ad falcon\u200b!", ["pro\u200bject\u00ad falcon"]],
    ["projectfalcon, project-falcon", []],
  ];
  for (const [text, hits] of table) assert.deepEqual(hitsOf(text, ["project falcon"]), hits, JSON.stringify(text));
  assert.deepEqual(hitsOf("a\t b", ["a  b"]), ["a\t b"], "the policy's own blanks are one");
});
