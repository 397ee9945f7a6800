/** Whatever a provider puts where no codec looks for it: no text passes unseen, and no call unjudged. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { answerContext } from "../../test/support/answers.ts";
import { readPieces } from "../../test/support/codec-runs.ts";
import { view } from "../../test/support/context.ts";
import * as make from "../../test/support/dialects.ts";
import { open } from "../../test/support/guarded.ts";
import { seat, wordGuard } from "../../test/support/guards.ts";
import type { Codec } from "../core/codec.ts";
import type { AnswerGuard, Stop } from "../core/guard.ts";
import type { Json } from "../core/json.ts";
import type { Framing } from "../core/view.ts";
import { Gate, type Passed } from "../pipeline/guards/gate.ts";
import { anthropicMessages } from "./anthropic-messages.ts";
import { bedrockConverse, bedrockConverseStream } from "./bedrock-converse.ts";
import { bedrockInvoke, bedrockInvokeStream } from "./bedrock-invoke.ts";
import { cohereChat, cohereChatV1 } from "./cohere-chat.ts";
import { geminiGenerate, geminiStream } from "./gemini-generate.ts";
import { openaiChat } from "./openai-chat.ts";
import { openaiResponses } from "./openai-responses.ts";
import { openaiResponsesInputItems } from "./openai-responses-input-items.ts";
import { jsonEvent } from "./shared/aws-eventstream.ts";

type Members = Record<string, Json>;
type Events = readonly Json[];
interface Case {
  readonly name: string;
  readonly codec: Codec;
  readonly framing: Framing;
  readonly type?: string;
  readonly events: Events;
  write(events: Events): Buffer;
}
const ONE = [{ id: 1, goes: false }];
const whole = (codec: Codec, event: Json): Case => ({
  ...{ name: `${codec.surface}, whole`, codec, framing: "json", events: [event] },
  write: ([body = null]) => make.json(body),
});
const stream = (codec: Codec, events: Events, write: Case["write"], framing: Framing = "sse", type?: string): Case => ({
  ...{ name: `${codec.surface}, ${framing}`, codec, framing, events, write },
  ...(type === undefined ? {} : { type }),
});
const lines = (events: Events): Buffer => Buffer.from(events.map((event) => `${JSON.stringify(event)}\n`).join(""));
/** Each event is `{type: payload}`. */
const frames = (events: Events): Buffer =>
  Buffer.concat(events.flatMap((event) => Object.entries(event ?? {}).map(([type, payload]) => jsonEvent(type, JSON.stringify(payload)))));
const spoken = (events: Events): Events => {
  const piece = (type: string, delta: Json): Json => ({ type, index: 0, delta: { message: { content: delta } } });
  const text = [
    piece("content-start", { type: "text", text: "" }),
    piece("content-delta", { text: "yes" }),
    { type: "content-end", index: 0 },
  ];
  return events.toSpliced(2, 0, ...text);
};
const METRICS = [make.METRICS];
const CASES: readonly Case[] = [
  whole(openaiChat, make.chatBody("hi", ONE)),
  stream(openaiChat, make.chatChunks("hi", ONE), (events) => make.sse(...events)),
  whole(anthropicMessages, make.messageOf("hi", ONE)),
  stream(anthropicMessages, make.messageEvents("hi", ONE), (events) => make.sse(...events)),
  whole(openaiResponses, make.responseOf("hi", ONE)),
  stream(openaiResponses, make.responseEvents("hi", ONE), (events) => make.sse(...events)),
  whole(geminiGenerate, make.geminiOf([{ text: "hi" }, ...ONE.map(make.geminiPart)], "STOP")),
  stream(geminiStream, make.geminiChunks("hi", ONE), (events) => make.sse(...events)),
  stream(geminiStream, make.geminiChunks("hi", ONE), (events) => make.json(events), "json-array"),
  whole(cohereChat, {
    ...{ id: "x", finish_reason: "TOOL_CALL" },
    message: { role: "assistant", content: [{ type: "text", text: "hi" }], tool_calls: ONE.map(make.cohereCall) },
  }),
  stream(cohereChat, spoken(make.cohereEvents("hi", ONE)), (events) => make.sse(...events)),
  whole(cohereChatV1, make.v1Body("hi", ONE)),
  stream(cohereChatV1, make.v1Events("hi", ONE), lines, "sse", "application/stream+json"),
  whole(bedrockConverse, make.converseOf("hi", ONE)),
  stream(
    bedrockConverseStream,
    make.converseEvents("hi", ONE).map(([type, payload]) => ({ [type]: payload })),
    frames,
    "eventstream",
  ),
  whole(bedrockInvoke, make.mistral("hi", ONE)),
  ...[make.messageEvents("hi", ONE), make.chatChunks("hi", ONE), make.v1Events("hi", ONE)].map((events) =>
    stream(bedrockInvokeStream, [...events, ...METRICS], (all) => make.chunks(...all), "eventstream"),
  ),
];

