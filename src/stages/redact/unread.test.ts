import assert from "node:assert/strict";
import { test } from "node:test";
import { readRequest } from "../../../test/support/codec-runs.ts";
import { run } from "../../../test/support/redact.ts";
import { assertSubset } from "../../../test/support/subset.ts";
import { anthropicMessages } from "../../codecs/anthropic-messages.ts";
import { bedrockConverse } from "../../codecs/bedrock-converse.ts";
import { geminiGenerate } from "../../codecs/gemini-generate.ts";
import { openaiChat } from "../../codecs/openai-chat.ts";
import { openaiImagesEdits } from "../../codecs/openai-images-edits.ts";
import { openaiResponses } from "../../codecs/openai-responses.ts";
import type { Codec } from "../../core/codec.ts";
import { sharedEdits } from "../../pipeline/request-edits.ts";

const PDF = Buffer.from("%PDF-1.7\n%\u00e2\u00e3\n1 0 obj").toString("base64");
const PNG = Buffer.from("\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "latin1").toString("base64");
const CSV = Buffer.from("name;age\njo;7\n").toString("base64");
const part = (...parts: readonly object[]) => [{ role: "user", content: parts }];

test("what cannot be looked into is refused by what its bytes are, and the record says it, in every dialect", async () => {
  // Each is said to be a picture.
  const bodies: readonly (readonly [Codec, (data: string) => object])[] = [
    [openaiChat, (data) => ({ messages: part({ type: "image_url", image_url: { url: `data:image/png;base64,${data}` } }) })],
    [openaiChat, (data) => ({ messages: part({ type: "file", file: { filename: "a.png", file_data: data } }) })],
    [openaiResponses, (data) => ({ store: false, input: part({ type: "input_image", image_url: `data:image/png;base64,${data}` }) })],
    [
      anthropicMessages,
      (data) => ({ max_tokens: 9, messages: part({ type: "image", source: { type: "base64", media_type: "image/png", data } }) }),
    ],
    [geminiGenerate, (data) => ({ contents: [{ role: "user", parts: [{ inlineData: { mimeType: "image/png", data } }] }] })],
    [bedrockConverse, (data) => ({ messages: [{ role: "user", content: [{ image: { format: "png", source: { bytes: data } } }] }] })],
  ];
  for (const [codec, body] of bodies) {
    const of = async (data: string, unread?: object, more: object = {}) =>
      (
        await run(
          "",
          { ...(unread === undefined ? {} : { unread }), ...more },
          {},
          { request: readRequest(codec, JSON.stringify({ model: "m", ...body(data) })) },
        )
      ).verdict;
    const strict = { "*": "refuse", image: "allow" };
    assertSubset(await of(PDF, strict), {
      kind: "deny",
      code: "content_blocked",
      detail: "The policy does not allow what cannot be looked into: document.",
      evidence: { found: [{ entity: "unread_document", place: "file", action: "refuse", count: 1 }] },
    });
    assertSubset(await of(PNG, strict, { profile: "standard" }), {
      kind: "allow",
      evidence: { found: [{ entity: "unread_image", place: "file", action: "allow", count: 1 }] },
    });
    const text = await of(CSV, strict);
    assert.deepEqual([text.kind, text.evidence], ["allow", undefined], codec.surface);
    assert.equal((await of(PDF)).kind, "allow", codec.surface);
  }
});
test("a form's files of text are read and written again, and what else it has is told apart", async () => {
  const file = (name: string, content: string) =>
    `--b\r\nContent-Disposition: form-data; name="${name}"; filename="${name}.png"\r\n\r\n${content}\r\n`;
  const svg = (mail: string) => `<svg xmlns="x"><text>mail ${mail} now</text></svg>`;
  const of = async (body: string, section: object) => {
    const form = openaiImagesEdits.readForm?.(Buffer.from(`${body}--b--\r\n`, "latin1"), "multipart/form-data; boundary=b");
    assert.ok(form?.ok);
    const view = openaiImagesEdits.readRequest?.(form.value.doc, {}, form.value);
    assert.ok(view?.ok);
    const request = { doc: form.value.doc, form: form.value, facts: {}, view: view.value };
    const { verdict } = await run("", section, {}, { request });
    const change = verdict.kind === "allow" ? verdict.effects.find(({ kind }) => kind === "change") : undefined;
    const edits = change?.kind === "change" ? sharedEdits(form.value.doc, change.change) : [];
    return { verdict, sent: form.value.apply(edits)?.toString("latin1") };
  };
  const body = file("image", "\x89PNG\r\n\0") + file("mask", svg("jane.doe@acme-corp.com"));
  const masks = { profile: "own", profiles: { own: { entities: { email: "mask" } } } };
  assert.equal((await of(body, masks)).sent, `${file("image", "\x89PNG\r\n\0")}${file("mask", svg("<EMAIL>"))}--b--\r\n`);
  const latin = (mail: string) => file("mask", `M\xfcller;${mail}`);
  assert.equal((await of(latin("jane.doe@acme-corp.com"), masks)).sent, `${latin("<EMAIL>")}--b--\r\n`);
  assertSubset((await of(body, { unread: { "*": "refuse" } })).verdict, {
    kind: "deny",
    detail: "The policy does not allow what cannot be looked into: image.",
  });
  for (const name of ["jane.doe@acme-corp.com", "card_4012888888881881", "a b"]) {
    const form = openaiImagesEdits.readForm?.(
      Buffer.from(`--b\r\nContent-Disposition: form-data; name="${name}"\r\n\r\nx\r\n--b--\r\n`),
      "multipart/form-data; boundary=b",
    );
    assert.equal(form?.ok, false, name);
  }
});
test("in a long body it is looked for in slices", async () => {
  const url = `data:application/zip;base64,${Buffer.from("PK\x03\x04").toString("base64")}`;
  const body = JSON.stringify({
    model: "m",
    messages: part({ type: "text", text: "a ".repeat(50_000) }, { type: "image_url", image_url: { url } }),
  });
  for (const more of [{}, { profile: "standard" }])
    assertSubset((await run(body, { unread: { archive: "refuse" }, ...more })).verdict, { kind: "deny", code: "content_blocked" });
});
