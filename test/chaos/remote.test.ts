/**
 * Services beside Sluice that texts are sent to, dead, slow, broken, lying and talkative, through a real Envoy: each call ends as the
 * policy's fault mode says, within the deadline, and its record says what happened.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { REMOTE_FAILURES_MAX, REMOTE_REST_MS } from "../../src/core/limits.ts";
import type { ExchangeRecord } from "../../src/core/record.ts";
import { BASIC_POLICY, type Gateway, startGateway } from "../support/gateway.ts";
import { presidio, type RemoteBehaviour, startRemote, type TestRemote } from "../support/remote.ts";

const DEADLINE_MS = 300;
/** Deadline, the rest of the path, and a machine that has other things to do. */
const WITHIN_MS = 2_500;
const PERSON = "Jane Roe";
const ATTACK = "zorb the frobnicator";

/** A text-classification server that knows one attack, which the built-in score does not. */
const guard = (body: unknown): unknown => {
  const inputs: unknown = Reflect.get(Object(body), "inputs");
  return (Array.isArray(inputs) ? inputs : []).map((text) => {
    const score = String(text).includes(ATTACK) ? 0.97 : 0.02;
    return [
      { label: "BENIGN", score: 1 - score },
      { label: "JAILBREAK", score },
    ];
  });
};

let analyser: TestRemote;
let classifier: TestRemote;
let gateway: Gateway;
let policy: string;
before(async () => {
  analyser = await startRemote(presidio([PERSON]));
  classifier = await startRemote(guard);
  const useCase = (name: string, rules: string): string => `
  ${name}:
    access: { models: [gpt-4o-mini] }
    ${rules}`;
  policy = `${BASIC_POLICY.replace("useCases: [chat]", "useCases: [chat, pii, pii-open, pii-shadow, attack, attack-open, attack-builtin]")}
${useCase("pii", "redact: { profile: standard, analyser: { name: names } }")}
${useCase("pii-open", "redact: { onFault: open, profile: standard, analyser: { name: names } }")}
${useCase("pii-shadow", "redact: { mode: shadow, profile: standard, analyser: { name: names } }")}
${useCase("attack", "injection: { user: { refuse: 0.9 }, classifier: { timeoutMs: 2000 } }")}
${useCase("attack-open", "injection: { onFault: open, user: { refuse: 0.9 }, classifier: { timeoutMs: 2000 } }")}
${useCase("attack-builtin", "injection: { user: { refuse: 0.9 }, classifier: { timeoutMs: 2000, onFault: builtin } }")}
analysers:
  names: { kind: presidio, url: ${analyser.url}/analyze, deadlineMs: ${DEADLINE_MS}, entities: { PERSON: person } }
classifier: { kind: huggingface, url: ${classifier.url}/, deadlineMs: ${DEADLINE_MS} }
`;
  gateway = await startGateway({ policy });
});
after(async () => {
  await gateway?.stop();
  await analyser?.close();
  await classifier?.close();
});

interface Run {
  readonly status: number;
  readonly body: string;
  readonly record: ExchangeRecord;
  readonly tookMs: number;
  /** What the provider got; undefined: nothing. */
  readonly sent: string | undefined;
}
async function call(useCase: string, content: string, more: object = {}): Promise<Run> {
  const before = gateway.simulator.requests.length;
  const begun = performance.now();
  const answer = await fetch(`${gateway.url}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${gateway.key()}`, "content-type": "application/json", "x-ai-use-case": useCase },
    body: JSON.stringify({
      model: "gpt-4o-mini",
      max_tokens: 99,
      messages: [{ role: "user", content: `[[sim echo]] ${content}` }],
      ...more,
    }),
  });
  const body = await answer.text();
  const tookMs = performance.now() - begun;
  const record = await gateway.record(answer.headers.get("x-ai-request-id") ?? "");
  const sent = gateway.simulator.requests[before];
  return { status: answer.status, body, record, tookMs, sent: sent === undefined ? undefined : Buffer.from(sent.body).toString("utf8") };
}
const entryOf = ({ record }: Run, stage: string) => record.stages.find((entry) => entry.stage === stage && entry.on === undefined);

