/** What every codec owes to guards: rewriting changes the texts and nothing else, lanes end, and unguarded reading is as before. */
import { describe, test } from "node:test";
import fc from "fast-check";
import { answerContext, fixture } from "../../test/support/answers.ts";
import { view } from "../../test/support/context.ts";
import { checkEnds, checkIdentity, checkRewrite, checkSameTexts, cutsOf, type GuardedCase } from "../../test/support/guarded.ts";
import { property } from "../../test/support/property.ts";
import type { Codec } from "../core/codec.ts";
import type { Framing } from "../core/view.ts";
import { anthropicMessages } from "./anthropic-messages.ts";
import { openaiChat } from "./openai-chat.ts";

const CONTENT_TYPES: Readonly<Record<Framing, string>> = {
  json: "application/json",
  sse: "text/event-stream",
  "json-array": "application/json",
  eventstream: "application/vnd.amazon.eventstream",
};

const of = (codec: Codec, framing: Framing, name: string, choices = 1): GuardedCase => ({
  name,
  codec,
  context: answerContext(view({ streaming: framing !== "json", framing, choices }), { contentType: CONTENT_TYPES[framing] }),
  bytes: fixture(name),
});

const CASES: readonly GuardedCase[] = [
  of(openaiChat, "sse", "openai-chat.sse"),
  of(openaiChat, "sse", "openai-chat-tools.sse"),
  of(openaiChat, "sse", "compatible-chat.sse"),
  of(openaiChat, "json", "openai-chat.json", 2),
  of(anthropicMessages, "sse", "anthropic.messages/stream.sse"),
  of(anthropicMessages, "json", "anthropic.messages/body.json"),
];

for (const one of CASES) {
  describe(`guarded ${one.name}`, () => {
    property("bytes are the same for every cut, and where nothing is rewritten", cutsOf(one.bytes), (cuts) => checkIdentity(one, cuts), 30);
    test("cut at every byte", () =>
      checkIdentity(
        one,
        Array.from(one.bytes, (_, at) => at),
      ));
    property("other texts are read again, and nothing else changes", fc.nat(100), (seed) => checkRewrite(one, seed), 20);
    test("the same texts leave the bytes", () => checkSameTexts(one));
    test("every lane ends", () => checkEnds(one));
  });
}
