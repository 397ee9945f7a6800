import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { cpuMs } from "../../../test/support/cpu.ts";
import { property } from "../../../test/support/property.ts";
import type { FormBody } from "../../core/codec.ts";
import { type JsonNode, member, toJson } from "../../core/json.ts";
import { FORM_PARTS_MAX, FORM_TEXT_BYTES_MAX, MIB } from "../../core/limits.ts";
import { readMultipart } from "./multipart.ts";

const B = "b0undary";
const TYPE = `multipart/form-data; boundary=${B}`;
const field = (name: string, value: string): string => `--${B}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`;
const file = (name: string, fileName: string, content: string): string =>
  `--${B}\r\nContent-Disposition: form-data; name="${name}"; filename="${fileName}"\r\nContent-Type: audio/wav\r\n\r\n${content}\r\n`;
const whole = (...parts: readonly string[]): Buffer => Buffer.from(`${parts.join("")}--${B}--\r\n`);

function read(body: Buffer, type = TYPE): FormBody {
  const form = readMultipart(body, type);
  assert.ok(form.ok, form.ok ? "" : form.error.message);
  return form.value;
}
const problem = (body: Buffer | string, type = TYPE): string => {
  const form = readMultipart(Buffer.from(body), type);
  return form.ok ? "accepted" : form.error.message;
};
const node = (form: FormBody, ...path: readonly (string | number)[]): JsonNode => {
  let at: JsonNode | undefined = form.doc.root;
  for (const step of path) at = typeof step === "string" ? member(at, step) : at?.kind === "array" ? at.items[step] : undefined;
  assert.ok(at !== undefined);
  return at;
};
const rootOf = (form: FormBody) => (form.doc.root.kind === "object" ? form.doc.root : assert.fail("no object"));