/** How each service may fail, and what the record then says. */
const faults: Readonly<Record<string, { readonly how: RemoteBehaviour; readonly why: string }>> = {
  silent: { how: "silent", why: "timeout" },
  slow: { how: { delayMs: 3_000 }, why: "timeout" },
  trickling: { how: "trickling", why: "timeout" },
  "cut off": { how: "cut", why: "unavailable" },
  broken: { how: { status: 500 }, why: "unavailable" },
  huge: { how: "huge", why: "corrupt" },
  "no JSON": { how: { text: "<html>" }, why: "corrupt" },
  lying: { how: { text: '[[{"entity_type":"PERSON","start":4,"end":4000,"score":7,"label":"BENIGN"}]]' }, why: "corrupt" },
};

describe("a remote analyser", () => {
  test("finds what the detectors do not; the provider gets stand-ins, the caller values, the record counts", async () => {
    const run = await call("pii", `I am ${PERSON}, jane.roe@acme-corp.com`);
    assert.equal(run.status, 200);
    assert.ok(run.body.includes(PERSON) && run.body.includes("jane.roe@acme-corp.com"), run.body);
    assert.match(run.sent ?? "", /I am PERSON_[A-Z0-9]{8}, [a-z0-9]+@example/);
    const found = entryOf(run, "redact")?.evidence?.found?.map(({ entity, action, count }) => `${entity} ${action} ${count}`);
    assert.deepEqual(found?.toSorted(), ["email pseudonymise 1", "person pseudonymise 1"]);
    assert.ok(!JSON.stringify(run.record).includes("Jane"));
  });

  test("its stand-ins come back in a stream too", async () => {
    const run = await call("pii", `Write to ${PERSON} today.`, { stream: true });
    const said = run.body
      .split("\n")
      .filter((line) => line.startsWith("data: {"))
      .map((line) => JSON.parse(line.slice(6)).choices?.[0]?.delta?.content ?? "")
      .join("");
    assert.match(said, /Write to Jane Roe today\./);
    assert.ok(!run.sent?.includes("Jane"));
  });

  for (const [name, { how, why }] of Object.entries(faults)) {
    test(`${name}: refused where the policy says closed, recorded where it says open`, async () => {
      analyser.behave(how);
      try {
        const closed = await call("pii", PERSON);
        assert.equal(closed.status, 503, closed.body);
        assert.equal(closed.sent, undefined, "nothing leaves");
        assert.equal(closed.record.code, "store_unavailable");
        assert.deepEqual([entryOf(closed, "redact")?.verdict, entryOf(closed, "redact")?.reason], ["fault", `${why}; closed`]);
        const open = await call("pii-open", PERSON);
        assert.equal(open.status, 200);
        assert.ok(open.sent?.includes(PERSON), "it passes as it came");
        assert.deepEqual([entryOf(open, "redact")?.verdict, entryOf(open, "redact")?.reason], ["fault", `${why}; open`]);
        const shadow = await call("pii-shadow", PERSON);
        assert.equal(shadow.status, 200);
        assert.equal(entryOf(shadow, "redact")?.reason, `${why}; closed`);
        for (const { tookMs } of [closed, open, shadow]) assert.ok(tookMs < WITHIN_MS, `took ${tookMs} ms`);
      } finally {
        analyser.behave("well");
      }
      assert.equal((await call("pii", PERSON)).status, 200, "and all is well again");
    });
  }

  test("after failures in a row nobody waits for it, until it works again", async () => {
    analyser.behave("silent");
    for (let times = 0; times < REMOTE_FAILURES_MAX; times += 1) await call("pii", PERSON);
    const asked = analyser.asked.length;
    const next = await call("pii", PERSON);
    assert.equal(entryOf(next, "redact")?.reason, "unavailable; closed");
    assert.equal(analyser.asked.length, asked, "it was not asked");
    const metrics = await (await fetch(`http://127.0.0.1:${gateway.sluice.adminPort}/metrics`)).text();
    assert.match(metrics, /^sluice_remote_failing\{remote="analyser names"\} 1$/m);
    assert.match(metrics, /^sluice_remote_calls_total\{[^}]*outcome="timeout"[^}]*\} \d+$/m);
    analyser.behave("well");
    let status = 0;
    for (let waited = 0; waited < 4 * REMOTE_REST_MS && status !== 200; waited += 100) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      ({ status } = await call("pii", PERSON));
    }
    assert.equal(status, 200);
  });
});

