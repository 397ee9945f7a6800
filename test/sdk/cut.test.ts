/**
 * A stream that Sluice ends at its cap, through a real Envoy, as each SDK reads it: a normal end, by length; and the provider's side,
 * which learns of it by its connection's close.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import Anthropic from "@anthropic-ai/sdk";
import { GoogleGenAI } from "@google/genai";
import OpenAI from "openai";
import { type Gateway, startGateway } from "../support/gateway.ts";

const POLICY = `
apiVersion: sluice/v1
version: "cut.1"
providers:
  openai: { format: openai, baseUrl: "\${SIM}/v1", credential: { env: SIM_KEY } }
  anthropic: { format: anthropic, baseUrl: "\${SIM}", credential: { env: SIM_KEY } }
  gemini: { format: gemini, baseUrl: "\${SIM}", credential: { env: SIM_KEY } }
models:
  gpt-4o-mini: { targets: [{ provider: openai, model: gpt-4o-mini }], price: { input: 1, output: 1000 } }
  o4-mini: { targets: [{ provider: openai, model: o4-mini }], price: { input: 1, output: 1000 } }
  claude-haiku-4-5: { targets: [{ provider: anthropic, model: claude-haiku-4-5 }], price: { input: 1, output: 1000 } }
  gemini-2.0-flash: { targets: [{ provider: gemini, model: gemini-2.0-flash }], price: { input: 1, output: 1000 } }
tenants:
  acme:
    apps:
      bot: { credentials: [{ apiKey: { id: k1, sha256: "\${KEY:acme/bot}" } }], useCases: [chat] }
      read: { credentials: [{ apiKey: { id: k2, sha256: "\${KEY:acme/read}" } }], useCases: [read] }
useCases:
  read: { access: { models: ["*"] }, output: { deny: [{ name: colour, words: [purple], action: replace }], replaceWith: "[gone]" } }
  chat: { access: { models: ["*"] }, caps: { outputTokensMax: 60, onExceeded: cut }, budgets: [{ window: day, usd: 1000 }] }
`;
/** The simulator goes on for this many tokens, one each few milliseconds, whatever anybody wants. */
const PROMPT = "Please talk [[sim tokens=600 token-delay=4]]";
const CAP = 60;

let gateway: Gateway;
before(async () => {
  gateway = await startGateway({ policy: POLICY });
});
after(() => gateway.stop());

interface Ended {
  /** Output tokens, as the SDK says. */
  readonly output: number | undefined;
  readonly text: string;
  readonly finish: string | null | undefined;
}
const ways: readonly (readonly [string, () => Promise<Ended>, string])[] = [
  [
    "openai chat",
    async () => {
      const openai = new OpenAI({ apiKey: gateway.key(), baseURL: `${gateway.url}/v1`, maxRetries: 0 });
      const stream = openai.chat.completions.stream({
        ...{ model: "gpt-4o-mini", messages: [{ role: "user", content: PROMPT }], stream_options: { include_usage: true } },
      });
      const { choices, usage } = await stream.finalChatCompletion();
      return { output: usage?.completion_tokens, text: choices[0]?.message.content ?? "", finish: choices[0]?.finish_reason };
    },
    "length",
  ],
  [
    "openai responses",
    async () => {
      const openai = new OpenAI({ apiKey: gateway.key(), baseURL: `${gateway.url}/v1`, maxRetries: 0 });
      const stream = openai.responses.stream({ model: "gpt-4o-mini", input: PROMPT, store: false });
      const answer = await stream.finalResponse();
      return { output: answer.usage?.output_tokens, text: answer.output_text, finish: answer.incomplete_details?.reason };
    },
    "max_output_tokens",
  ],
  [
    "anthropic messages",
    async () => {
      const anthropic = new Anthropic({ apiKey: gateway.key(), baseURL: gateway.url, maxRetries: 0 });
      const stream = anthropic.messages.stream({
        model: "claude-haiku-4-5",
        max_tokens: 1000,
        messages: [{ role: "user", content: PROMPT }],
      });
      const message = await stream.finalMessage();
      return {
        output: message.usage.output_tokens,
        text: message.content.map((block) => (block.type === "text" ? block.text : "")).join(""),
        finish: message.stop_reason,
      };
    },
    "max_tokens",
  ],
  [
    "google generateContent",
    async () => {
      const google = new GoogleGenAI({ apiKey: gateway.key(), httpOptions: { baseUrl: gateway.url } });
      let text = "";
      let finish: string | undefined;
      let output: number | undefined;
      for await (const chunk of await google.models.generateContentStream({ model: "gemini-2.0-flash", contents: PROMPT })) {
        text += chunk.text ?? "";
        finish = chunk.candidates?.[0]?.finishReason ?? finish;
        output = chunk.usageMetadata?.candidatesTokenCount ?? output;
      }
      return { output, text, finish };
    },
    "MAX_TOKENS",
  ],
];

