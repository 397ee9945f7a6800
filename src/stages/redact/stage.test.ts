import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { readRequest } from "../../../test/support/codec-runs.ts";
import { context } from "../../../test/support/context.ts";
import { frameOf, gated, LANE } from "../../../test/support/guards.ts";
import { testKeyring } from "../../../test/support/keyring.ts";
import { property } from "../../../test/support/property.ts";
import { ask, contents, run } from "../../../test/support/redact.ts";
import { assertSubset } from "../../../test/support/subset.ts";
import { anthropicMessages } from "../../codecs/anthropic-messages.ts";
import { bedrockConverse } from "../../codecs/bedrock-converse.ts";
import { bedrockInvoke } from "../../codecs/bedrock-invoke.ts";
import { geminiGenerate } from "../../codecs/gemini-generate.ts";
import { openaiChat } from "../../codecs/openai-chat.ts";
import { openaiEmbeddings } from "../../codecs/openai-embeddings.ts";
import { openaiResponses } from "../../codecs/openai-responses.ts";
import { keptResponseView } from "../../codecs/shared/responses-kept.ts";
import type { Codec } from "../../core/codec.ts";
import { ok } from "../../core/result.ts";
import type { StageContext, Verdict } from "../../core/stage.ts";
import type { LaneId } from "../../core/view.ts";
import type { WorkGuard } from "../../pipeline/work.ts";
import { redactStage } from "./stage.ts";

const EMAIL = "jane.doe@acme-corp.com";
const CARD = "4012 8888 8888 1881";
const PHONE = "+1 (415) 623-2671";
const IBAN = "DE89 3704 0044 0532 0130 00";

/** What the caller gets of an answer of these pieces. */
const answered = (guards: readonly WorkGuard[], pieces: readonly string[], lane: LaneId = LANE): string =>
  gated(
    guards,
    pieces.map((text) => ({
      bytes: Buffer.from(text),
      deltas: [{ ...lane, text }],
      rewrite: ([other]) => Buffer.from(other ?? text),
    })),
  ).out;

