import assert from "node:assert/strict";
import { test } from "node:test";
import { view } from "../../../test/support/context.ts";
import { COUNTED_CHARS_MAX } from "../limits.ts";
import type { TextSpan } from "../view.ts";
import { familyOf } from "./families.ts";
import { requestTokens } from "./request.ts";
import { textTokens } from "./text.ts";

const asking = (texts: readonly string[]) =>
  view({ texts: () => texts.map((value): TextSpan => ({ place: "user", node: { kind: "string", value, start: 0, end: 0 } })) });
const family = familyOf("claude-haiku-4-5");
/** Prose, then numbers, then Chinese. */
const MIXED = `${"The quick brown fox jumps over it. ".repeat(40_000)}${"83, 1749, ".repeat(120_000)}${"我们明天再谈这件事。".repeat(60_000)}`;

test("of a long request pieces spread over it stand for the rest, as one text or as many, and no more is counted than may be", () => {
  const whole = textTokens(MIXED, family.rates);
  const many = MIXED.match(/.{1,150}/gu) ?? [];
  for (const texts of [[MIXED], many]) {
    let countedChars = 0;
    const exact = { count: (text: string) => text.length, prepare: () => {} };
    const found = requestTokens(asking(texts), family, exact);
    assert.ok(Math.abs(found / whole - 1) < 0.02, `${found} of ${whole}`);
    const rates = new Proxy(family.rates, {
      get: (target, name, receiver) => {
        if (name === "digitsInGroup") countedChars += 1;
        return Reflect.get(target, name, receiver);
      },
    });
    const cheap = requestTokens(asking(texts), { ...family, rates }, undefined);
    assert.equal(cheap, found);
    const all = MIXED.match(/\d+/g)?.length ?? 0;
    assert.ok(countedChars < (all * COUNTED_CHARS_MAX * 1.1) / MIXED.length + 10, `${countedChars} of ${all} numbers were counted`);
  }
});

test("a shorter request is counted whole", () => {
  const text = "word ".repeat(10_000);
  assert.equal(requestTokens(asking([text]), family, undefined), Math.ceil(textTokens(text, family.rates)));
});