describe("forms", () => {
  const body = whole(
    field("model", "whisper-1"),
    file("file", "Grüße.wav", "\0\r\n--b0undar"),
    field("include[]", "a"),
    field("include[]", "ü"),
  );

  test("fields, lists and file names stand in one document, files are measured", () => {
    const form = read(body);
    assert.deepEqual(toJson(form.doc.root), { model: "whisper-1", "include[]": ["a", "ü"], "": ["Grüße.wav"] });
    assert.deepEqual([...form.files], [["file", [12]]]);
  });

  test("an edit changes its field and no other byte", () => {
    const form = read(body);
    const edited = form.apply([
      { kind: "replace", node: node(form, "model"), text: '"gpt-4o-transcribe"' },
      { kind: "replace", node: node(form, "include[]", 1), text: '"ö"' },
      { kind: "replace", node: node(form, "", 0), text: '"[FILE].wav"' },
    ]);
    const wanted = body
      .toString()
      .replace("whisper-1", "gpt-4o-transcribe")
      .replace("\r\nü\r\n", "\r\nö\r\n")
      .replace("Grüße.wav", "[FILE].wav");
    assert.equal(edited?.toString(), wanted);
  });

  test("fields are added and taken out whole; what stays the same is no edit", () => {
    const form = read(body);
    const object = rootOf(form);
    assert.equal(form.apply([{ kind: "replace", node: node(form, "model"), text: '"whisper-1"' }]), undefined);
    assert.equal(form.apply([]), undefined);
    const edited = form.apply([
      { kind: "remove", object, key: "include[]" },
      { kind: "insert", object, key: "temperature", text: "0.2" },
    ]);
    assert.equal(
      edited?.toString(),
      whole(field("temperature", "0.2"), field("model", "whisper-1"), file("file", "Grüße.wav", "\0\r\n--b0undar")).toString(),
    );
    assert.deepEqual(toJson(read(edited ?? body).doc.root), { temperature: "0.2", model: "whisper-1", "": ["Grüße.wav"] });
  });

  test("what different clients write", () => {
    const net = `--${B}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Disposition: form-data; name=model\r\n\r\nm\r\n--${B}\r\nContent-Disposition: form-data; name=file; filename=a.wav; filename*=utf-8''a%20b.wav\r\n\r\n\0\r\n--${B}--\r\n`;
    assert.deepEqual(toJson(read(Buffer.from(net), `multipart/form-data; boundary="${B}"`).doc.root), {
      model: "m",
      "": ["a.wav", "utf-8''a%20b.wav"],
    });
    assert.deepEqual(toJson(read(whole(), TYPE).doc.root), {});
    assert.deepEqual(toJson(read(Buffer.from(`${field("a", "")}--${B}--`), `Multipart/Form-Data; charset=utf-8; Boundary=${B}`).doc.root), {
      a: "",
    });
  });

  const part = (headers: string, content = "x"): string => `--${B}\r\n${headers}\r\n\r\n${content}\r\n--${B}--\r\n`;
  const named = 'Content-Disposition: form-data; name="a"';
  const table: readonly (readonly [string, Buffer | string, string?])[] = [
    ["no boundary in the type", whole(), "multipart/form-data"],
    ["two boundaries in the type", whole(), `${TYPE}; boundary=other`],
    ["a continued boundary", whole(), `multipart/form-data; boundary*0=${B}`],
    ["another type", whole(), "application/json"],
    ["mixed", whole(), `multipart/mixed; boundary=${B}`],
    ["a boundary of blanks", whole(), 'multipart/form-data; boundary=" "'],
    ["a boundary that is too long", whole(), `multipart/form-data; boundary=${"x".repeat(71)}`],
    ["a preamble", `x\r\n${whole(field("a", "1")).toString()}`],
    ["an epilogue", `${whole(field("a", "1")).toString()}x`],
    ["a second form behind the first", Buffer.concat([whole(field("a", "1")), whole(field("a", "2"))])],
    ["no final boundary", field("a", "1")],
    ["a final boundary without its dashes", `${field("a", "1")}--${B}\r\n`],
    ["bare line feeds", `--${B}\nContent-Disposition: form-data; name="a"\n\nx\n--${B}--\n`],
    ["blanks behind a boundary", `--${B} \r\n${named}\r\n\r\nx\r\n--${B}--\r\n`],
    ["a longer boundary inside", part(named, `x\r\n--${B}longer\r\ny`)],
    ["no headers", `--${B}\r\n\r\nx\r\n--${B}--\r\n`],
    ["no name", part("Content-Disposition: form-data")],
    ["an empty name", part('Content-Disposition: form-data; name=""')],
    ["two names", part('Content-Disposition: form-data; name="a"; name="b"')],
    ["two dispositions", part(`${named}\r\n${named}`)],
    ["a name written in pieces", part('Content-Disposition: form-data; name*0="a"')],
    ["an escaped name", part('Content-Disposition: form-data; name="a\\"b"')],
    ["an attachment", part('Content-Disposition: attachment; name="a"')],
    ["a form within", part(`${named}\r\nContent-Type: multipart/mixed; boundary=y`)],
    ["base64", part(`${named}\r\nContent-Transfer-Encoding: base64`)],
    ["quoted-printable", part(`${named}\r\nContent-Transfer-Encoding: quoted-printable`)],
    ["another character set", part(`${named}\r\nContent-Type: text/plain; charset=utf-16`)],
    ["a field that sets the character set", whole(field("_charset_", "utf-16"))],
    ["a folded header", part(`${named};\r\n filename="x"`)],
    ["not UTF-8", Buffer.concat([Buffer.from(`--${B}\r\n${named}\r\n\r\n`), Buffer.from([0xff]), Buffer.from(`\r\n--${B}--\r\n`)])],
    ["a prototype's key", whole(field("__proto__", "1"))],
    ["huge headers", part(`${named}\r\nX-Pad: ${"x".repeat(9000)}`)],
    ["too many parts", whole(...Array.from({ length: FORM_PARTS_MAX + 1 }, (_, i) => field(`f${i}`, "")))],
    ["too much text", whole(field("a", "x".repeat(FORM_TEXT_BYTES_MAX + 1)))],
    ["nothing", ""],
    ["dashes", "--"],
    ["only the opening", `--${B}`],
  ];
  for (const [name, hostile, type] of table)
    test(`refused: ${name}`, () => {
      const said = problem(hostile, type);
      assert.notEqual(said, "accepted");
      assert.ok(said.length < 200 && !/[x]{3}/.test(said), said);
    });

  test("a form that is cut anywhere is refused", () => {
    for (let end = 0; end < body.length - 2; end++) assert.notEqual(problem(body.subarray(0, end)), "accepted", `cut at ${end}`);
  });
  property("any bytes end in a form or a refusal", fc.uint8Array({ maxLength: 300 }), (bytes) => {
    assert.equal(typeof problem(Buffer.from(bytes)), "string");
  });
  const pieces = fc.constantFrom(`--${B}`, "\r\n", "--", named, "\r\n\r\n", "; filename=x", "x", "Content-Type: text/plain", "\0");
  property("pieces of forms in any order end in a form or a refusal", fc.array(pieces, { maxLength: 30 }), (list) => {
    assert.equal(typeof problem(list.join("")), "string");
  });

  const text = fc.string({ unit: "grapheme", maxLength: 60 }).filter((value) => !value.includes(B));
  const values = fc.record({ given: fc.array(text, { minLength: 1, maxLength: 8 }), next: text });
  property("values come out as they went in, whatever they hold", values, ({ given, next }) => {
    const fields = given.map((value, index) => field(`f${index}`, value));
    const form = read(whole(...fields));
    assert.deepEqual(toJson(form.doc.root), Object.fromEntries(given.map((value, index) => [`f${index}`, value])));
    const edited = form.apply([{ kind: "replace", node: node(form, "f0"), text: JSON.stringify(next) }]) ?? whole(...fields);
    assert.equal(edited.toString(), whole(field("f0", next), ...fields.slice(1)).toString());
  });

  test("32 MiB are read in linear time", () => {
    const near = `\r\n--${B.slice(0, -1)}`;
    const measure = (bytes: number): number => {
      const big = Buffer.concat([
        Buffer.from(`--${B}\r\nContent-Disposition: form-data; name="f"; filename="x"\r\n\r\n`),
        Buffer.alloc(bytes, `\0${near}`),
        Buffer.from(`\r\n--${B}--\r\n`),
      ]);
      const from = cpuMs();
      read(big);
      return cpuMs() - from;
    };
    measure(MIB);
    const [small, large] = [Math.min(measure(4 * MIB), measure(4 * MIB)), Math.min(measure(32 * MIB), measure(32 * MIB))];
    // Eight times the bytes; quadratic would be 64 times the time. The rest is for a busy machine.
    assert.ok(large < 40 * Math.max(small, 5), `${small} ms for 4 MiB, ${large} ms for 32 MiB`);
  });
});
