/** The observing listener: callers keep their own provider keys and lose nothing, whatever Sluice does; the records say what would be. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { freePort } from "../support/envoy.ts";
import { BASIC_POLICY, startGateway } from "../support/gateway.ts";
import { assertRecord } from "../support/records.ts";
import { assertSubset } from "../support/subset.ts";

const body = JSON.stringify({
  model: "secret-model",
  max_tokens: 5000,
  messages: [{ role: "user", content: "hi" }],
  tools: [{ type: "function", function: { name: "delete_all" } }],
});

test("calls pass as they are, with their own key, and are recorded with what the rules would have said", async () => {
  const port = await freePort();
  const observe = `observe: { listen: { port: ${port} }, tenant: acme, app: bot }\n`;
  const gateway = await startGateway({ policy: BASIC_POLICY.replace("providers:\n", `${observe}providers:\n`) });
  const url = `http://127.0.0.1:${port}`;
  try {
    const send = (path: string, headers: Record<string, string>, text: string) =>
      fetch(url + path, { method: "POST", headers: { "content-type": "application/json", ...headers }, body: text });
    const direct = await fetch(`${gateway.simulator.url}/v1/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: "Bearer sk-of-the-caller" },
      body,
    });
    const observed = await send("/v1/chat/completions", { authorization: "Bearer sk-of-the-caller", "x-ai-use-case": "chat" }, body);
    assert.equal(observed.status, 200);
    assert.equal(await observed.text(), await direct.text(), "the answer is the provider's own, byte for byte");
    assert.equal(observed.headers.get("x-ai-decision"), null, "nothing is added");
    const arrived = gateway.simulator.requests.at(-1);
    assert.equal(arrived?.headers.authorization, "Bearer sk-of-the-caller");
    assert.equal(arrived?.headers["x-ai-use-case"], undefined, "contract headers stay here");
    assert.equal(arrived?.body.toString(), body);

    const stream = JSON.stringify({ model: "claude-haiku-4-5", max_tokens: 9, stream: true, messages: [{ role: "user", content: "hi" }] });
    const streamed = await send("/v1/messages", { "x-api-key": "sk-of-the-caller", "anthropic-version": "2023-06-01" }, stream);
    assert.match(await streamed.text(), /message_stop/);
    const failed = await send("/v1/chat/completions", { authorization: "Bearer sk-of-the-caller" }, "{ not json");
    assert.equal(failed.status, 400, "the provider's own refusal");

    // The stream to Sluice is kept open a few seconds after the exchange, so its record comes late.
    const records = await gateway.records(3, 12_000);
    assert.equal(records.length, 3);
    const byPath = (surface: string) => records.filter((record) => record.surface === surface);
    const [refused] = byPath("openai.chat").filter((record) => record.code === undefined);
    assert.ok(refused !== undefined);
    assertRecord(refused, {
      observed: true,
      decision: "allowed",
      ending: "served",
      status: 200,
      tenant: "acme",
      credential: { kind: "observe" },
      stages: [
        { stage: "contract", mode: "shadow", verdict: "allow" },
        { stage: "access", mode: "shadow", verdict: "deny", code: "tool_not_allowed" },
        { stage: "route", mode: "shadow" },
        { stage: "caps", mode: "shadow", reason: "~clamped" },
      ],
      answer: { complete: true },
    });
    assertSubset(byPath("anthropic.messages")[0], {
      observed: true,
      streaming: true,
      answer: { complete: true },
      usage: {},
      cost: { estimated: false },
    });
    assertSubset(
      byPath("openai.chat").find((record) => record.code !== undefined),
      { observed: true, code: "invalid_request", status: 400 },
    );
    assert.ok(!JSON.stringify(records).includes("sk-of-the-caller"));

    // Sluice gone: nothing is lost.
    await gateway.sluice.stop(0);
    const without = await send("/v1/chat/completions", { authorization: "Bearer sk-of-the-caller" }, body);
    assert.equal(without.status, 200);
    await without.text();
  } finally {
    await gateway.stop({ clean: false });
  }
});