test("values get stand-ins of their form, and what the model says of them comes back as they were", async () => {
  const { sent, guards } = await run(ask(`I am ${EMAIL}, call ${PHONE}, card ${CARD}, account ${IBAN}.`));
  for (const value of [EMAIL, PHONE, CARD, IBAN]) assert.ok(!sent.includes(value), sent);
  const [text] = contents(sent);
  assert.match(
    text ?? "",
    /^I am \w+@example\.(?:com|net), call \+1 \(\d{3}\) 555-01\d\d, card 4000 00\d\d \d{4} \d{4}, account DE\d\d 000\d (?:\d{4} ){3}\d\d\.$/,
  );
  assert.equal(answered(guards, [text ?? ""]), `I am ${EMAIL}, call ${PHONE}, card ${CARD}, account ${IBAN}.`);
});
test("stand-ins are the same in every turn of a conversation, and others in another conversation and for another tenant", async () => {
  const turn = async (messages: readonly string[], values: Record<string, string> = {}, more: Partial<StageContext> = {}) =>
    contents((await run(ask(...messages), undefined, values, more)).sent);
  const first = await turn([`mail ${EMAIL}`]);
  assert.deepEqual((await turn([`mail ${EMAIL}`, "done", `and ${CARD}`])).slice(0, 1), first);
  assert.notDeepEqual(await turn([`Mail ${EMAIL}`]), first);
  const named = { conversation: "c1" };
  const standIn = (texts: readonly string[]) => /\S+@\S+/.exec(texts.join(" "))?.[0];
  assert.equal(standIn(await turn([`a ${EMAIL}`], named)), standIn(await turn([`b ${EMAIL.toUpperCase()}`], named)));
  const principal = { ...context().principal, tenant: "other" };
  assert.notEqual(standIn(await turn([`a ${EMAIL}`], named)), standIn(await turn([`a ${EMAIL}`], named, { principal })));
});
test("what the provider keeps: its stand-ins are noted, and known to a call that refers to it and to one that reads it", async () => {
  const kept = (body: object) => readRequest(openaiResponses, JSON.stringify({ model: "m", ...body }));
  const noted = (verdict: Verdict) => verdict.effects?.flatMap((effect) => (effect.kind === "stand_ins" ? [effect.standIns] : []))[0];
  const first = await run(ask("hi"), undefined, {}, { request: kept({ input: `I am ${EMAIL}` }) });
  const standIns = noted(first.verdict);
  const standIn = /\w+@example\.\w+/.exec(first.sent)?.[0] ?? assert.fail(first.sent);
  assertSubset(standIns?.pairs, [{ entity: "email", value: EMAIL, standIn, spelling: "exact" }]);
  assert.equal(noted((await run(ask("hi"), undefined, {}, { request: kept({ store: false, input: EMAIL }) })).verdict), undefined);
  const place = { provider: "p", model: "m", providerModel: "m", note: Buffer.from(JSON.stringify({ standIns })) };
  const stores = { keyring: testKeyring(), state: { find: async () => ok([place]) } };
  for (const request of [
    kept({ previous_response_id: "resp_1", input: "and then?" }),
    { ...kept({ input: "" }), view: keptResponseView({ id: "resp_1" }, { streaming: false }) },
  ]) {
    const { guards, verdict } = await run(ask("hi"), undefined, {}, { request, stores });
    assert.equal(answered(guards, [`mail ${standIn.slice(0, 4)}`, `${standIn.slice(4)}.`]), `mail ${EMAIL}.`);
    assert.deepEqual(noted(verdict)?.pairs ?? standIns?.pairs, standIns?.pairs);
  }
  const again = await run(ask("hi"), undefined, {}, { stores, request: kept({ previous_response_id: "resp_1", input: `is it ${EMAIL}` }) });
  assert.ok(again.sent.includes(`is it ${standIn}`), again.sent);
});
test("what stands beside the text counts once, and not where the text says the same", async () => {
  const { guards } = await run(ask("hi"), { profile: "strict" });
  const beside = { ...LANE, repeats: true as const };
  const texts = [
    { ...beside, text: "a@acme-corp.com" },
    { ...beside, text: "b@acme-corp.com" },
    { ...LANE, text: "a@acme-corp.com " },
  ];
  gated(guards, [frameOf([...texts, { ...beside, text: "b@acme-corp.com" }])]);
  assertSubset(
    guards.map(({ guard }) => guard.evidence()),
    [{ entities: ["email"], evidence: { found: [{ entity: "email", place: "content", action: "mask", count: 2 }] } }],
  );
});
test("what the provider repeats of the request has its values again, and no rule is about it", async () => {
  const { sent, guards } = await run(ask(`I am ${EMAIL}`), { profile: "strict" });
  const standIn = /\w+@example\.\w+/.exec(sent)?.[0] ?? assert.fail(sent);
  const echo: LaneId = { ...LANE, channel: "echo" };
  assert.equal(answered(guards, [`${standIn} and bob@acme-corp.com`], echo), `${EMAIL} and bob@acme-corp.com`);
});
test("a code comes back however the model groups it, an address in any case; nothing else does", async () => {
  const { sent, guards } = await run(ask(`${EMAIL} ${CARD}`));
  const [mail = "", ...card] = (contents(sent)[0] ?? "").split(" ");
  const digits = card.join("");
  assert.equal(answered(guards, [`${mail.toUpperCase()} ${digits.replaceAll(/(\d{4})(?=\d)/g, "$1-")}`]), `${EMAIL} ${CARD}`);
  assert.equal(
    answered(guards, [`{"card":${digits},"s":"${digits}"}`], { ...LANE, channel: "tool_arguments" }),
    '{"card":4012888888881881,"s":"4012888888881881"}',
  );
  assert.equal(answered(guards, [`x${mail} ${digits}7`]), `x${mail} ${digits}7`);
});
test("a stand-in comes back from a URL, in full-width forms and in the digits of another script, however it is cut", async () => {
  const { sent, guards } = await run(ask(`${EMAIL} ${PHONE}`));
  const [mail = "", ...rest] = (contents(sent)[0] ?? "").split(" ");
  const phone = rest.join(" ").replaceAll(/[^0-9+]/g, "");
  const wide = (text: string, zero: number) => text.replaceAll(/[0-9]/g, (digit) => String.fromCharCode(zero + Number(digit)));
  const digits = PHONE.replaceAll(/[^0-9]/g, "");
  for (const [said, expected] of [
    [
      `https://x.example/?to=${mail.replace("@", "%40")}&t=${phone.replace("+", "%2b")}.`,
      `https://x.example/?to=jane.doe%40acme-corp.com&t=%2B${digits}.`,
    ],
    [mail.replaceAll(/[!-~]/g, (sign) => String.fromCharCode(sign.charCodeAt(0) + 0xfee0)), EMAIL],
    [`call ${wide(phone.slice(1), 0x660)}`, `call ${digits}`],
    [`${phone.slice(0, 4)}\u202f${phone.slice(4)}`, PHONE],
  ] as const) {
    assert.equal(answered(guards, [said]), expected);
    assert.equal(answered(guards, [...said]), expected);
  }
});
test("a label comes back as models write it: escaped, in words, in another case", async () => {
  const { sent, guards } = await run(ask("about Project Falcon"), {
    profile: "standard",
    custom: { codename: { words: ["Project Falcon"] } },
  });
  const [, label = ""] = /about (CODENAME_\w{8})/.exec(sent) ?? assert.fail(sent);
  for (const said of [label, label.replace("_", "\\_"), label.toLowerCase().replace("_", " "), `**${label.replace("_", "-")}**`])
    assert.equal(answered(guards, [`x ${said}'s`]), `x ${said.startsWith("**") ? "**Project Falcon**" : "Project Falcon"}'s`);
  assert.equal(answered(guards, [`x${label}`]), `x${label}`);
});
test("keys of objects that hold a value leave as stand-ins, and the rest to the byte", async () => {
  const bodies: readonly (readonly [string, string])[] = [
    [`{"${EMAIL}":{"n":1},"plain":2}`, `{"S":{"n":1},"plain":2}`],
    [`{ "jane.doe\\u0040acme-corp.com" : [1] , "b\\"c": 2}`, `{ "S" : [1] , "b\\"c": 2}`],
  ];
  for (const [data, expected] of bodies) {
    const body = `{"model":"gpt", "messages":[{"role":"user","content":"hi","extra":${data}}]}`;
    const { sent, guards, verdict } = await run(body);
    const [standIn = ""] = /\w+@example\.(?:com|net)/.exec(sent) ?? [];
    assert.equal(sent.replace(standIn, "S"), body.replace(data, expected));
    assertSubset(verdict.evidence?.found, [{ entity: "email", place: "key", action: "pseudonymise", count: 1 }]);
    assert.equal(answered(guards, [`{"${standIn}":1}`], { ...LANE, channel: "tool_arguments" }), `{"${EMAIL}":1}`);
  }
});
test("a Chinese resident number has one of its form, with a valid check digit", async () => {
  const { sent, guards } = await run(ask("身份证 11010519491231002X"));
  const [id = ""] = /99[0-9]{4}(?:19|20)[0-9]{2}0[1-9]0[1-9][0-9]{3}[0-9X]/.exec(contents(sent)[0] ?? "") ?? [];
  const weights = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
  assert.equal("10X98765432"[weights.reduce((sum, weight, at) => sum + weight * Number(id[at]), 0) % 11], id.at(17), sent);
  assert.equal(answered(guards, [`号码 ${id.toLowerCase()}`]), "号码 11010519491231002X");
});
test("a number with an encoded plus in a URL has the stand-in that it has elsewhere, encoded too", async () => {
  const { sent, guards } = await run(ask("+14156232671, https://x.example/?t=%2B14156232671&n=1"));
  const text = contents(sent)[0] ?? "";
  const [, number, again] = /^\+(1[0-9]{10}), https:\/\/x\.example\/\?t=%2B(1[0-9]{10})&n=1$/.exec(text) ?? [];
  assert.ok(number !== undefined && number === again && number !== "14156232671", text);
  assert.equal(answered(guards, [text]), "+14156232671, https://x.example/?t=%2B14156232671&n=1");
});
test("an address in a URL has the stand-in that it has elsewhere", async () => {
  const { sent, guards } = await run(ask(`${EMAIL}, https://x.example/?to=${EMAIL.replace("@", "%40")}`));
  const [text = ""] = contents(sent);
  const [, name, again] = /^(\w+)@\S+ https:\/\/x\.example\/\?to=(\w+)%40example/.exec(text) ?? [];
  assert.ok(name !== undefined && name === again, text);
  assert.equal(answered(guards, [text]), `${EMAIL}, https://x.example/?to=${EMAIL.replace("@", "%40")}`);
});
test("wallets of every chain keep their prefix and alphabet", async () => {
  for (const [value, form] of [
    ["0x52908400098527886E0F7030069857D2E4169EE7", /^0xdead0000[0-9a-f]{32}$/],
    ["bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq", /^bc1[02-9ac-hj-np-z]{39}$/],
    ["1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", /^1[1-9A-HJ-NP-Za-km-z]{33}$/],
  ] as const) {
    const { sent, guards } = await run(ask(value), { profile: "strict" });
    const [text = ""] = contents(sent);
    assert.match(text, form);
    assert.notEqual(text, value);
    assert.equal(answered(guards, [text.toLowerCase()]), value);
  }
});
test("arguments and results in JSON are looked at without their escapes, and stay JSON", async () => {
  const call = {
    role: "assistant",
    content: null,
    tool_calls: [
      { id: "c", type: "function", function: { name: "f", arguments: `{"to":"jane.doe\\u0040acme-corp.com","n":4012888888881881}` } },
    ],
  };
  const { sent } = await run(ask("hi", call));
  const given = JSON.parse(JSON.parse(sent).messages[1].tool_calls[0].function.arguments);
  assert.match(given.to, /^\w+@example\.(?:com|net)$/);
  assert.match(String(given.n), /^400000\d{10}$/);
});
test("a long number in the body that is a finding is replaced too; what is not stays to the byte", async () => {
  const body = `{"model":"gpt", "messages":[{"role":"user","content":"hi","extra":{"card": 4012888888881881, "at":1732447474}}], "seed": 12345678}`;
  const { sent } = await run(body);
  assert.match(
    sent,
    /^\{"model":"gpt", "messages":\[\{"role":"user","content":"hi","extra":\{"card": 400000\d{10}, "at":1732447474\}\}\], "seed": 12345678\}$/,
  );
});
test("who calls, labels, cache keys and words that end an answer leave as stand-ins too", async () => {
  const { sent } = await run(
    JSON.stringify({
      model: "gpt",
      messages: [{ role: "user", content: "hi" }],
      ...Object.fromEntries(["user", "safety_identifier", "prompt_cache_key"].map((key) => [key, EMAIL])),
      stop: [EMAIL],
      metadata: { customer: EMAIL },
    }),
  );
  assert.equal(sent.match(/\w+@example\.(?:com|net)/g)?.length, 5);
  assert.ok(!sent.includes(EMAIL), sent);
});
test("an input of tokens cannot be looked into: it is refused where anything is looked for", async () => {
  for (const input of [
    [1, 2, 3],
    [[1, 2], "a"],
    ["a", [7]],
  ]) {
    const request = readRequest(openaiEmbeddings, JSON.stringify({ model: "m", input }));
    assertSubset((await run(ask("hi"), undefined, {}, { request })).verdict, { kind: "deny", code: "content_blocked", detail: "~tokens" });
    assertSubset((await run(ask("hi"), {}, {}, { request })).verdict, { kind: "allow" });
  }
  assertSubset((await run(ask("hi"), undefined, {}, { request: readRequest(openaiEmbeddings, '{"model":"m","input":["a"]}') })).verdict, {
    kind: "allow",
  });
});