const REFUSE: Stop = { kind: "refuse", denial: { code: "tool_not_allowed" } };
const guard: AnswerGuard = {
  judgesCall: (name) => name === "wipe",
  judgeCall: () => ({ kind: "stop", stop: REFUSE }),
  evidence: () => undefined,
};
function run(of: Case, events: Events): { readonly out: string; readonly stop: Stop | undefined } {
  const bytes = of.write(events);
  const asked = view({ streaming: of.framing !== "json", framing: of.framing });
  const context = answerContext(asked, { contentType: of.type ?? make.TYPES[of.framing] });
  const gate = new Gate([seat("redact", wordGuard("zecret", "[hidden]")), seat("access", guard)], Number.POSITIVE_INFINITY);
  const out: Uint8Array[] = [];
  let stop: Stop | undefined;
  const take = (passed: Passed): void => {
    out.push(...passed.bytes);
    stop ??= passed.stop?.stop;
    if (passed.more) take(gate.resume());
  };
  for (const frame of readPieces(open({ name: of.name, codec: of.codec, context, bytes }), [bytes])) take(gate.push([frame]));
  take(gate.end([]));
  const text = Buffer.concat(out).toString("latin1");
  return { out: text.replaceAll(/"bytes":"([^"]*)"/g, (_all, inner: string) => Buffer.from(inner, "base64").toString()), stop };
}

/** Objects of a value with their paths. */
function* objectsOf(value: Json, path = ""): Generator<readonly [Members, string]> {
  if (typeof value !== "object" || value === null) return;
  // A copy that the test has made.
  if (!Array.isArray(value)) yield [value as Members, path];
  for (const [key, inner] of Object.entries(value)) yield* objectsOf(inner, `${path}/${key}`);
}

const functionCall = { id: "c", type: "function", function: { name: "wipe", arguments: "{}" }, name: "wipe", parameters: {} };
const toolUse = { toolUseId: "t", name: "wipe", input: {} };
const block = { type: "tool_use", id: "t", name: "wipe", input: {} };
const item = { type: "function_call", id: "f", call_id: "c", name: "wipe", arguments: "{}" };
const CALLS: Readonly<Members> = {
  tool_calls: [functionCall],
  function_call: { name: "wipe", arguments: "{}" },
  functionCall: { name: "wipe", args: {} },
  toolUse,
  content: [block, { toolUse }],
  output: [item],
  item,
  content_block: block,
  parts: [{ functionCall: { name: "wipe", args: {} } }],
  message: { role: "assistant", content: [block, { toolUse }], tool_calls: [functionCall] },
  delta: { tool_calls: [functionCall], toolUse, ...block },
  tool_call_delta: { name: "wipe", index: 0, parameters: "{}" },
  response: { tool_calls: [{ name: "wipe", parameters: {} }], output: [item] },
  start: { toolUse },
  candidates: [{ content: { parts: [{ functionCall: { name: "wipe", args: {} } }] } }],
  choices: [{ index: 0, delta: { tool_calls: [functionCall] }, message: { tool_calls: [functionCall] } }],
};
const TEXTS = [
  "content",
  "text",
  "delta",
  "thinking",
  "arguments",
  "tool_plan",
  "message",
  "parts",
  "input",
  "refusal",
  "output",
  "response",
];
/** Figures, whose names no dialect shares with texts; and JSON that is not the answer's own: arguments, and the caller's turns. */
const FIGURES = /usage|Usage|\/meta\b|[mM]etrics/;
const OTHERS = /\/(?:input|args|parameters|arguments)$|chat_history\/0/;
/** Settings that a response repeats, and what a server says that is no event of the API. */
const KNOWN = new Set(["/response +text", " +text", "openai.responses, whole +text"]);