/** Two choices of a whole answer; the word that is not allowed stands in the second. */
const said = ["Green is fine.", "I like purple a lot."] as const;
test("a whole answer of several choices that is ended: each keeps what it had said, and only what was ended says so", async () => {
  const whole = (members: object) => ({ status: 200, headers: { "content-type": "application/json" }, chunks: [JSON.stringify(members)] });
  const openai = new OpenAI({ apiKey: gateway.key("acme/read"), baseURL: `${gateway.url}/v1`, maxRetries: 0 });
  const google = new GoogleGenAI({ apiKey: gateway.key("acme/read"), httpOptions: { baseUrl: gateway.url } });
  try {
    const usage = { prompt_tokens: 3, completion_tokens: 9, total_tokens: 12 };
    const choices = said.map((content, index) => ({ index, message: { role: "assistant", content }, finish_reason: "stop" }));
    gateway.simulator.respondWith(() => whole({ id: "chatcmpl-1", object: "chat.completion", model: "gpt-4o-mini", choices, usage }));
    const chat = await openai.chat.completions.create({ model: "gpt-4o-mini", n: 2, messages: [{ role: "user", content: "Colours?" }] });
    assert.deepEqual(
      chat.choices.map(({ message, finish_reason }) => [message.content, finish_reason]),
      [
        ["Green is fine.", "stop"],
        ["I like [gone]", "content_filter"],
      ],
    );
    const candidates = said
      .map((text, index) => ({ index, content: { role: "model", parts: [{ text }] }, finishReason: "STOP" }))
      .reverse();
    gateway.simulator.respondWith(() =>
      whole({ candidates: candidates.map((one, index) => ({ ...one, index })), usageMetadata: { promptTokenCount: 3 } }),
    );
    const config = { candidateCount: 2 };
    const found = await google.models.generateContent({ model: "gemini-2.0-flash", contents: "Colours?", config });
    assert.deepEqual(
      found.candidates?.map(({ content, finishReason }) => [content?.parts?.[0]?.text, finishReason]),
      [
        ["I like [gone]", "SAFETY"],
        ["[gone]", "SAFETY"],
      ],
      "what came behind the end is not said",
    );
  } finally {
    gateway.simulator.respondWith(undefined);
  }
});

test("an answer of the Responses API that keeps its cap is whole, although each text comes several times", async () => {
  const openai = new OpenAI({ apiKey: gateway.key(), baseURL: `${gateway.url}/v1`, maxRetries: 0 });
  for (const tokens of [15, 25, 45]) {
    const input = `Please talk [[sim tokens=${tokens} token-delay=2]]`;
    const { data, response } = await openai.responses.create({ model: "gpt-4o-mini", input, stream: true, store: false }).withResponse();
    let text = "";
    let status: string | undefined;
    for await (const event of data) {
      if (event.type === "response.output_text.delta") text += event.delta;
      if (event.type === "response.completed" || event.type === "response.incomplete") status = event.response.status;
    }
    assert.equal(status, "completed");
    assert.ok(text.length > tokens);
    const record = await gateway.record(response.headers.get("x-ai-request-id") ?? "");
    assert.equal(record.ending, "served");
    assert.equal(record.usage?.outputTokens, tokens, "as the provider counted it");
    assert.equal(record.cost?.estimated, false);
  }
});

test("a model that thinks unseen is told the cap, which its thoughts count against", async () => {
  const openai = new OpenAI({ apiKey: gateway.key(), baseURL: `${gateway.url}/v1`, maxRetries: 0 });
  const messages = [{ role: "user", content: PROMPT }] as const;
  const stream = openai.chat.completions.stream({ model: "o4-mini", reasoning_effort: "high", messages: [...messages] });
  const { choices } = await stream.finalChatCompletion();
  assert.equal(choices[0]?.finish_reason, "length");
  const record = (await gateway.records(1)).at(-1);
  assert.equal(record?.usage?.outputTokens, CAP);
  assert.equal(record.ending, "served");
});

for (const [name, call, finish] of ways)
  test(`${name}: cut at the cap, read as a normal end`, async (t) => {
    const from = gateway.simulator.requests.length;
    const ended = await call();
    assert.equal(ended.finish, finish);
    const words = ended.text.match(/\s*\S+/g)?.length ?? 0;
    // One token is one word here; the estimate of the cap's place is not exact, and never far too early.
    assert.ok(words >= CAP * 0.6 && words <= CAP * 1.25, `${words} words for a cap of ${CAP}`);
    const sent = gateway.simulator.requests.slice(from).at(-1);
    assert.ok(sent !== undefined);
    for (let waited = 0; sent.endedAt === undefined && waited < 3_000; waited += 10) await sleep(10);
    assert.equal(sent.closedEarly, true, "the provider's connection was closed before its end");
    const record = (await gateway.records(1)).at(-1);
    assert.equal(record?.ending, "cut");
    assert.equal(record?.code, "cost_cap");
    assert.equal(record?.decision, "degraded");
    const charged = record?.usage?.outputTokens ?? 0;
    t.diagnostic(
      `cap ${CAP}: the caller got ${words} tokens, the provider made ${sent.tokensSent}: overshoot ${sent.tokensSent - CAP}; charged ${charged}`,
    );
    // Gemini's own running count stays.
    if (finish === "MAX_TOKENS") assert.ok((ended.output ?? 0) > words / 2);
    else assert.equal(ended.output, charged, "the usage that the caller is told is the one that is charged");
    assert.ok(sent.tokensSent < 200, `the provider went on to token ${sent.tokensSent}`);
    assert.ok(charged >= words * 0.7 && charged < 200);
  });