const actions: readonly (readonly [string, RegExp])[] = [
  ["mask", /^card <PAYMENT_CARD>$/],
  ["partial", /^card \*{4} \*{4} \*{4} 1881$/],
  ["hash", /^card <PAYMENT_CARD:[0-9a-f]{12}>$/],
  ["watch", /^card 4012 8888 8888 1881$/],
  ["pass", /^card 4012 8888 8888 1881$/],
];
for (const [action, expected] of actions)
  test(`${action}: what is sent, and what the record counts`, async () => {
    const { sent, verdict } = await run(ask(`card ${CARD}`), { profile: "own", profiles: { own: { entities: { payment_card: action } } } });
    assert.match(contents(sent)[0] ?? "", expected);
    const found = verdict.evidence?.found;
    if (action === "pass") assert.equal(found, undefined);
    else assertSubset(found, [{ entity: "payment_card", place: "user", action, count: 1, digest: "~^[0-9a-f]{32}$" }]);
    assert.ok(!JSON.stringify(verdict.evidence ?? "").includes("1881"));
  });
test("block: the call is refused, and the refusal names the kind, not the value", async () => {
  const { verdict } = await run(ask(`card ${CARD}`), { profile: "own", profiles: { own: { entities: { financial: "block" } } } });
  assertSubset(verdict, { kind: "deny", code: "content_blocked", detail: "The policy does not allow payment_card to leave." });
});
test("a caller may only tighten", async () => {
  const own = { profile: "own", profiles: { own: { entities: { payment_card: "mask", email: "pseudonymise" } }, loose: { entities: {} } } };
  const sent = async (values: Record<string, string>) => contents((await run(ask(`${CARD} ${EMAIL}`), own, values)).sent)[0] ?? "";
  assert.match(await sent({}), /^<PAYMENT_CARD> \w+@example/);
  assert.match(await sent({ redactionProfile: "loose" }), /^<PAYMENT_CARD> \w+@example/);
  assert.match(await sent({ piiMode: "partial" }), /^<PAYMENT_CARD> \w+@example/);
  assert.match(await sent({ piiMode: "hash" }), /^<PAYMENT_CARD> <EMAIL:/);
  assert.match(await sent({ redactionProfile: "strict" }), /^<PAYMENT_CARD> \w+@example/);
  for (const values of [{ redactionProfile: "none" }, { piiMode: "off" }])
    assertSubset((await run(ask("hi"), own, values)).verdict, { kind: "deny", code: "contract_violation", detail: "~must be one of" });
  const { sent: alone } = await run(ask(EMAIL), {}, { piiMode: "mask" });
  assert.deepEqual(contents(alone), ["<EMAIL>"]);
});

