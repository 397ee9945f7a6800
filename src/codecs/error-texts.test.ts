/** What a provider says in an error, or repeats of a request that has no generated text, guards see and can change: on every surface whose texts are read. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { answerContext } from "../../test/support/answers.ts";
import { view } from "../../test/support/context.ts";
import type { Codec } from "../core/codec.ts";
import type { Json } from "../core/json.ts";
import { cohereChatV1 } from "./cohere-chat.ts";
import { cohereEmbed } from "./cohere-inputs.ts";
import { CODECS } from "./index.ts";

const INSPECTED = CODECS.filter(({ treatment, openAnswer }) => treatment === "inspected" && openAnswer !== undefined);

/** The body with `SECRET` changed wherever guards see it in a text that can be changed; undefined: they see it in one that cannot. */
function guarded(codec: Codec, body: string, status: number, contentType = "application/json"): string | undefined {
  const reader = codec.openAnswer?.(answerContext(view({}), { status, contentType, guarded: true }));
  const frames = [...(reader?.push(Buffer.from(body)) ?? []), ...(reader?.end() ?? [])];
  if (frames.some(({ deltas, rewrite }) => deltas.some((delta) => (delta.signed || !rewrite) && delta.text.includes("SECRET"))))
    return undefined;
  const bytes = frames.map(({ bytes, deltas, rewrite }) => {
    const texts = deltas.map(({ text }) => (text.includes("SECRET") ? text.replaceAll("SECRET", "<X>") : undefined));
    return texts.some((text) => text !== undefined) ? (rewrite?.(texts) ?? bytes) : bytes;
  });
  return Buffer.concat(bytes).toString();
}

const ERRORS: readonly Json[] = [
  { error: { message: "no SECRET here", type: "invalid_request_error", param: "SECRET", code: null } },
  { type: "error", error: { type: "invalid_request_error", message: "no SECRET" }, request_id: "r" },
  { error: { code: 400, message: "SECRET", status: "INVALID_ARGUMENT", details: [{ fieldViolations: [{ description: "SECRET" }] }] } },
  { id: "r", message: "invalid request: SECRET" },
  { message: "SECRET", __type: "ValidationException" },
  { detail: [{ loc: ["body", "input"], msg: "SECRET", input: "SECRET" }] },
];

for (const codec of INSPECTED)
  test(`${codec.surface}: an error's texts are seen`, () => {
    for (const error of ERRORS) {
      const body = JSON.stringify(error);
      assert.equal(guarded(codec, body, 400), body.replaceAll("SECRET", "<X>"), body);
    }
    assert.equal(guarded(codec, "<html>SECRET</html>", 502, "text/html"), undefined, "a page is one text that cannot be changed");
  });

for (const codec of INSPECTED)
  test(`${codec.surface}: an error that came with status 200 is seen`, () => {
    const body = JSON.stringify(ERRORS[0]);
    assert.equal(guarded(codec, body, 200), body.replaceAll("SECRET", "<X>"), body);
  });

test("Cohere repeats inputs beside their vectors, and the history before an answer", () => {
  const embed = JSON.stringify({ id: "SECRET", embeddings: { float: [[0.5]] }, texts: ["a SECRET"], meta: {} });
  assert.equal(guarded(cohereEmbed, embed, 200), embed.replace("a SECRET", "a <X>"));
  const chat = JSON.stringify({ text: "hi", chat_history: [{ role: "USER", message: "SECRET" }, { message: "hi" }], prompt: "SECRET" });
  assert.equal(guarded(cohereChatV1, chat, 200), chat.replaceAll("SECRET", "<X>"));
});
