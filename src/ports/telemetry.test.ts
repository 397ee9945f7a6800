import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { property } from "../../test/support/property.ts";
import { formatTraceparent, parseTraceparent } from "./telemetry.ts";

const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN = "00f067aa0ba902b7";

test("traceparent: what W3C Trace Context allows is read, all else is none", () => {
  const fine: readonly (readonly [string, boolean])[] = [
    [`00-${TRACE}-${SPAN}-01`, true],
    [`00-${TRACE}-${SPAN}-00`, false],
    [`00-${TRACE}-${SPAN}-03`, true],
    [`01-${TRACE}-${SPAN}-01`, true],
    [`01-${TRACE}-${SPAN}-01-what-the-future-will-be-like`, true],
  ];
  for (const [text, sampled] of fine) assert.deepEqual(parseTraceparent(text), { traceId: TRACE, spanId: SPAN, sampled }, text);
  const none = [
    undefined,
    "",
    `00-${TRACE}-${SPAN}-01-more`,
    `00-${TRACE}-${SPAN}-01 `,
    `ff-${TRACE}-${SPAN}-01`,
    `00-${"0".repeat(32)}-${SPAN}-01`,
    `00-${TRACE}-${"0".repeat(16)}-01`,
    `00-${TRACE.toUpperCase()}-${SPAN}-01`,
    `01-${TRACE}-${SPAN}-011`,
    `00_${TRACE}-${SPAN}-01`,
    `01-${TRACE}-${SPAN}-01-${"x".repeat(1_000)}`,
  ];
  for (const text of none) assert.equal(parseTraceparent(text), undefined, String(text));
});

const hexDigits = (length: number) =>
  fc.string({ unit: fc.constantFrom(..."0123456789abcdef"), minLength: length, maxLength: length }).filter((text) => /[^0]/.test(text));
property("what is formatted is read back", fc.tuple(hexDigits(32), hexDigits(16), fc.boolean()), ([traceId, spanId, sampled]) => {
  assert.deepEqual(parseTraceparent(formatTraceparent({ traceId, spanId, sampled, parentId: undefined, state: undefined })), {
    traceId,
    spanId,
    sampled,
  });
});