test("what the model brings up itself is treated as `answers` says; a value that comes back wins over masking", async () => {
  const strict = await run(ask(`I am ${EMAIL}`), { profile: "strict" });
  const standIn = (contents(strict.sent)[0] ?? "").slice(5);
  assert.equal(answered(strict.guards, [`${standIn} or bob@corp-x.com`]), `${EMAIL} or <EMAIL>`);
  const blocks = await run(ask("hi"), { profile: "own", profiles: { own: { answers: { email: "block" } } } });
  const ended = gated(blocks.guards, [frameOf([{ ...LANE, text: "write to bob@corp-x.com now" }])]);
  assert.deepEqual([ended.out, ended.stop?.kind, ended.stop?.denial.code], ["<write to >", "refuse", "content_blocked"]);
});
test("two values never share a stand-in, and none is one that the caller's own text holds", async () => {
  const own = Array.from({ length: 254 }, (_none, at) => `192.0.2.${at + 1}`).join(" ");
  const { sent } = await run(ask(`10.1.2.3 and 10.1.2.4`, { role: "user", content: "hi" }), {
    profile: "own",
    profiles: { own: { entities: { ip_address: "pseudonymise" } } },
  });
  const ips = (contents(sent)[0] ?? "").split(" and ");
  assert.equal(new Set(ips).size, 2);
  const { sent: crowded, guards } = await run(ask("10.1.2.3", own), {
    profile: "own",
    profiles: { own: { entities: { ip_address: "pseudonymise" } } },
  });
  assert.equal(answered(guards, [contents(crowded).join(" ")]), `10.1.2.3 ${own}`);
});
test("large texts are scanned in slices and come out the same", async () => {
  const body = ask(`${"lorem ipsum ".repeat(20_000)} ${EMAIL}`);
  const { sent, guards } = await run(body);
  assert.ok(!sent.includes(EMAIL));
  assert.equal(answered(guards, [(contents(sent)[0] ?? "").slice(-30)]).slice(-EMAIL.length), EMAIL);
});

