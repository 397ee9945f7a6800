/** Reading an event by what it shares with the one before gives what reading it whole gives. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { answerContext } from "../../../test/support/answers.ts";
import { view } from "../../../test/support/context.ts";
import { property } from "../../../test/support/property.ts";
import type { AnswerContext, AnswerReader, Frame } from "../../core/codec.ts";
import { type AnswerMapper, openReader } from "./answer-reader.ts";
import { AnthropicAnswer } from "./anthropic-answer.ts";
import { ChatAnswer } from "./chat-answer.ts";

class WholeChat extends ChatAnswer {
  override repeatable(): boolean {
    return false;
  }
}
class WholeAnthropic extends AnthropicAnswer {
  override repeatable(): boolean {
    return false;
  }
}

const open = (context: AnswerContext, mapper: AnswerMapper): AnswerReader => openReader(context, mapper, () => "{}");

/** What a string of JSON may look like from outside, good and bad, quotes not included. */
const inside = fc.oneof(
  fc.string({ maxLength: 6 }).map((text) => JSON.stringify(text).slice(1, -1)),
  fc.constantFrom(
    "Hello",
    " you",
    "gpt-4o",
    "\\n\\n",
    "\\u00e9\\ud83d",
    "é😀",
    "a\\",
    '\\"',
    'a","content":"b',
    'a"},"x":{"content":"b',
    "\t",
  ),
  fc.constantFrom("", "", '","role":"user', '\\",\\"obfuscation\\":\\"', "\\u0047PT"),
);
/** Members of a chat chunk that go on as they are from one to the next, and those that do not. */
const chunk = fc
  .record({
    piece: fc.constantFrom("content", "reasoning", "reasoning_content", "refusal", "twice", "both", "call", "named", "extra"),
    text: inside,
    other: inside,
    ends: fc.constantFrom("null", "null", "null", '"stop"'),
    head: fc.constantFrom('"id":"c1","model":"gpt-4o",', '"id":"c1","model":"gpt-4o",', '"model":"Hello",', '"error":{"type":"x"},'),
    tail: fc.constantFrom("", "", ',"usage":null', ',"usage":{"prompt_tokens":3,"completion_tokens":1}', ',"p":"abcd"', ',"note":"Hello"'),
    index: fc.constantFrom(0, 0, 0, 1),
  })
  .map(({ piece, text, other, ends, head, tail, index }) => {
    const call = (name: string) => `"tool_calls":[{"index":0${name},"function":{"arguments":"${text}"}}]`;
    const delta: Readonly<Record<string, string>> = {
      twice: `"content":"${text}","content":"${other}"`,
      both: `"reasoning_content":"${text}","reasoning":"${text}"`,
      call: call(""),
      named: call(',"function":{"name":"f"}').replace("}},", "},"),
      extra: `"content":"${text}","more":"${other}"`,
    };
    const chosen = delta[piece] ?? `"${piece}":"${text}"`;
    return `{${head}"choices":[{"index":${index},"delta":{${chosen}},"logprobs":null,"finish_reason":${ends}}],"obfuscation":"${other}"${tail}}`;
  });
const block = fc
  .record({ text: inside, index: fc.constantFrom(0, 0, 0, 1), kind: fc.constantFrom("text", "thinking", "input_json", "text", "odd") })
  .map(({ text, index, kind }) => {
    const key = kind === "input_json" ? "partial_json" : kind === "odd" ? "oddity" : kind;
    return `{"type":"content_block_delta","index":${index},"delta":{"type":"${kind}_delta","${key}":"${text}"}}`;
  });
const lines = fc.constantFrom("", "", "", "", "event: content_block_delta\n", "event: error\n", ": ping\n", "id: 7\n");
/** Runs of one event with other texts, as providers send them, beside events that have nothing in common. */
const stream = (data: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc
    .array(
      fc.tuple(
        lines,
        fc.oneof({ weight: 6, arbitrary: data }, fc.constantFrom("[DONE]", "not JSON", "[1]", "{}")),
        fc.array(inside, { maxLength: 3 }),
        fc.constantFrom("\n\n", "\n\n", "\r\n\r\n"),
      ),
      { maxLength: 12 },
    )
    .map((events) =>
      events
        .map(([line, text, others, end]) =>
          [
            text,
            ...others.map((other) =>
              text.replace(/(content|text|arguments|partial_json)":"(?:[^"\\]|\\.)*"/, `$1":"${other.replaceAll("$", "$$$$")}"`),
            ),
          ]
            .map((one) => `${line}data: ${one}${end}`)
            .join(""),
        )
        .join(""),
    );

/** As Sluice would write it with every text in capitals. */
const rewritten = ({ bytes, deltas, rewrite }: Frame): string =>
  Buffer.from(rewrite?.(deltas.map(({ text, signed }) => (signed === true ? undefined : `"${text.toUpperCase()}`))) ?? bytes).toString(
    "latin1",
  );
const plain = ({ alike: _, rewrite: __, ...frame }: Frame) => frame;

function checkSame(bytes: Buffer, one: AnswerReader, other: AnswerReader): number {
  const frames = [...one.push(bytes), ...one.end()];
  const whole = [...other.push(bytes), ...other.end()];
  assert.deepEqual(frames.map(plain), whole.map(plain));
  assert.deepEqual(frames.map(rewritten), whole.map(rewritten));
  assert.deepEqual(one.summary(), other.summary());
  assert.deepEqual(one.usage(), other.usage());
  assert.deepEqual(one.tail({ kind: "length" }), other.tail({ kind: "length" }));
  return frames.filter(({ alike }) => alike === true).length;
}

describe("repeated events", () => {
  let alike = 0;
  for (const guarded of [true, false])
    for (const usageForced of [true, false]) {
      const context = answerContext(view({ streaming: true, framing: "sse", choices: 2 }), {
        contentType: "text/event-stream",
        usageForced,
        ...(guarded ? { guarded } : {}),
      });
      const name = `${guarded ? "guarded" : "unguarded"}${usageForced ? ", usage forced" : ""}`;
      property(`chat, ${name}: as read whole`, stream(chunk), (text) => {
        alike += checkSame(Buffer.from(text), open(context, new ChatAnswer(context)), open(context, new WholeChat(context)));
      });
      property(`messages, ${name}: as read whole`, stream(block), (text) => {
        alike += checkSame(Buffer.from(text), open(context, new AnthropicAnswer(context)), open(context, new WholeAnthropic(context)));
      });
    }
  test("most of what was like the event before was read as such", () => assert(alike > 500, `${alike}`));

  test("an answer whose events have nothing in common is not compared for ever", () => {
    const context = answerContext(view({ streaming: true, framing: "sse" }), { contentType: "text/event-stream" });
    const event = (id: number): string => `data: {"id":"c${id}","choices":[{"index":0,"delta":{"content":"a"}}]}\n\n`;
    const reader = open(context, new ChatAnswer(context));
    const unlike = Array.from({ length: 5 }, (_, id) => event(id)).join("");
    const frames = reader.push(Buffer.from(unlike + event(9).repeat(4)));
    assert(frames.every(({ alike }) => alike !== true));
    assert.equal(frames.map(({ deltas }) => deltas[0]?.text).join(""), "a".repeat(9));
  });
});
