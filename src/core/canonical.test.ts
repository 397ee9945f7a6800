import assert from "node:assert/strict";
import { test } from "node:test";
import { canonicalJson } from "./canonical.ts";

test("equal calls have one text, whatever their blanks, order and escapes", () => {
  const text = '{"amount":40,"to":{"a":[1,null,true],"name":"Jo\\n"}}';
  for (const same of [text, ' { "to" : {"name":"\\u004ao\\n","a":[ 1 ,null,true]}, "amount" : 40 }\n'])
    assert.equal(canonicalJson(same), text);
});

test("calls that differ have different texts, in digits that a double does not hold too", () => {
  const texts = [
    '{"account":12345678901234567890}',
    '{"account":12345678901234567891}',
    '{"account":"12345678901234567890"}',
    '{"account":[12345678901234567890]}',
    '{"account":12345678901234567890,"x":null}',
    "{}",
    "[]",
  ];
  assert.equal(new Set(texts.map((one) => canonicalJson(one))).size, texts.length);
});

test("what is no JSON, or says a thing twice, has none", () => {
  for (const text of ["", "{", '{"a":1,"a":2}', '{"a":1}{"b":2}', '{"a":01}', "[".repeat(500)])
    assert.equal(canonicalJson(text), undefined);
});
