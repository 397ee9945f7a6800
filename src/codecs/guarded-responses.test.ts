/** What guards see of responses, and the ends and answers that Sluice makes there, read by the official SDK. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import OpenAI from "openai";
import { answerContext, fixture, parseRequest } from "../../test/support/answers.ts";
import { bytesOf, readPieces, serving } from "../../test/support/codec-runs.ts";
import { view } from "../../test/support/context.ts";
import { type GuardedCase, laneOf, lanesOf, open, rewritten } from "../../test/support/guarded.ts";
import type { Frame, Said } from "../core/codec.ts";
import { field, type Json } from "../core/json.ts";
import { openaiResponses } from "./openai-responses.ts";

const of = (bytes: Buffer, framing: "sse" | "json" = "sse"): GuardedCase => ({
  name: "responses",
  codec: openaiResponses,
  context: answerContext(view({ streaming: framing === "sse", framing })),
  bytes,
});
const sse = (...events: readonly Json[]): Buffer =>
  Buffer.from(events.map((json) => `event: ${String(field(json, "type"))}\ndata: ${JSON.stringify(json)}\n\n`).join(""));
const framesOf = (bytes: Buffer, framing?: "sse" | "json"): readonly Frame[] => readPieces(open(of(bytes, framing)), [bytes]);
const STREAM = fixture("openai.responses/stream.sse");
const clientOf = (baseUrl: string): OpenAI => new OpenAI({ apiKey: "k", baseURL: `${baseUrl}/v1`, maxRetries: 0 });

test("every text that comes once more repeats its lane, and lanes, joined, are what the SDK accumulates", async () => {
  const frames = framesOf(STREAM);
  const deltas = frames.flatMap((frame) => frame.deltas);
  const lanes = lanesOf(deltas);
  const repeats = deltas.filter(({ repeats: again }) => again === true);
  const whole = repeats.filter((delta) => delta.text === lanes[laneOf(delta)]);
  for (const lane of Object.keys(lanes)) {
    // In the response at the end, and most of them in an event of their own and in the item before.
    const times = whole.filter((delta) => laneOf(delta) === lane).length;
    assert(times >= (lane === "0.4.tool_arguments" ? 1 : 2), `${lane} is repeated`);
  }
  const final = await serving(STREAM, (url) => clientOf(url).responses.stream({ model: "m", input: "x" }).finalResponse());
  for (const [at, item] of final.output.entries()) {
    if (item.type === "function_call") assert.equal(lanes[`0.${at}.tool_arguments`], item.arguments);
    if (item.type === "message" && item.content[0]?.type === "output_text") assert.equal(lanes[`0.${at}.content`], item.content[0].text);
  }
});

test("texts that guards change are changed wherever they stand; the SDK sees only the new ones", async () => {
  const frames = framesOf(STREAM);
  const lanes = lanesOf(frames.flatMap((frame) => frame.deltas));
  const shout = (text: string): string => text.toUpperCase().replaceAll("Ü", "UE");
  const { bytes } = rewritten(frames, (delta) => shout(delta.text));
  await serving(bytes, async (url) => {
    const final = await clientOf(url).responses.stream({ model: "m", input: "x" }).finalResponse();
    assert.equal(final.output_text, shout(lanes["0.1.content"] ?? ""));
    for await (const event of await clientOf(url).responses.create({ model: "m", input: "x", stream: true })) {
      if (event.type === "response.completed") assert.equal(event.response.output_text ?? "", "");
      if (event.type === "response.output_text.done") assert.equal(event.text, shout(event.text));
    }
  });
  assert(!bytes.toString().includes("Zürich"));
});

test("calls come with their item, and lanes end with their done events", () => {
  const item = { type: "function_call", id: "fc", call_id: "call_1", name: "f", arguments: "", status: "in_progress" };
  const frames = framesOf(
    sse(
      { type: "response.output_item.added", output_index: 3, item },
      { type: "response.function_call_arguments.delta", output_index: 3, item_id: "fc", delta: '{"a":' },
      { type: "response.function_call_arguments.delta", output_index: 3, item_id: "fc", delta: "1}" },
      { type: "response.function_call_arguments.done", output_index: 3, item_id: "fc", arguments: '{"a":1}' },
      { type: "response.output_item.done", output_index: 3, item: { ...item, arguments: '{"a":1}', status: "completed" } },
      { type: "response.completed", response: { id: "r", status: "completed", output: [{ ...item, arguments: '{"a":1}' }] } },
    ),
  );
  assert.deepEqual(
    frames.map(({ calls, ends, deltas }) => [
      calls?.map(({ block, name, id }) => `${block} ${name} ${id}`),
      deltas.map(({ text, repeats }) => `${repeats === true ? "again " : ""}${text}`).join(),
      ends === "all" ? ends : ends?.map(laneOf),
    ]),
    [
      [["3 f call_1"], "", undefined],
      [undefined, '{"a":', undefined],
      [undefined, "1}", undefined],
      [undefined, 'again {"a":1}', ["0.3.tool_arguments"]],
      [undefined, 'again {"a":1}', undefined],
      [undefined, 'again {"a":1}', "all"],
    ],
  );
});

test("annotations and log-probabilities go with their text; what tools found, and new kinds, are seen; the echo of the request as such", () => {
  const annotations = [{ type: "url_citation", title: "titled", url: "https://x/", start_index: 0, end_index: 3 }];
  const logprobs = [{ token: "Ann", logprob: -1, bytes: [65], top_logprobs: [] }];
  const output = [
    { type: "message", id: "m", role: "assistant", content: [{ type: "output_text", text: "Ann", annotations, logprobs }] },
    { type: "file_search_call", id: "f", queries: ["asked"], results: [{ file_id: "file", filename: "named", text: "found", score: 1 }] },
    { type: "mcp_call", id: "c", name: "t", server_label: "s", arguments: "{}", output: "told" },
    { type: "code_interpreter_call", id: "i", code: "print()", outputs: [{ type: "logs", logs: "printed" }], container_id: "cntr" },
    { type: "computer_call", id: "p", call_id: "p", action: { type: "type", text: "typed" } },
    { type: "shell_call", id: "s", call_id: "s", action: { commands: ["ls", "pwd"], timeout_ms: 1 } },
    { type: "new_kind", id: "n", words: ["new"] },
  ];
  const text = JSON.stringify({ id: "r", object: "response", status: "completed", instructions: "echo", output });
  const [frame] = framesOf(Buffer.from(text), "json");
  assert(frame?.rewrite !== undefined);
  const shown = frame.deltas.map(
    ({ block, channel, repeats, raw, text: said }) =>
      `${block} ${repeats === true && channel !== "echo" ? "beside" : channel}${raw === true ? " raw" : ""}: ${said}`,
  );
  assert.deepEqual(shown.toSorted(), [
    "0 beside: https://x/",
    "0 beside: titled",
    "0 content: Ann",
    "0 echo: echo",
    "1 beside: asked",
    "1 beside: found",
    "1 beside: named",
    "1048581 tool_arguments: pwd",
    "2 beside: told",
    "2 tool_arguments: {}",
    "3 beside: printed",
    "3 tool_arguments: print()",
    '4 tool_arguments raw: {"type":"type","text":"typed"}',
    "5 tool_arguments: ls",
    "6 beside: new",
  ]);
  assert.deepEqual(
    frame.calls?.map(({ block, name }) => `${block} ${name}`),
    ["1 file_search", "2 t", "3 code_interpreter", "4 computer", "5 shell", "1048581 shell"],
  );
  const changed = Buffer.from(frame.rewrite(frame.deltas.map((delta) => (delta.text === "Ann" ? "X" : undefined)))).toString();
  const bare = text.replace('"text":"Ann"', '"text":"X"');
  assert.equal(changed, bare.replace(JSON.stringify(annotations), "[]").replace(JSON.stringify(logprobs), "[]"));
  const other = Buffer.from(frame.rewrite(frame.deltas.map((delta) => (delta.text === "told" ? "X" : undefined)))).toString();
  assert.equal(other, text.replace('"told"', '"X"'));
});

describe("ends and answers that Sluice makes, read by the openai package", () => {
  const whole = framesOf(STREAM);
  test("filtered, after any number of events: what was said, in the open message or one of its own, and why", async () => {
    for (let count = 0; count < whole.length; count++) {
      const released = bytesOf(whole.slice(0, count));
      const reader = open(of(released));
      reader.push(released);
      const tail = reader.tail({ kind: "filtered", text: 'Not "this".' });
      assert.deepEqual(reader.tail({ kind: "filtered", text: 'Not "this".' }), tail, "asked twice, said once");
      await serving(Buffer.concat([released, tail]), async (url) => {
        const final = await clientOf(url).responses.stream({ model: "m", input: "x" }).finalResponse();
        assert.deepEqual([final.status, final.incomplete_details?.reason], ["incomplete", "content_filter"]);
        const before = lanesOf(whole.slice(0, count).flatMap(({ deltas }) => deltas))["0.1.content"] ?? "";
        const texts = final.output.flatMap((item) =>
          item.type === "message" ? item.content.map((part) => (part.type === "output_text" ? part.text : "")) : [],
        );
        assert.equal(texts.join(""), `${before}Not "this".`, `after ${count} events`);
        const types: string[] = [];
        let sequence = -1;
        for await (const event of await clientOf(url).responses.create({ model: "m", input: "x", stream: true })) {
          assert.equal(event.sequence_number, ++sequence);
          types.push(event.type);
        }
        for (const kind of ["response.output_item", "response.content_part"]) {
          const countOf = (type: string) => types.filter((one) => one === type).length;
          assert.equal(countOf(`${kind}.added`), countOf(`${kind}.done`), kind);
        }
      });
    }
  });

  test("a whole answer, as JSON and as a stream", async () => {
    const used = { inputTokens: 12, outputTokens: 7, cachedInputTokens: 4, reported: {} };
    const said: Said = { text: 'We are "busy".\n', model: "gpt-x", id: "e1-2", createdUnixS: 1_700_000_000, finish: "stop" };
    for (const stream of [false, true]) {
      for (const [finish, why] of [
        ["stop", undefined],
        ["length", "max_output_tokens"],
        ["filtered", "content_filter"],
      ] as const) {
        const request = parseRequest(openaiResponses, { model: "gpt-x", input: "x", stream });
        const { contentType, body } =
          openaiResponses.renderAnswer?.(request, { ...said, finish, usage: finish === "stop" ? undefined : used }) ?? assert.fail();
        await serving(
          body,
          async (url) => {
            const answer = stream
              ? await clientOf(url).responses.stream({ model: "m", input: "x" }).finalResponse()
              : await clientOf(url).responses.create({ model: "m", input: "x" });
            assert.deepEqual([answer.id, answer.model, answer.output_text], ["resp_e12", "gpt-x", said.text]);
            assert.deepEqual([answer.status, answer.incomplete_details?.reason], [why === undefined ? "completed" : "incomplete", why]);
            assert.equal(answer.usage?.total_tokens, finish === "stop" ? 0 : 19);
          },
          contentType,
        );
        const reader = openaiResponses.openAnswer?.(answerContext(request.view, { contentType })) ?? assert.fail();
        readPieces(reader, [body]);
        const { complete, invalidEvents, unknownEvents } = reader.summary();
        assert.deepEqual([complete, invalidEvents, unknownEvents], [true, 0, 0]);
      }
    }
  });
});
