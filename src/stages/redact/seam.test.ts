import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { openAnswer, readPieces, readRequest } from "../../../test/support/codec-runs.ts";
import { view } from "../../../test/support/context.ts";
import { frameOf, gated, LANE, through } from "../../../test/support/guards.ts";
import { property } from "../../../test/support/property.ts";
import { ask, contents, run } from "../../../test/support/redact.ts";
import { assertSubset } from "../../../test/support/subset.ts";
import { anthropicMessages } from "../../codecs/anthropic-messages.ts";
import { bedrockConverse } from "../../codecs/bedrock-converse.ts";
import { cohereChat } from "../../codecs/cohere-chat.ts";
import { geminiGenerate } from "../../codecs/gemini-generate.ts";
import { openaiChat } from "../../codecs/openai-chat.ts";
import { openaiResponses } from "../../codecs/openai-responses.ts";
import type { Codec, Frame } from "../../core/codec.ts";
import type { LaneId } from "../../core/view.ts";
import { Gate } from "../../pipeline/guards/gate.ts";

const MASKS = { profile: "own", profiles: { own: { extends: "strict" } } };
const guardsOf = async (section: object = MASKS, body = ask("hi")) => (await run(body, section)).guards;
const block = (index: number, text: string, channel: LaneId["channel"] = "content"): Frame =>
  frameOf([{ ...LANE, block: index, channel, text }]);
const ends = (index: number, channel: LaneId["channel"] = "content"): Frame => ({
  bytes: Buffer.alloc(0),
  deltas: [],
  ends: [{ ...LANE, block: index, channel }],
});
const blocks = (...texts: readonly string[]): readonly Frame[] => texts.flatMap((text, index) => [block(index, text), ends(index)]);

test("a value that is parted over blocks is one value, however many blocks it lies in", async () => {
  for (const [texts, out] of [
    [["mail jane.do", "e@corp.com now"], "<mail <EMAIL><> now>"],
    [["mail jane.do", "e", "@co", "rp.com"], "<mail <EMA><I><L><>>"],
    [["card 4012 8888 ", "8888 1881."], "<card <PAYMENT_CARD><>.>"],
    [["my password is ", "hunter2Zz!kkq9"], "<my password is ><<SECRET_PASSWORD>>"],
    [["nothing ", "here"], "<nothing ><here>"],
  ] as const)
    assert.equal(gated(await guardsOf(), blocks(...texts)).out, out);
});
test("what stands whole in a block is found with letters of the next behind it", async () => {
  assert.equal(gated(await guardsOf(), blocks("card 4012888888881881", "2 more")).out, "<card <PAYMENT_CARD>><2 more>");
  assert.equal(gated(await guardsOf(), blocks("see 1", "jane@corp.com")).out, "<see <EMAIL><>>");
});
test("channels, choices and what is said around a call do not mix; blocks that take turns neither", async () => {
  const apart: readonly (readonly Frame[])[] = [
    [block(0, "jane.do", "reasoning"), ends(0, "reasoning"), block(1, "e@corp"), ends(1)],
    [block(0, "jane.do"), ends(0), frameOf([], { calls: [{ choice: 0, block: 1, name: "f", id: "c" }] }), block(2, "e@corp"), ends(2)],
    [block(0, "jane.do"), ends(0), frameOf([{ ...LANE, choice: 1, block: 1, text: "e@corp" }])],
    [block(0, "jane."), block(1, "x@y"), block(0, "doe "), block(1, " z")],
  ];
  for (const frames of apart)
    assert.equal(gated(await guardsOf(), frames).out, frames.map(({ bytes }) => Buffer.from(bytes).toString()).join(""));
});
test("only what a value still needs waits for the next block, and no longer than for a call or the end", async () => {
  const gate = new Gate(await guardsOf(), 1e6);
  const bytesOf = (frame: Frame): string => Buffer.concat(gate.push([frame]).bytes).toString();
  assert.equal(bytesOf(block(0, "so it is. ")), "<so it is. >");
  assert.equal(bytesOf(block(0, "jane.do")), "");
  assert.equal(bytesOf(ends(0)), "");
  assert.equal(bytesOf(frameOf([], { calls: [{ choice: 0, block: 1, name: "f", id: "c" }] })), "<jane.do>");
});
test("an answer that may not say a value ends before its first half", async () => {
  const section = { profile: "own", profiles: { own: { answers: { email: "block" } } } };
  const { out, stop } = gated(await guardsOf(section), blocks("mail jane.do", "e@corp.com now"));
  assert.deepEqual([out, stop?.kind], ["<mail >", "refuse"]);
});
test("a stand-in that is parted over blocks comes back", async () => {
  const { sent, guards } = await run(ask("I am jane.doe@acme-corp.com, card 4012 8888 8888 1881"));
  const said = contents(sent)[0] ?? "";
  for (let at = 1; at < said.length; at++) {
    const out = gated(guards, blocks(said.slice(0, at), `${said.slice(at)}.`)).out.replaceAll(/[<>]/g, "");
    assert.equal(out, "I am jane.doe@acme-corp.com, card 4012 8888 8888 1881.", String(at));
  }
  const [standIn = ""] = /\S+@example\.(?:com|net)/.exec(said) ?? [];
  assert.equal(gated(guards, blocks(`I am ${standIn}`, "Then")).out, "<I am jane.doe@acme-corp.com><Then>");
});

