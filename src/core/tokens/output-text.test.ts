import assert from "node:assert/strict";
import { test } from "node:test";
import { openGptTokens } from "../../adapters/tokens/gpt.ts";
import type { Delta } from "../view.ts";
import { familyOf } from "./families.ts";
import { OutputText } from "./output-text.ts";

const exact = openGptTokens();
const SENTENCE = "The quick brown fox jumps over the lazy dog, and 42 others watch. ";
const delta = (text: string, choice = 0): Delta => ({ choice, block: 0, channel: "content", text });

test("a streamed text counts as the exact tokenizer has it, whatever its pieces", () => {
  for (const size of [1, 3, 7, 1000]) {
    const text = SENTENCE.repeat(20);
    const output = new OutputText();
    for (let at = 0; at < text.length; at += size) output.add(delta(text.slice(at, at + size)));
    assert.equal(output.tokens(familyOf("gpt-4o"), exact, text.length), exact.count(text, "o200k_base") + 1, `pieces of ${size}`);
  }
});

test("past what is kept the rest counts at the same ratio", () => {
  const output = new OutputText();
  const text = SENTENCE.repeat(1000);
  for (let at = 0; at < text.length; at += 50) output.add(delta(text.slice(at, at + 50)));
  const counted = output.tokens(familyOf("gpt-4o"), exact, text.length);
  assert(Math.abs(counted / exact.count(text, "o200k_base") - 1) < 0.01, String(counted));
});

test("choices that stream in turns are counted apart, and an answer without text is nothing", () => {
  const output = new OutputText();
  for (const piece of ["Hello", " there"]) for (const choice of [0, 1]) output.add(delta(piece, choice));
  assert.equal(output.tokens(familyOf("gpt-4o"), exact, 22), 5);
  assert.equal(new OutputText().tokens(familyOf("gpt-4o"), exact, 0), 0);
});
