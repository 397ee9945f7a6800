import assert from "node:assert/strict";
import { test } from "node:test";
import { codesOf } from "./codes.ts";
import { buildLexicon, ideaOf } from "./lexicon.ts";
import { buildTrie } from "./trie.ts";

test("a word keeps the ideas of its stem where it is also listed as it stands", () => {
  const trie = buildTrie([
    [1, "instruction*"],
    [2, "instructions"],
    [3, "in*"],
  ]);
  const ideas = (word: string): readonly number[] => trie.word(codesOf(word), 0, word.length) ?? [];
  assert.deepEqual(new Set(ideas("instructions")), new Set([1, 2]));
  assert.deepEqual(ideas("instruction"), [1]);
  assert.deepEqual(ideas("instructional"), [1]);
  assert.deepEqual(ideas("inn"), [3]);
  assert.deepEqual(ideas("out"), []);
});

test("the plainest words of an attack have their ideas", () => {
  const lexicon = buildLexicon();
  for (const [word, idea] of [
    ["instructions", "instruction"],
    ["reveal", "reveal"],
    ["ignore", "ignore"],
    ["prompts", "prompt"],
  ] as const)
    assert.ok(lexicon.word(codesOf(word), 0, word.length)?.includes(ideaOf(idea)), word);
});