const words = fc.array(fc.constantFrom(EMAIL, CARD, PHONE, IBAN, "bob@corp-x.com", "order 12345", "+1", "(", "4000 00", "x", "é"), {
  maxLength: 6,
});
property(
  "I8: what comes back does not depend on how the answer is cut",
  fc.tuple(words, fc.array(fc.nat({ max: 400 }), { maxLength: 30 }), fc.constantFrom("standard", "strict")),
  async ([said, cuts, profile]) => {
    const { sent, guards } = await run(ask(`${said.join(" ")} ${EMAIL} ${CARD}`), { profile });
    const text = contents(sent)[0] ?? "";
    const again = await run(ask(`${said.join(" ")} ${EMAIL} ${CARD}`), { profile });
    const places = [...new Set(cuts.map((cut) => cut % (text.length + 1)))].sort((a, b) => a - b);
    const pieces = [...places, text.length].map((end, index) => text.slice(places[index - 1] ?? 0, end));
    assert.equal(answered(guards, pieces), answered(again.guards, [text]));
  },
  300,
);

test("dictionaries and patterns of the policy are found like any entity, and what it allows is not", async () => {
  const custom = {
    project: { words: ["Project Falcon", "猎鹰计划"] },
    ticket: { pattern: "TCK-[0-9]{6}", class: "network" },
  };
  const section = {
    profile: "own",
    custom,
    allow: ["Help@Acme-Corp.com"],
    profiles: { own: { extends: "standard", entities: { project: "mask", network: "mask" }, answers: { project: "mask" } } },
  };
  const { sent, guards, verdict } = await run(ask(`project falcon, 关于猎鹰计划, TCK-123456, ${EMAIL} or help@acme-corp.com`), section);
  const [text = ""] = contents(sent);
  assert.match(text, /^<PROJECT>, 关于<PROJECT>, <TICKET>, \S+@example\.(?:com|net) or help@acme-corp\.com$/);
  assertSubset(verdict, {
    kind: "allow",
    evidence: { found: [{ entity: "project", action: "mask", count: 2 }, { entity: "ticket" }, { entity: "email" }] },
  });
  assert.equal(answered(guards, ["About Proj", "ect Fal", "con and TCK-1", "23456."]), "About <PROJECT> and TCK-123456.");
  const strict = await run(ask("TCK-123456"), { profile: "strict", custom });
  assert.ok(!strict.sent.includes("TCK-123456"), strict.sent);
  const asked = await run(ask("Project Falcon"), { custom }, { piiMode: "mask" });
  assert.deepEqual(contents(asked.sent), ["<PROJECT>"]);
});

