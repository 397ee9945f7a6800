/** The official SDKs with stand-ins between them and the provider: values in text and in arguments of tools come back, streams end well. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import Anthropic from "@anthropic-ai/sdk";
import { FunctionCallingConfigMode, GoogleGenAI } from "@google/genai";
import OpenAI from "openai";
import { BASIC_POLICY, type Gateway, startGateway } from "../support/gateway.ts";
import { drained } from "./support.ts";

const EMAIL = "jane.doe@acme-corp.com";
const TEXT = `[[sim echo]] write to ${EMAIL}, now`;
const PARAMETERS = { type: "object", properties: { to: { type: "string", enum: [EMAIL] } }, required: ["to"] };
const RULES = `
    redact: { profile: strict }
    output: { deny: [{ name: forbidden, words: [stop the presses], action: refuse }, { name: quiet, words: [be quiet], action: cut }] }
`;

let gateway: Gateway;
before(async () => {
  gateway = await startGateway({ policy: `${BASIC_POLICY.trimEnd()}${RULES}` });
});
after(() => gateway.stop());

/** What the provider got since the last look holds no value. */
function assertHidden(): void {
  const { requests } = gateway.simulator;
  assert.ok(requests.length > 0);
  for (const { body } of requests) assert.ok(!body.toString().includes("acme-corp"), body.toString());
}
const openai = () => new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: gateway.key(), maxRetries: 0 });
const anthropic = () => new Anthropic({ baseURL: gateway.url, apiKey: gateway.key(), maxRetries: 0 });
const google = () => new GoogleGenAI({ apiKey: gateway.key(), httpOptions: { baseUrl: gateway.url } });

test("OpenAI: text, structured output and a call, streamed", async () => {
  const model = "gpt-4o-mini";
  const messages = [{ role: "user" as const, content: TEXT }];
  const text = await drained(await openai().chat.completions.create({ model, stream: true, messages }));
  assert.equal(text.map((chunk) => chunk.choices[0]?.delta.content ?? "").join(""), TEXT);
  assert.equal(text.at(-1)?.choices[0]?.finish_reason, "stop");
  const tools = [{ type: "function" as const, function: { name: "get_mail", parameters: PARAMETERS } }];
  const call = await drained(
    await openai().chat.completions.create({
      model,
      stream: true,
      messages: [{ role: "user", content: "x" }],
      tools,
      tool_choice: "required",
    }),
  );
  const given = call.map((chunk) => chunk.choices[0]?.delta.tool_calls?.[0]?.function?.arguments ?? "").join("");
  assert.deepEqual(JSON.parse(given), { to: EMAIL });
  const shaped = await openai().chat.completions.create({
    model,
    messages: [{ role: "user", content: "x" }],
    response_format: {
      type: "json_schema",
      json_schema: { name: "mail", schema: { ...PARAMETERS, additionalProperties: false }, strict: true },
    },
  });
  assert.deepEqual(JSON.parse(shaped.choices[0]?.message.content ?? ""), { to: EMAIL });
  assertHidden();
});
test("Anthropic: text and a call, streamed", async () => {
  const ask = { model: "claude-haiku-4-5", max_tokens: 200 };
  const text = await anthropic()
    .messages.stream({ ...ask, messages: [{ role: "user", content: TEXT }] })
    .finalMessage();
  assert.deepEqual(
    text.content.map((block) => (block.type === "text" ? block.text : block.type)),
    [TEXT],
  );
  const tools = [{ name: "get_mail", input_schema: { ...PARAMETERS, type: "object" as const } }];
  const call = await anthropic()
    .messages.stream({ ...ask, messages: [{ role: "user", content: "x" }], tools, tool_choice: { type: "any" } })
    .finalMessage();
  assert.deepEqual(
    call.content.flatMap((block) => (block.type === "tool_use" ? [block.input] : [])),
    [{ to: EMAIL }],
  );
  assert.equal(call.stop_reason, "tool_use");
  assertHidden();
});
test("Gemini: text and a call, streamed", async () => {
  const model = "gemini-2.5-flash";
  const text = await drained(await google().models.generateContentStream({ model, contents: TEXT }));
  assert.equal(text.map((chunk) => chunk.text ?? "").join(""), TEXT);
  const tools = [{ functionDeclarations: [{ name: "get_mail", parametersJsonSchema: PARAMETERS }] }];
  const toolConfig = { functionCallingConfig: { mode: FunctionCallingConfigMode.ANY } };
  const call = await drained(await google().models.generateContentStream({ model, contents: "x", config: { tools, toolConfig } }));
  assert.deepEqual(
    call.flatMap((chunk) => chunk.functionCalls ?? []).map(({ args }) => args),
    [{ to: EMAIL }],
  );
  assertHidden();
});

test("an answer that a rule ends: each SDK raises its error, or reads a finished answer", async () => {
  const bad = "[[sim echo]] well now stop the presses at once";
  const quiet = "[[sim echo]] well now be quiet at once";
  const chat = (content: string) =>
    openai().chat.completions.create({ model: "gpt-4o-mini", stream: true, messages: [{ role: "user", content }] });
  await assert.rejects(async () => drained(await chat(bad)), /forbidden/);
  const cut = await drained(await chat(quiet));
  assert.equal(cut.map((chunk) => chunk.choices[0]?.delta.content ?? "").join(""), "[[sim echo]] well now ");
  assert.equal(cut.findLast((chunk) => chunk.choices.length > 0)?.choices[0]?.finish_reason, "content_filter");
  const message = (content: string) =>
    anthropic()
      .messages.stream({ model: "claude-haiku-4-5", max_tokens: 200, messages: [{ role: "user", content }] })
      .finalMessage();
  await assert.rejects(() => message(bad), /forbidden/);
  assert.equal((await message(quiet)).stop_reason, "refusal");
  const gemini = (contents: string) => google().models.generateContentStream({ model: "gemini-2.5-flash", contents });
  await assert.rejects(async () => drained(await gemini(bad)));
  assert.notEqual((await drained(await gemini(quiet))).at(-1)?.candidates?.[0]?.finishReason, "STOP");
});
test("no value in any record", async () => {
  const records = JSON.stringify(await gateway.records(8));
  assert.ok(records.includes('"entity":"email"'));
  assert.ok(!records.includes("acme-corp"));
});