for (const of of CASES)
  test(`in a member where none is read a call is judged, and a text seen: ${of.name}`, () => {
    assert.equal(run(of, of.events).stop, undefined);
    const missed: string[] = [];
    for (const [at, event] of of.events.entries())
      for (const [place, [, path]] of [...objectsOf(event)].entries()) {
        if (FIGURES.test(path) || (of.codec === bedrockConverseStream && path === "")) continue;
        for (const [key, value] of [...Object.entries(CALLS), ...TEXTS.map((text) => [text, "a zecret"] as const)]) {
          const isCall = typeof value === "object";
          if (isCall && OTHERS.test(path)) continue;
          const events = structuredClone(of.events);
          const [target] = [...objectsOf(events[at] ?? null)][place] ?? [];
          assert.ok(target !== undefined);
          const had = target[key];
          // What stands there already has a test of its own, and another kind of value makes another event of it.
          if (
            had !== undefined &&
            (isCall ? typeof had !== "object" || Array.isArray(had) !== Array.isArray(value) : typeof had === "object")
          )
            continue;
          target[key] = value;
          const { out, stop } = run(of, events);
          if (stop === undefined && (isCall ? out.includes('"wipe"') : out.includes("zecret"))) missed.push(`${path} +${key}`);
        }
      }
    const isConfig = (what: string): boolean => of.codec === openaiResponses && KNOWN.has(what);
    assert.deepEqual(
      [...new Set(missed)].filter((what) => !isConfig(what)),
      [],
    );
  });

test("what others said is no call of the answer: a history that is listed, a source that is cited, a trace", () => {
  const calls = { tool_calls: [functionCall], function_call: functionCall.function, items: [item] };
  const whole = (codec: Codec, body: Json) => ({
    ...CASES[0],
    name: codec.surface,
    codec,
    framing: "json" as const,
    events: [body],
    write: ([one = null]: Events) => make.json(one),
  });
  const listed = { object: "list", data: [{ ...item, name: "look" }], has_more: false };
  const v1 = {
    ...make.v1Body("hi", ONE),
    documents: [calls],
    citations: [{ start: 0, end: 1, text: "h", sources: [{ type: "tool", tool_output: calls }] }],
  };
  const body = make.converseOf("hi", ONE);
  for (const of of [
    whole(openaiResponsesInputItems, listed),
    whole(cohereChatV1, v1),
    whole(bedrockConverse, typeof body === "object" ? { ...body, trace: { calls } } : body),
  ])
    assert.equal(run(of, of.events).stop, undefined, of.name);
});

test("a call that is told once more is the one that was judged, or the answer ends", () => {
  const changed = (of: Case, change: (text: string) => string, from: number): Stop | undefined =>
    run(
      of,
      of.events.map((event, at): Json => (at < from ? event : JSON.parse(change(JSON.stringify(event))))),
    ).stop;
  const named = (text: string): string => text.replaceAll('"look"', '"peep"');
  const argued = (text: string): string => text.replaceAll('n\\":1', 'n\\":2').replaceAll('"n":1', '"n":2');
  const spaced = (text: string): string => text.replaceAll('n\\":1', 'n\\": 1');
  const responses = CASES.find(({ codec, framing }) => codec === openaiResponses && framing === "sse");
  const cohere = CASES.find(({ type }) => type !== undefined);
  assert.ok(responses !== undefined && cohere !== undefined);
  const done = responses.events.findIndex((event) => JSON.stringify(event).includes("arguments.done"));
  const generated = cohere.events.findIndex((event) => JSON.stringify(event).includes("tool-calls-generation"));
  for (const [of, from] of [
    [responses, done],
    [responses, responses.events.length - 1],
    [cohere, generated],
    [cohere, cohere.events.length - 1],
  ] as const) {
    assert.equal(changed(of, argued, from)?.denial.code, "content_blocked");
    assert.equal(changed(of, spaced, from), undefined);
    assert.equal(changed(of, named, from)?.denial.code, "content_blocked");
  }
});

test("arguments that come whole once the call is announced are those that are judged", () => {
  const seen: string[] = [];
  const judge: AnswerGuard = {
    judgesCall: () => true,
    judgeCall: ({ arguments: given }) => {
      seen.push(given);
      return { kind: "pass" };
    },
    evidence: () => undefined,
  };
  const call = (given: Json): Json => ({ type: "tool_search_call", id: "t", call_id: "c", execution: "client", arguments: given });
  const item = call({ query: "rates" });
  const bytes = make.sse(
    { type: "response.output_item.added", output_index: 0, item: call({}) },
    { type: "response.output_item.done", output_index: 0, item },
    { type: "response.completed", response: { id: "r", object: "response", status: "completed", output: [item] } },
  );
  const context = answerContext(view({ streaming: true, framing: "sse" }), { contentType: "text/event-stream" });
  const gate = new Gate([seat("access", judge)], Number.POSITIVE_INFINITY);
  gate.push(readPieces(open({ name: "", codec: openaiResponses, context, bytes }), [bytes]));
  assert.equal(gate.end([]).stop, undefined);
  assert.deepEqual(seen, ['{"query":"rates"}']);
});