test("a dictionary that is none, a pattern without an end and a name that is taken are refused", () => {
  for (const custom of [
    { x: {} },
    { x: { words: ["a"], pattern: "b" } },
    { x: { pattern: "a+" } },
    { x: { pattern: "(" } },
    { email: { words: ["a"] } },
  ])
    assert.throws(() => redactStage.bind({ custom }, { mode: "enforce", onFault: "closed" }), JSON.stringify(custom));
});

test("files of text are read, in base64 and in data URLs, in every dialect that takes them; pictures pass as they are", async () => {
  const table = `name;mail\nJane Müller;${EMAIL}\n`;
  const base64 = Buffer.from(table).toString("base64");
  const part = (...parts: readonly object[]) => [{ role: "user", content: parts }];
  const picture = "data:image/png;base64,iVBORw0KGgo=";
  const bodies: readonly (readonly [Codec, object])[] = [
    [openaiChat, { messages: part({ type: "file", file: { filename: "a.csv", file_data: `data:text/csv;base64,${base64}` } }) }],
    [openaiChat, { messages: part({ type: "file", file: { file_data: base64 } }, { type: "image_url", image_url: { url: picture } }) }],
    [openaiChat, { messages: part({ type: "image_url", image_url: { url: `data:image/svg+xml;base64,${base64}` } }) }],
    [openaiResponses, { store: false, input: part({ type: "input_file", file_data: `data:text/plain,${encodeURIComponent(table)}` }) }],
    [
      anthropicMessages,
      { max_tokens: 9, messages: part({ type: "document", source: { type: "base64", media_type: "text/plain", data: base64 } }) },
    ],
    [geminiGenerate, { contents: [{ role: "user", parts: [{ inlineData: { mimeType: "text/csv", data: base64 } }] }] }],
    [bedrockConverse, { messages: [{ role: "user", content: [{ document: { name: "a", format: "csv", source: { bytes: base64 } } }] }] }],
    [bedrockInvoke, { messages: [{ role: "user", content: [{ document: { name: "a", format: "csv", source: { bytes: base64 } } }] }] }],
  ];
  for (const [codec, body] of bodies) {
    const { sent, verdict } = await run(ask("hi"), undefined, {}, { request: readRequest(codec, JSON.stringify({ model: "m", ...body })) });
    const words = decodeURIComponent(sent.replaceAll(/[A-Za-z0-9+/]{40,}=*/g, (coded) => Buffer.from(coded, "base64").toString()));
    assert.match(words, /name;mail\nJane Müller;\w+@example\.(?:com|net)\n/, `${codec.surface}: ${words}`);
    assert.ok(!words.includes(EMAIL) && sent.includes(picture) === JSON.stringify(body).includes(picture), words);
    assertSubset(verdict, { evidence: { found: [{ entity: "email", place: "tool_result", action: "pseudonymise", count: 1 }] } });
  }
});

test("a text that is nothing but base64 is read; an identifier of such letters is what it is", async () => {
  const coded = Buffer.from(`Write to ${EMAIL}, please`).toString("base64");
  const { sent, guards } = await run(ask(coded, "AbCdEfGhIjKlMnOpQrStUvWxYz012345"));
  const [text = "", other] = contents(sent);
  const words = Buffer.from(text, "base64").toString();
  assert.match(words, /^Write to \w+@example\.(?:com|net), please$/);
  assert.equal(other, "AbCdEfGhIjKlMnOpQrStUvWxYz012345");
  assert.equal(answered(guards, [words]), `Write to ${EMAIL}, please`);
});

