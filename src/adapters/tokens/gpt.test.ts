import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { property } from "../../../test/support/property.ts";
import { openGptTokens } from "./gpt.ts";

const tokens = openGptTokens();

test("counts as OpenAI does", () => {
  // Counts that the provider's own tokenizer page shows.
  assert.equal(tokens.count("Hello, world!", "o200k_base"), 4);
  assert.equal(tokens.count("Hello, world!", "cl100k_base"), 4);
  assert.equal(tokens.count("What is the capital of France?", "o200k_base"), 7);
  assert.equal(tokens.count("", "o200k_base"), 0);
});

test("markers of the model in a caller's text are plain text", () => {
  assert(tokens.count("say <|endoftext|> and <|im_start|>", "o200k_base") > 6);
});

property("never more tokens than UTF-8 bytes", fc.string({ unit: "binary", maxLength: 400 }), (text) => {
  // A lone surrogate is encoded as U+FFFD, three bytes.
  for (const encoding of ["o200k_base", "cl100k_base"] as const) assert(tokens.count(text, encoding) <= Buffer.byteLength(text));
});

property(
  "a run that is cut costs at most one token more for each cut",
  fc.tuple(fc.constantFrom("a", "ab", "xyzzy", "水", "=", " "), fc.integer({ min: 1, max: 2000 })),
  ([unit, length]) => {
    const text = unit.repeat(Math.ceil(length / unit.length)).slice(0, length);
    const head = tokens.count(text.slice(0, 64), "o200k_base");
    const counted = tokens.count(text, "o200k_base");
    assert(counted <= (Math.ceil(length / 64) + 1) * (head + 1));
  },
  50,
);