describe("a classifier", () => {
  test("refuses what the built-in score lets pass, and the record names it", async () => {
    const run = await call("attack", `Please ${ATTACK} for me.`);
    assert.equal(run.status, 400, run.body);
    assert.equal(run.record.code, "injection_suspected");
    assert.ok(entryOf(run, "injection")?.evidence?.families?.includes("classifier:JAILBREAK"));
    assert.equal(run.sent, undefined);
    assert.equal((await call("attack", "What is a haiku?")).status, 200);
  });

  for (const [name, { how, why }] of Object.entries(faults)) {
    test(`${name}: closed refuses, open passes, builtin goes by the built-in score`, async () => {
      classifier.behave(how);
      try {
        const closed = await call("attack", "What is a haiku?");
        assert.equal(closed.status, 503, closed.body);
        assert.equal(closed.sent, undefined);
        assert.deepEqual([entryOf(closed, "injection")?.verdict, entryOf(closed, "injection")?.reason], ["fault", `${why}; closed`]);
        const open = await call("attack-open", "What is a haiku?");
        assert.equal(open.status, 200);
        assert.equal(entryOf(open, "injection")?.reason, `${why}; open`);
        const alone = await call("attack-builtin", "What is a haiku?");
        assert.equal(alone.status, 200);
        assert.deepEqual(
          [entryOf(alone, "injection")?.verdict, entryOf(alone, "injection")?.reason],
          ["allow", "the classifier did not answer"],
        );
        for (const { tookMs } of [closed, open, alone]) assert.ok(tookMs < WITHIN_MS, `took ${tookMs} ms`);
      } finally {
        classifier.behave("well");
      }
      assert.equal((await call("attack", "What is a haiku?")).status, 200, "and all is well again");
    });
  }
});

test("an edit of the policy has another service asked, without a restart", async () => {
  const other = await startRemote(presidio(["John Doe"]));
  try {
    assert.ok((await call("pii", "John Doe")).sent?.includes("John Doe"));
    await gateway.rewrite(policy.replace(analyser.url, other.url).replace('version: "test.1"', 'version: "test.2"'));
    let sent: string | undefined = "John Doe";
    for (let waited = 0; waited < 5_000 && sent?.includes("John Doe") !== false; waited += 100) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      ({ sent } = await call("pii", "John Doe"));
    }
    assert.match(sent ?? "", /PERSON_/);
  } finally {
    await gateway.rewrite(policy);
    for (let waited = 0; waited < 5_000 && gateway.sluice.policy().loaded.version !== "test.1"; waited += 50)
      await new Promise((resolve) => setTimeout(resolve, 50));
    await other.close();
  }
});

test("dead services: refused, passed or judged without them, as the policy says", async () => {
  await analyser.close();
  await classifier.close();
  assert.equal((await call("pii", PERSON)).status, 503);
  assert.equal((await call("pii-open", PERSON)).status, 200);
  assert.equal((await call("attack", "hi")).status, 503);
  assert.equal((await call("attack-builtin", "hi")).status, 200);
  assert.equal((await call("chat", PERSON)).status, 200, "a use case without them does not notice");
});
