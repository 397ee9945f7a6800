import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { property } from "../../test/support/property.ts";
import { finish } from "./slice.ts";
import { fileKindOf, textFileSteps } from "./text-file.ts";

const base64 = (text: string, encoding: BufferEncoding = "utf8"): string => Buffer.from(text, encoding).toString("base64");
const JPEG = Buffer.from("ffd8ffe000104a46494600010100000100010000", "hex");

const kinds: readonly (readonly [name: string, value: string, kind: string])[] = [
  ["a table in base64", base64("name,mail\nAnn,ann@acme-corp.com\n"), "file"],
  ["one that says it is a PDF", `data:application/pdf;base64,${base64("name,mail\n")}`, "file"],
  ["lines of base64", `${base64("a".repeat(57))}\n${base64("b".repeat(57))}\n`, "file"],
  ["percent escapes", "data:text/plain;charset=utf-8,Gr%C3%BC%C3%9Fe", "file"],
  ["no parameters", "data:,hello", "file"],
  ["UTF-16", Buffer.from("\ufeffGrüße", "utf16le").toString("base64"), "file"],
  ["Latin-1", base64("Grüße; Müller", "latin1"), "file"],
  ["base64 with escapes", `data:text/plain;base64,${encodeURIComponent(base64("hi?"))}`, "file"],
  ["a picture", JPEG.toString("base64"), "media"],
  ["a picture that says it is text", `data:text/plain;base64,${JPEG.toString("base64")}`, "media"],
  ["a PDF", base64("%PDF-1.7\n1 0 obj"), "media"],
  ["nothing", "data:image/png;base64,", "media"],
  ["words", "write to ann@acme-corp.com", "plain"],
];
for (const [name, value, kind] of kinds) test(`what a file is: ${name}`, () => assert.equal(fileKindOf(value), kind));

const written: readonly (readonly [name: string, value: string, text: string, other: string])[] = [
  ["base64", base64("mail ann"), "mail ann", base64("mail bob!")],
  ["without padding", base64("mail ann").replaceAll("=", ""), "mail ann", base64("mail bob!").replaceAll("=", "")],
  ["base64url", "8J-YgCBhbm4", "😀 ann", Buffer.from("😀 bob!").toString("base64url")],
  ["a data URL", `data:text/csv;base64,${base64("ann;1")}`, "ann;1", `data:text/csv;base64,${base64("bob!;1")}`],
  ["percent escapes", "data:text/plain,Gr%C3%BC%C3%9Fe%20ann%0A", "Grüße ann\n", "data:text/plain,Gr%C3%BC%C3%9Fe%20bob!%0A"],
  ["Latin-1", base64("Grüße ann", "latin1"), "Grüße ann", base64("Grüße bob!", "latin1")],
  ["UTF-16", Buffer.from("\ufeffann", "utf16le").toString("base64"), "\ufeffann", Buffer.from("\ufeffbob!", "utf16le").toString("base64")],
  ["UTF-16, high byte first", "/v8AYQBuAG4=", "\ufeffann", Buffer.from("\ufeffbob!", "utf16le").swap16().toString("base64")],
];
for (const [name, value, text, other] of written)
  test(`a file with other words: ${name}`, () => {
    const file = finish(textFileSteps(value));
    assert.equal(file.text, text);
    assert.equal(finish(file.write(text.replace("ann", "bob!"))), other);
  });

property(
  "a file that is written as it was read is the same, bytes and all",
  fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 400 }), fc.constantFrom("base64", "base64url", "percent")),
  ([bytes, how]) => {
    const coded =
      how === "percent"
        ? `data:,${[...bytes].map((byte) => `%${byte.toString(16).padStart(2, "0")}`).join("")}`
        : Buffer.from(bytes).toString(how === "base64" ? "base64" : "base64url");
    const { text, write } = finish(textFileSteps(coded));
    const again = finish(write(text));
    const back = how === "percent" ? percentBytes(again) : Buffer.from(again, "base64");
    // Half a unit of UTF-16 is no text.
    const whole = bytes[0] === 0xfe && bytes[1] === 0xff ? bytes.subarray(0, bytes.length & ~1) : bytes;
    const utf16 = bytes[0] === 0xff && bytes[1] === 0xfe ? bytes.subarray(0, bytes.length & ~1) : whole;
    assert.ok(back.equals(utf16));
  },
);
const percentBytes = (url: string): Buffer =>
  Buffer.from(
    url.slice("data:,".length).replaceAll(/%(..)/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
    "latin1",
  );

test("megabytes are read in steps, each as its bytes say", () => {
  const text = "Grüße 😀 ann\n".repeat(100_000);
  const file = finish(textFileSteps(base64(text)));
  assert.equal(file.text, text);
  assert.equal(finish(file.write(text)), base64(text));
});
