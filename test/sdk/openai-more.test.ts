/** The official `openai` package on everything beside chat, through a real Envoy; `AzureOpenAI` too. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import OpenAI, { AzureOpenAI, toFile } from "openai";
import { type Gateway, startGateway } from "../support/gateway.ts";
import { caught, drained, refused, served } from "./support.ts";

const POLICY = `
apiVersion: sluice/v1
version: "sdk.2"
providers:
  openai: { format: openai, baseUrl: "\${SIM}/v1", credential: { env: SIM_KEY } }
models:
  gpt-4o-mini: { targets: [{ provider: openai, model: gpt-4o-mini }], price: { input: "0.15", output: "0.6" } }
  gpt-3.5-turbo-instruct: { targets: [{ provider: openai, model: gpt-3.5-turbo-instruct }], price: { input: "1.5", output: 2 } }
  gpt-image-1: { targets: [{ provider: openai, model: gpt-image-1 }], price: { input: 5, output: 40, imageInput: 10 } }
  dall-e-2: { targets: [{ provider: openai, model: dall-e-2 }], price: { image: "0.02" } }
  tts-1: { targets: [{ provider: openai, model: tts-1 }], price: { character: 15 } }
  whisper-1: { targets: [{ provider: openai, model: whisper-1 }], price: { second: "0.0001" } }
  gpt-4o-transcribe: { targets: [{ provider: openai, model: gpt-4o-transcribe }], price: { input: "2.5", output: 10 } }
  omni-moderation-latest: { targets: [{ provider: openai, model: omni-moderation-latest }], price: { input: 0 } }
tenants:
  acme:
    apps:
      bot: { credentials: [{ apiKey: { id: bot, sha256: "\${KEY:acme/bot}" } }], useCases: [all] }
      crm: { credentials: [{ apiKey: { id: crm, sha256: "\${KEY:acme/crm}" } }], useCases: [all] }
useCases:
  all: { access: { operations: [chat, image, audio], models: ["*"] }, route: { retry: { attempts: 1 } } }
`;

let gateway: Gateway;
let openai: OpenAI;
const free = { cost: undefined };

before(async () => {
  gateway = await startGateway({ policy: POLICY });
  openai = new OpenAI({ apiKey: gateway.key("acme/bot"), baseURL: `${gateway.url}/v1` });
});
after(() => gateway.stop());

const sound = () => toFile(Buffer.alloc(4_000, "\x00\xff\r\n--", "latin1"), "Gespräch.wav");
const picture = (name: string) => toFile(Buffer.alloc(2_000, "\x89PNG\r\n", "latin1"), name);
const tokens = (usage: { input_tokens?: number; output_tokens?: number } | undefined): object => ({
  inputTokens: usage?.input_tokens,
  outputTokens: usage?.output_tokens,
});

describe("completions before chat", () => {
  const model = "gpt-3.5-turbo-instruct";
  test("whole", async () => {
    const { result, record } = await served(gateway, { surface: "openai.completions" }, () =>
      openai.completions.create({ model, prompt: "Once", max_tokens: 5 }),
    );
    assert.equal(result.choices[0]?.finish_reason, "length");
    assert.deepEqual(
      [record.usage?.inputTokens, record.usage?.outputTokens],
      [result.usage?.prompt_tokens, result.usage?.completion_tokens],
    );
  });
  test("streamed, without usage for a caller that asked for none", async () => {
    const { result, record } = await served(gateway, { streaming: true, usage: { outputTokens: 6 } }, async () =>
      drained(await openai.completions.create({ model, prompt: ["Once", "Twice"], max_tokens: 3, stream: true })),
    );
    assert.ok(result.every((chunk) => !("usage" in chunk)));
    assert.deepEqual(record.answer?.finishReasons, ["length", "length"]);
  });
});

describe("images", () => {
  test("from a prompt", async () => {
    const { result, record } = await served(gateway, { surface: "openai.images.generations", usage: { images: 2 } }, () =>
      openai.images.generate({ model: "gpt-image-1", prompt: "a door", n: 2 }),
    );
    assert.equal(result.data?.length, 2);
    assert.deepEqual({ inputTokens: record.usage?.inputTokens, outputTokens: record.usage?.outputTokens }, tokens(result.usage));
  });
  test("from a prompt, as they come", async () => {
    const { result, record } = await served(gateway, { streaming: true }, async () =>
      drained(await openai.images.generate({ model: "gpt-image-1", prompt: "a door", stream: true, partial_images: 2 })),
    );
    assert.deepEqual(
      result.map(({ type }) => type),
      ["image_generation.partial_image", "image_generation.partial_image", "image_generation.completed"],
    );
    const last = result.at(-1);
    assert.ok(last?.type === "image_generation.completed");
    assert.equal(record.usage?.outputTokens, last.usage.output_tokens);
  });
  test("edited from two files", async () => {
    const { result, record, sent } = await served(gateway, { surface: "openai.images.edits" }, async () =>
      openai.images.edit({ model: "gpt-image-1", prompt: "blue", image: [await picture("a.png"), await picture("b.png")] }),
    );
    assert.deepEqual({ inputTokens: record.usage?.inputTokens, outputTokens: record.usage?.outputTokens }, tokens(result.usage));
    assert.equal(sent[0]?.body.length, record.bytes.request, "the form passed as it was");
    assert.equal(record.bytes.requestSent, undefined);
  });
  test("varied", async () => {
    await served(gateway, { surface: "openai.images.variations", cost: { nanoUsd: 40_000_000 } }, async () =>
      openai.images.createVariation({ image: await picture("a.png"), n: 2 }),
    );
  });
});

describe("audio", () => {
  test("speech arrives byte by byte as the provider made it", async () => {
    const { result } = await served(gateway, { surface: "openai.audio.speech", usage: { characters: 9 } }, async () => {
      const response = await openai.audio.speech.create({ model: "tts-1", voice: "alloy", input: "Hello you" });
      return Buffer.from(await response.arrayBuffer());
    });
    assert.equal(result.length, 4_100);
    assert.deepEqual([...result.subarray(0, 4)], [0xff, 0xfb, 0x90, 0]);
  });
  test("transcribed, with the contract in the form", async () => {
    const { result, record, sent } = await served(gateway, { surface: "openai.audio.transcriptions", useCase: "all" }, async () => {
      const body = { model: "whisper-1", file: await sound(), ai_use_case: "all", metadata: { ai_channel: "phone" } };
      return openai.audio.transcriptions.create(body);
    });
    assert.ok(result.usage?.type === "duration");
    assert.equal(record.usage?.seconds, result.usage.seconds);
    assert.equal(record.channel, "phone");
    assert.ok(!/ai_/.test(sent[0]?.body.toString("latin1") ?? "ai_"));
  });
  test("transcribed as it is heard", async () => {
    const { result, record } = await served(gateway, { streaming: true }, async () =>
      drained(await openai.audio.transcriptions.create({ model: "gpt-4o-transcribe", file: await sound(), stream: true })),
    );
    const last = result.at(-1);
    assert.ok(last?.type === "transcript.text.done" && last.usage !== undefined);
    assert.deepEqual({ inputTokens: record.usage?.inputTokens, outputTokens: record.usage?.outputTokens }, tokens(last.usage));
  });
  test("translated", async () => {
    const { result } = await served(gateway, { surface: "openai.audio.translations" }, async () =>
      openai.audio.translations.create({ model: "whisper-1", file: await sound(), response_format: "verbose_json" }),
    );
    assert.ok("duration" in result);
  });
});

test("moderations are free", async () => {
  const { result } = await served(gateway, { surface: "openai.moderations", ...free }, () =>
    openai.moderations.create({ input: ["one", "two"] }),
  );
  assert.equal(result.results.length, 2);
});

describe("kept responses", () => {
  const model = "gpt-4o-mini";
  test("one life: made, continued, read, streamed, listed, deleted, gone", async () => {
    const made = await served(gateway, {}, () => openai.responses.create({ model, input: "first" }));
    const id = made.result.id;
    await served(gateway, {}, () => openai.responses.create({ model, input: "second", previous_response_id: id }));
    const read = await served(gateway, { surface: "openai.responses.get", ...free }, () => openai.responses.retrieve(id));
    assert.equal(read.result.output_text, `Simulated answer kept as ${id}`);
    const streamed = await served(gateway, { streaming: true, ...free }, async () =>
      drained(await openai.responses.retrieve(id, { stream: true })),
    );
    assert.equal(streamed.result.at(-1)?.type, "response.completed");
    const items = await served(gateway, { surface: "openai.responses.input_items", ...free }, async () =>
      drained(await openai.responses.inputItems.list(id)),
    );
    assert.equal(items.result.length, 1);
    await served(gateway, { surface: "openai.responses.cancel", ...free }, () => openai.responses.cancel(id));
    await served(gateway, { surface: "openai.responses.delete", ...free }, () => openai.responses.delete(id));
    const gone = await refused(gateway, "forbidden", () => openai.responses.retrieve(id));
    assert.ok(gone.error instanceof OpenAI.PermissionDeniedError);
  });
  test("a streamed response can be referred to while it runs, by its maker alone", async () => {
    let id = "";
    const crm = new OpenAI({ apiKey: gateway.key("acme/crm"), baseURL: `${gateway.url}/v1`, maxRetries: 0 });
    for await (const event of await openai.responses.create({ model, input: "[[sim tokens=60 token-delay=20]] go", stream: true })) {
      if (event.type !== "response.created") continue;
      id = event.response.id;
      assert.equal((await openai.responses.retrieve(id)).id, id);
      assert.ok((await caught(() => crm.responses.retrieve(id))) instanceof OpenAI.PermissionDeniedError);
    }
    assert.notEqual(id, "");
  });
  test("tokens counted, a conversation made shorter", async () => {
    await gateway.records(0);
    const count = await served(gateway, { surface: "openai.responses.input_tokens", ...free }, () =>
      openai.responses.inputTokens.count({ model, input: "count me" }),
    );
    assert.equal(count.record.usage?.inputTokens, count.result.input_tokens);
    await served(gateway, { surface: "openai.responses.compact" }, () => openai.responses.compact({ model, input: "long" }));
  });
});

describe("AzureOpenAI", () => {
  test("chat, forms and responses, with its own key header and paths", async () => {
    const azure = new AzureOpenAI({ apiKey: gateway.key("acme/bot"), baseURL: `${gateway.url}/openai`, apiVersion: "2024-10-21" });
    const chat = await served(gateway, { path: "/openai/deployments/gpt-4o-mini/chat/completions" }, () =>
      azure.chat.completions.create({ model: "gpt-4o-mini", messages: [{ role: "user", content: "hi" }] }),
    );
    assert.equal(chat.sent[0]?.path, "/v1/chat/completions");
    await served(gateway, { surface: "openai.audio.transcriptions" }, async () =>
      azure.audio.transcriptions.create({ model: "whisper-1", file: await sound() }),
    );
    await served(gateway, { path: "/openai/responses" }, () => azure.responses.create({ model: "gpt-4o-mini", input: "hi" }));
  });
});
