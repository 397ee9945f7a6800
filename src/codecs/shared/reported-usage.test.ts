import assert from "node:assert/strict";
import { test } from "node:test";
import { reportedFigures } from "./reported-usage.ts";

test("figures by path, and none under a name that may be somebody's words", () => {
  assert.deepEqual(
    reportedFigures({ input_tokens: 3, details: [{ "audio.tokens": 1 }], "Ada Lovelace, ada@example.com": 7, deep: { "a b": 1, ok: 2 } }),
    { input_tokens: 3, "details.0.audio.tokens": 1, "deep.ok": 2 },
  );
  assert.deepEqual(reportedFigures({ ["x".repeat(65)]: 1 }), {});
});
