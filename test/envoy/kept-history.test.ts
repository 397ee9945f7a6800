/**
 * A conversation that the provider keeps (`previous_response_id`): the later request brings none of its history, so what was found in it
 * must be known all the same. Through a real Envoy.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { BASIC_POLICY, type Gateway, startGateway } from "../support/gateway.ts";

const EMAIL = "jane.doe@acme-corp.com";
const policy = BASIC_POLICY.replace(
  "    caps: { outputTokensMax: 500 }",
  `    caps: { outputTokensMax: 500 }
    redact: { profile: standard }
    classification: { map: { email: confidential } }`,
);

describe("a conversation that the provider keeps", () => {
  let gateway: Gateway;
  before(async () => {
    gateway = await startGateway({ policy });
  });
  after(() => gateway.stop());

  const ask = async (body: object) => {
    const response = await fetch(`${gateway.url}/v1/responses`, {
      method: "POST",
      headers: { authorization: `Bearer ${gateway.key()}`, "content-type": "application/json" },
      body: JSON.stringify({ model: "gpt-4o-mini", ...body }),
    });
    const text = await response.text();
    assert.equal(response.status, 200, text);
    const sent = gateway.simulator.requests.at(-1)?.body.toString() ?? "";
    const record = await gateway.record(response.headers.get("x-ai-request-id") ?? "");
    return { text, sent, record };
  };

  test("stand-ins become values again in a later turn and the one after it, and a value keeps its own; the class stays", async () => {
    const first = await ask({ input: `I am ${EMAIL}.` });
    const standIn = /\w+@example\.(?:com|net)/.exec(first.sent)?.[0] ?? assert.fail(first.sent);
    const { id } = JSON.parse(first.text);
    // As the model would say it, who knows it from the first turn.
    const second = await ask({ previous_response_id: id, input: `[[sim echo]] mail to ${standIn}` });
    assert.ok(second.text.includes(`mail to ${EMAIL}`) && !second.text.includes(standIn), second.text);
    assert.equal(second.record.dataClass, "confidential");
    const third = await ask({
      previous_response_id: JSON.parse(second.text).id,
      stream: true,
      input: `[[sim echo]] ${standIn}, and is it ${EMAIL}`,
    });
    assert.deepEqual(third.sent.match(/\w+@example\.(?:com|net)/g), [standIn, standIn]);
    assert.ok(!third.sent.includes(EMAIL) && !third.text.includes(standIn), third.text);
  });

  test("what the provider repeats of the request is the caller's own again", async () => {
    const { text, sent } = await ask({ store: false, input: "hi", metadata: { customer: EMAIL }, instructions: `Serve ${EMAIL}.` });
    assert.ok(!sent.includes(EMAIL), sent);
    const { metadata, instructions } = JSON.parse(text);
    assert.deepEqual([metadata, instructions], [{ customer: EMAIL }, `Serve ${EMAIL}.`]);
  });

  test("nothing of it is in the store's file", async () => {
    await ask({ input: `I am ${EMAIL}.` });
    await gateway.sluice.stop(0);
    const { readFile, readdir } = await import("node:fs/promises");
    for (const name of await readdir(gateway.data))
      if (name.startsWith("state.db")) assert.ok(!(await readFile(`${gateway.data}/${name}`)).includes("jane.doe"), name);
  });
});

describe("a conversation of the provider's, where a tenant owns the account", () => {
  let gateway: Gateway;
  const ask = async (body: object) => {
    const response = await fetch(`${gateway.url}/v1/responses`, {
      method: "POST",
      headers: { authorization: `Bearer ${gateway.key()}`, "content-type": "application/json" },
      body: JSON.stringify({ model: "gpt-4o-mini", ...body }),
    });
    const record = await gateway.record(response.headers.get("x-ai-request-id") ?? "");
    return { status: response.status, text: await response.text(), sent: gateway.simulator.requests.at(-1)?.body.toString() ?? "", record };
  };
  before(async () => {
    gateway = await startGateway({ policy: policy.replace("    access: {", "    access: { providerState: allow, ") });
  });
  after(() => gateway.stop());

  for (const [how, first] of [
    ["kept", {}],
    ["streamed", { stream: true }],
    ["not kept by itself", { store: false }],
  ] as const)
    test(`its stand-ins and class are known in later turns: ${how}`, async () => {
      const conversation = { conversation: { id: `conv_${how.replaceAll(" ", "")}` } };
      const { sent, status, text } = await ask({ ...conversation, ...first, input: `I am ${EMAIL}.` });
      assert.equal(status, 200, text);
      const standIn = /\w+@example\.(?:com|net)/.exec(sent)?.[0] ?? assert.fail(sent);
      for (const turn of [first, { store: false }]) {
        const later = await ask({ ...conversation, ...turn, input: `[[sim echo]] ${standIn}, is it ${EMAIL}` });
        assert.deepEqual(later.sent.match(/\w+@example\.(?:com|net)/g), [standIn, standIn]);
        assert.ok(!later.text.includes(standIn), later.text);
        assert.equal(later.record.dataClass, "confidential");
      }
      const other = await ask({ conversation: "conv_other", store: false, input: `[[sim echo]] ${standIn}` });
      assert.equal(other.text.includes(EMAIL), false, "another conversation's");
    });
});