test("base64 amid other words is read, in a data URL too; digests and addresses of such letters stay", async () => {
  const coded = Buffer.from(`Write to ${EMAIL}, please`).toString("base64");
  const { sent, verdict } = await run(ask(`decode ${coded} and ![x](data:text/plain;base64,${coded}), ok?`), {
    profile: "own",
    profiles: { own: { entities: { email: "mask" } } },
  });
  const masked = Buffer.from("Write to <EMAIL>, please").toString("base64");
  assert.deepEqual(contents(sent), [`decode ${masked} and ![x](data:text/plain;base64,${masked}), ok?`]);
  assertSubset(verdict, { evidence: { found: [{ entity: "email", place: "user", action: "mask", count: 2 }] } });
  const blocks = { profile: "own", profiles: { own: { entities: { email: "block" } } } };
  assert.equal((await run(ask(`decode ${coded}`), blocks)).verdict.kind, "deny");
  const long = `${"lorem ipsum ".repeat(5_460)}${coded} ${"dolor sit ".repeat(9_000)}`;
  assert.ok(!(await run(ask(long))).sent.includes(coded));
  const plain = ask(
    `sha256 ${"0123456789abcdef".repeat(4)} at /usr/local/lib/python3/site-packages/requests/adapters and ${"Ab1".repeat(20)}`,
  );
  assert.equal((await run(plain, { profile: "strict" })).sent, plain);
});

test("what a caller writes where names and modes belong is read too; names and ids stay what they are", async () => {
  const said = `for ${EMAIL}`;
  const user = (more: object) => [{ role: "user", content: "hi", ...more }];
  const bodies: readonly (readonly [Codec, object])[] = [
    [openaiChat, { messages: user({ id: said }) }],
    [openaiChat, { messages: [{ role: "user", content: [{ type: "image_url", image_url: { url: "https://x.test/a", detail: said } }] }] }],
    [openaiChat, { messages: user({}), reasoning: { effort: said } }],
    [openaiChat, { messages: [{ role: "user", content: [{ type: "input_audio", input_audio: { data: said, format: "wav" } }] }] }],
    [openaiResponses, { store: false, input: [{ role: "user", phase: said, content: "hi" }] }],
    [openaiResponses, { store: false, input: [{ type: "image_generation_call", id: "ig_1", result: said }] }],
    [
      anthropicMessages,
      { max_tokens: 9, messages: [{ role: "user", content: [{ type: "text", text: "hi", cache_control: { type: said } }] }] },
    ],
    [geminiGenerate, { contents: [{ role: "user", parts: [{ text: "hi", thoughtSignature: said }] }] }],
    [bedrockConverse, { messages: [{ role: "user", content: [{ text: "hi", cachePoint: { type: said } }] }] }],
    [bedrockInvoke, { prompt: "hi", image: said }],
    [openaiEmbeddings, { input: "hi", encoding_format: said }],
  ];
  for (const [codec, body] of bodies) {
    const { sent } = await run("", undefined, {}, { request: readRequest(codec, JSON.stringify({ model: "m", ...body })) });
    assert.ok(!sent.includes(EMAIL), `${codec.surface}: ${sent}`);
  }
  const plain = { messages: [{ role: "tool", tool_call_id: "call_4012888888881881", content: "x" }], reasoning: { effort: "high" } };
  const request = readRequest(openaiChat, JSON.stringify({ model: "ft:gpt-4o:acme::abc", ...plain }));
  assert.equal((await run("", { profile: "strict" }, {}, { request })).sent, request.doc.text);
});

test("an address is the same person's however its sign is written", async () => {
  const spelt = [
    EMAIL,
    "jane.doe&#64;acme-corp.com",
    "jane.doe [at] acme-corp [dot] com",
    "jane.doe%2540acme-corp.com",
    "jane.doe@acme\u00ad-corp.com",
    "jane.doe@acme\u200f-corp\ufe0f.com",
    "𝐣𝐚𝐧𝐞.doe@acme-corp.com",
  ];
  const { sent, guards } = await run(ask(spelt.join(", ")));
  const standIns = (contents(sent)[0] ?? "").split(", ");
  assert.match(standIns[0] ?? "", /^\w+@example\.(?:com|net)$/);
  assert.deepEqual(new Set(standIns).size, 1, sent);
  assert.equal(answered(guards, [standIns[0] ?? ""]), EMAIL);
});

