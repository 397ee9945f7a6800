import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { mediaKindOf } from "./media-kind.ts";

test("bytes say what they are, whatever type is told beside them", () => {
  const of = (text: string): string => mediaKindOf(Buffer.from(text, "latin1"));
  const zip = (entry: string): string => `PK\x03\x04${"\0".repeat(26)}${entry}`;
  const cases: readonly (readonly [string, string])[] = [
    ["\x89PNG\r\n\x1a\n", "image"],
    ["\xff\xd8\xff\xe0\0\x10JFIF", "image"],
    ["RIFF\x24\0\0\0WEBPVP8 ", "image"],
    ["\0\0\0\x18ftypheic", "image"],
    ["RIFF\x24\0\0\0WAVEfmt ", "audio"],
    ["ID3\x04", "audio"],
    ["\xff\xfb\x90\x64", "audio"],
    ["\0\0\0\x18ftypmp42", "video"],
    ["%PDF-1.7\n%\xe2\xe3", "document"],
    ["\n\n%PDF-1.4", "document"],
    ["\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "document"],
    [zip("[Content_Types].xml"), "document"],
    [zip("mimetypeapplication/vnd.oasis.opendocument.text"), "document"],
    [zip("secrets.txt"), "archive"],
    [`notes.txt${"\0".repeat(248)}ustar`, "archive"],
    ["Salted__\x01\x02\x03", "other"],
    ["", "other"],
  ];
  for (const [bytes, kind] of cases) assert.equal(of(bytes), kind, JSON.stringify(bytes));
  assert.equal(mediaKindOf(gzipSync("a")), "archive");
});