const words = fc.array(
  fc.constantFrom("jane.doe@corp.com", "4012 8888 8888 1881", " ", "a", "1", ". ", "password: ", "é", "+1 415 623 2671"),
  {
    maxLength: 5,
  },
);
property(
  "I8: with blocks that are cut anywhere what leaves is the same",
  fc.tuple(fc.array(words, { minLength: 1, maxLength: 4 }), fc.array(fc.nat({ max: 60 }), { maxLength: 6 })),
  async ([parts, cuts]) => {
    const texts = parts.map((pieces) => pieces.join(""));
    const bare = (frame: Frame): Frame => ({
      ...frame,
      rewrite: (said) => Buffer.from(frame.deltas.map(({ text }, nth) => said[nth] ?? text).join("")),
    });
    const out = async (frames: readonly Frame[]) =>
      gated(
        await guardsOf(),
        frames.map((frame) => ({ ...bare(frame), bytes: bare(frame).rewrite?.([]) ?? frame.bytes })),
      ).out;
    const whole = await out(blocks(...texts));
    const pieces = texts.flatMap((text, index) => {
      const places = [...new Set(cuts.map((cut) => cut % (text.length + 1)))].sort((a, b) => a - b);
      return [...[...places, text.length].map((end, nth) => block(index, text.slice(places[nth - 1] ?? 0, end))), ends(index)];
    });
    assert.equal(await out(pieces), whole);
    assert.equal(await out([frameOf(texts.map((text, index) => ({ ...LANE, block: index, text })))]), whole);
  },
  300,
);

const [A, B] = ["my mail: jane.do", "e@corp.com, yes"];
const sse = (...events: readonly (readonly [string, object])[]): string =>
  events.map(([type, more]) => `event: ${type}\ndata: ${JSON.stringify({ type, ...more })}\n\n`).join("");
const item = (id: string, ...texts: readonly string[]) => ({
  ...{ type: "message", id, role: "assistant", status: "completed" },
  content: texts.map((text) => ({ type: "output_text", text, annotations: [] })),
});
const responsesStream = (items: readonly ReturnType<typeof item>[]): string =>
  sse(
    ...items.flatMap((one, output_index) => [
      ["response.output_item.added", { output_index, item: { ...one, content: [] } }] as const,
      ...one.content.flatMap((part, content_index) => [
        ["response.content_part.added", { output_index, content_index, part: { ...part, text: "" } }] as const,
        ["response.output_text.delta", { output_index, content_index, delta: part.text }] as const,
        ["response.output_text.done", { output_index, content_index, text: part.text }] as const,
        ["response.content_part.done", { output_index, content_index, part }] as const,
      ]),
      ["response.output_item.done", { output_index, item: one }] as const,
    ]),
    ["response.completed", { response: { id: "r", object: "response", status: "completed", output: items } }],
  );