test("a number in a URL keeps its escapes: its stand-in, and the value that comes back", async () => {
  const { sent, guards } = await run(ask(`pay ${CARD}: https://pay.example/?card=4012%208888%208888%201881&tel=%2B1%20(415)%20623-2671`));
  const [card = "", inUrl = ""] =
    /pay (.*): .*card=(.*)&tel=%2B1%20\(?.*555-01\d\d/.exec(contents(sent)[0] ?? "")?.slice(1) ?? assert.fail(sent);
  assert.match(card, /^4000 00/);
  assert.equal(inUrl, encodeURIComponent(card));
  assert.equal(
    answered(guards, [`https://x.example/?c=${inUrl}&d=${card.replaceAll(" ", "")}.`]),
    "https://x.example/?c=4012%208888%208888%201881&d=4012888888881881.",
  );
  const html = contents((await run(ask(`<b>${CARD.replaceAll(" ", "&nbsp;")}</b> ${CARD}`))).sent)[0] ?? "";
  assert.match(html, /^<b>(4000 00\d\d \d{4} \d{4})<\/b> \1$/);
  const actions = { profile: "own", profiles: { own: { entities: { payment_card: "partial", email: "hash" } } } };
  assert.match(
    contents((await run(ask("x?card=4012%208888%208888%201881"), actions)).sent)[0] ?? "",
    /^x\?card=\*\*\*\*%20\*{4}%20\*{4}%201881$/,
  );
  const hashed = contents((await run(ask(`${EMAIL} ${EMAIL.toUpperCase()} jane.doe%40acme-corp.com`), actions)).sent)[0]?.split(" ");
  assert.deepEqual([new Set(hashed).size, hashed?.length], [1, 3]);
});

test("a value that is only watched, or let pass, hides nothing in it that is to be replaced or refused; cut anywhere too", async () => {
  const link = `https://x.test/?mail=${EMAIL}&n=1`;
  const rules = (entities: object): object => ({
    profile: "own",
    profiles: { own: { entities, answers: entities } },
    custom: { note: { words: [`my mail ${EMAIL}`] } },
  });
  const cases: readonly (readonly [object, string, string])[] = [
    [{ url: "watch", email: "mask" }, link, "https://x.test/?mail=<EMAIL>&n=1"],
    [{ note: "watch", email: "mask" }, `my mail ${EMAIL}`, "my mail <EMAIL>"],
    [{ url: "mask", email: "mask" }, link, "<URL>"],
    [{ secret: "mask", secret_password: "pass", email: "mask" }, `password: ${EMAIL}`, "password: <EMAIL>"],
  ];
  for (const [entities, text, becomes] of cases) {
    const { sent } = await run(ask(text), rules(entities));
    assert.deepEqual(contents(sent), [becomes]);
    for (let cut = 0; cut <= text.length; cut += 1) {
      const { guards } = await run(ask("hi"), rules(entities));
      assert.equal(answered(guards, [text.slice(0, cut), text.slice(cut)]), becomes);
    }
  }
  for (const entities of [
    { url: "watch", email: "block" },
    { url: "pseudonymise", email: "block" },
  ])
    assert.equal((await run(ask(link), rules(entities))).verdict.kind, "deny");
});

test("every stand-in comes back as the value was written: with extensions, and with signs between blanks", async () => {
  const written = [
    ...[
      "call 415-623-2671 ext. 55",
      "phone: +1 415 623 2671, ext 1234",
      "phone +44 (0)20 7946 0958 extension 12",
      "phone: 415-623-2671;ext:5",
    ],
    ...["电话 010-62781234 转 801", "电话：+86 10 6278 1234转801", "phone 415 / 623 - 2671", "phone: +1 (415) - 623 - 2671"],
  ];
  for (const text of written) {
    const { sent, guards } = await run(ask(text));
    const said = contents(sent)[0] ?? "";
    const digits = (of: string): string => of.replaceAll(/[^0-9]/g, "");
    assert.ok(said !== text && digits(said).length === digits(text).length, said);
    assert.equal(answered(guards, [...said]), text, said);
  }
  const { sent } = await run(ask("call 415-623-2671 ext. 55"));
  assert.match(contents(sent)[0] ?? "", /^call \d{3}-555-01\d\d ext\. \d\d$/);
});