const ANSWERS: readonly (readonly [name: string, codec: Codec, streaming: boolean, body: string | object])[] = [
  ["anthropic", anthropicMessages, false, { type: "message", content: [A, B].map((text) => ({ type: "text", text })) }],
  [
    "anthropic, streamed",
    anthropicMessages,
    true,
    sse(
      ["message_start", { message: { id: "m", content: [] } }],
      ...[A, B].flatMap((text, index) => [
        ["content_block_start", { index, content_block: { type: "text", text: "" } }] as const,
        ["content_block_delta", { index, delta: { type: "text_delta", text } }] as const,
        ["content_block_stop", { index }] as const,
      ]),
      ["message_stop", {}],
    ),
  ],
  ["responses, items", openaiResponses, false, { object: "response", status: "completed", output: [item("a", A), item("b", B)] }],
  ["responses, parts", openaiResponses, false, { object: "response", status: "completed", output: [item("a", A, B)] }],
  ["responses, items, streamed", openaiResponses, true, responsesStream([item("a", A), item("b", B)])],
  ["responses, parts, streamed", openaiResponses, true, responsesStream([item("a", A, B)])],
  ["chat, parts", openaiChat, false, { choices: [{ index: 0, message: { content: [A, B].map((text) => ({ type: "text", text })) } }] }],
  ["gemini", geminiGenerate, false, { candidates: [{ content: { parts: [A, B].map((text) => ({ text })) }, finishReason: "STOP" }] }],
  ["converse", bedrockConverse, false, { output: { message: { content: [A, B].map((text) => ({ text })) } }, stopReason: "end_turn" }],
  ["cohere", cohereChat, false, { message: { content: [A, B].map((text) => ({ type: "text", text })) }, finish_reason: "COMPLETE" }],
  [
    "cohere, streamed",
    cohereChat,
    true,
    sse(
      ...[A, B].flatMap((text, index) => [
        ["content-start", { index, delta: { message: { content: { type: "text", text: "" } } } }] as const,
        ["content-delta", { index, delta: { message: { content: { text } } } }] as const,
        ["content-end", { index }] as const,
      ]),
      ["message-end", { delta: { finish_reason: "COMPLETE" } }],
    ),
  ],
];
test("in every dialect, whole and streamed, and where a text comes once more", async () => {
  for (const [name, codec, streaming, body] of ANSWERS) {
    const reader = openAnswer(codec, view({ streaming, framing: streaming ? "sse" : "json" }), { guarded: true });
    const frames = readPieces(reader, [Buffer.from(typeof body === "string" ? body : JSON.stringify(body))]);
    const { out, stop } = through(new Gate(await guardsOf(), 1e6), frames);
    assert.equal(stop, undefined, name);
    assert.match(out, /my mail: <EMAIL/, name);
    assert.doesNotMatch(out, /jane|corp/, `${name}: ${out}`);
  }
});

test("a value that a request parts over two texts of one message is one, whatever dialect; messages do not mix", async () => {
  const text = (type: string | undefined) => (said: string) => (type === undefined ? { text: said } : { type, text: said });
  const of = (type?: string, texts: readonly string[] = ["mail jane.do", "e@corp.com and", "rew"]) => texts.map(text(type));
  const bodies: readonly (readonly [Codec, object])[] = [
    [openaiChat, { messages: [{ role: "user", content: of("text") }] }],
    [openaiResponses, { store: false, input: [{ role: "user", content: of("input_text") }] }],
    [anthropicMessages, { max_tokens: 9, system: of("text"), messages: [{ role: "user", content: "hi" }] }],
    [geminiGenerate, { contents: [{ role: "user", parts: of() }] }],
    [bedrockConverse, { messages: [{ role: "user", content: of() }] }],
  ];
  for (const [codec, body] of bodies) {
    const { sent, verdict } = await run("", MASKS, {}, { request: readRequest(codec, JSON.stringify({ model: "m", ...body })) });
    assert.match(sent, /"mail \w+@example\.(?:co|ne)".*"[mt] and".*"rew"/, codec.surface);
    assertSubset(verdict, { evidence: { found: [{ entity: "email", action: "pseudonymise", count: 1 }] } });
  }
  const apart = ask({ role: "user", content: "mail jane.do" }, { role: "user", content: "e@corp.com" });
  assert.deepEqual(contents((await run(apart, MASKS)).sent)[0], "mail jane.do");
  const block = { profile: "own", profiles: { own: { entities: { payment_card: "block" } } } };
  const card = ask({ role: "user", content: of("text", ["4012 8888", " 8888 ", "1881"]) });
  assert.equal((await run(card, block)).verdict.kind, "deny");
  const long = ask({ role: "user", content: of("text", [`${"lorem ipsum ".repeat(6_000)}jane.do`, "e@corp.com"]) });
  assert.match((await run(long, MASKS)).sent, /ipsum \w+@example\.(?:co|ne)"\},\{"type":"text","text":"[mt]"/);
});
