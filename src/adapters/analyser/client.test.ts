import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import fc from "fast-check";
import { property } from "../../../test/support/property.ts";
import { presidio, type RemoteBehaviour, startRemote, type TestRemote } from "../../../test/support/remote.ts";
import { ANALYSER_PIECE_CHARS_MAX, REMOTE_CHARS_MAX, REMOTE_FAILURES_MAX, REMOTE_REST_MS } from "../../core/limits.ts";
import type { AnalyserSettings } from "../../ports/analyser.ts";
import { RemoteFigures } from "../http/remote-figures.ts";
import { AnalyserClient } from "./client.ts";
import { CodePoints } from "./offsets.ts";
import { openAnalysers } from "./open.ts";

const NEVER = new AbortController().signal;
const PEOPLE = { language: "en", entities: new Set(["person"]) };
const settingsFor = (url: string, more: Partial<AnalyserSettings> = {}): AnalyserSettings => ({
  ...{ kind: "presidio", name: "analyser test", url: `${url}/analyze`, deadlineMs: 300, concurrent: 4, batch: true, minScore: 0.4 },
  ...{ caFile: undefined, header: undefined, entities: new Map([["PERSON", "person"]]) },
  ...more,
});

interface Bench {
  readonly remote: TestRemote;
  readonly client: AnalyserClient;
  readonly logged: string[];
  readonly figures: RemoteFigures;
  pass(ms: number): void;
}
async function bench(
  t: TestContext,
  handler: (body: unknown) => unknown = presidio(["Jane Roe", "😀 Müller"]),
  more: Partial<AnalyserSettings> = {},
): Promise<Bench> {
  const remote = await startRemote(handler);
  const figures = new RemoteFigures();
  const logged: string[] = [];
  const note = (event: string, fields?: unknown): void => void logged.push(`${event} ${JSON.stringify(fields)}`);
  let passed = 0;
  const clock = { wallMs: () => Date.now(), monotonicMs: () => performance.now() + passed };
  const client = new AnalyserClient(settingsFor(remote.url, more), {
    clock,
    log: { debug: note, info: note, warn: note, error: note },
    env: { ANALYSER_KEY: "s3cret" },
    figures,
  });
  t.after(async () => {
    client.close();
    await remote.close();
  });
  return {
    ...{ remote, client, logged, figures },
    pass: (ms) => {
      passed += ms;
    },
  };
}
async function codeOf({ client }: Pick<Bench, "client">, texts: readonly string[] = ["Jane Roe"]): Promise<string> {
  const answer = await client.analyse(texts, PEOPLE, NEVER);
  return answer.ok ? "ok" : answer.error.code;
}

test("findings come back by text, with the policy's names and UTF-16 offsets, in one call", async (t) => {
  const { remote, client } = await bench(t);
  const texts = ["I am Jane Roe.", "", "🎉🎉 for 😀 Müller and Jane Roe", "nobody"];
  const answer = await client.analyse(texts, PEOPLE, NEVER);
  assert.ok(answer.ok);
  const said = answer.value.map((found, at) => found.map(({ entity, start, end }) => [entity, texts[at]?.slice(start, end)]));
  assert.deepEqual(said, [
    [["person", "Jane Roe"]],
    [],
    [
      ["person", "😀 Müller"],
      ["person", "Jane Roe"],
    ],
    [],
  ]);
  assert.equal(remote.asked.length, 1);
  assert.deepEqual(remote.asked[0]?.body, {
    text: [texts[0], texts[2], texts[3]],
    ...{ language: "en", entities: ["PERSON"], score_threshold: 0.4, return_decision_process: false },
  });
});

test("an older Presidio is asked text by text", async (t) => {
  const { remote, client } = await bench(t, undefined, { batch: false });
  const answer = await client.analyse(["Jane Roe", "no one", "ask Jane Roe"], PEOPLE, NEVER);
  assert.deepEqual(answer.ok && answer.value.map((found) => found.map(({ start }) => start)), [[0], [], [4]]);
  assert.deepEqual(
    remote.asked.map(({ body }) => typeof Reflect.get(Object(body), "text")),
    ["string", "string", "string"],
  );
});

test("the generic shape: texts in, findings out", async (t) => {
  const { remote, client } = await bench(t, () => ({ findings: [[{ entity: "PERSON", start: 2, end: 6, score: 1 }]] }), {
    kind: "generic",
  });
  const answer = await client.analyse(["😀 Jane"], PEOPLE, NEVER);
  assert.deepEqual(answer, { ok: true, value: [[{ entity: "person", start: 3, end: 7, score: 1 }]] });
  assert.deepEqual(remote.asked[0]?.body, { version: 1, language: "en", entities: ["PERSON"], min_score: 0.4, texts: ["😀 Jane"] });
});

test("a text longer than one call may hold goes in pieces; what stands on a border is found once", async (t) => {
  const { remote, client } = await bench(t);
  const name = "Jane Roe";
  const before = ANALYSER_PIECE_CHARS_MAX - 300;
  const text = `${"x ".repeat(before / 2)}${`${name} `.repeat(60)}${"y ".repeat(20_000)}`;
  const answer = await client.analyse([text], PEOPLE, NEVER);
  assert.ok(answer.ok);
  const found = answer.value[0] ?? [];
  assert.deepEqual(
    found.map(({ start }) => start),
    Array.from({ length: 60 }, (_, at) => before + at * (name.length + 1)),
  );
  assert.equal(remote.asked.length, 2);
});

test("more text than may be sent is refused without a call", async (t) => {
  const run = await bench(t);
  assert.equal(await codeOf(run, ["a".repeat(REMOTE_CHARS_MAX), "b"]), "unavailable");
  assert.equal(run.remote.asked.length, 0);
});

test("entities that nobody asked for are left out, and none asked for is no call", async (t) => {
  const other = { entity_type: "NRP", start: 0, end: 2, score: 1 };
  const { remote, client } = await bench(t, () => [[other]]);
  assert.deepEqual(await client.analyse(["Jane Roe"], PEOPLE, NEVER), { ok: true, value: [[]] });
  assert.deepEqual(await client.analyse(["Jane Roe"], { language: "en", entities: new Set(["place"]) }, NEVER), { ok: true, value: [[]] });
  assert.equal(remote.asked.length, 1);
});

test("Presidio's findings of different entities may overlap", async (t) => {
  const list = [
    { entity_type: "PERSON", start: 0, end: 8, score: 0.5 },
    { entity_type: "PLACE", start: 5, end: 8, score: 0.8 },
  ];
  const entities = new Map([
    ["PERSON", "person"],
    ["PLACE", "place"],
  ]);
  const { client } = await bench(t, () => [list], { entities });
  const answer = await client.analyse(["Jane Roe"], { language: "en", entities: new Set(["person", "place"]) }, NEVER);
  assert.deepEqual(answer.ok && answer.value[0]?.map(({ entity }) => entity), ["person", "place"]);
});

const finding = (more: object): object => ({ entity_type: "PERSON", start: 0, end: 4, score: 0.9, ...more });
const lies: Readonly<Record<string, unknown>> = {
  "no JSON": undefined,
  "a text in place of a list": "PERSON",
  "fewer lists than texts": [],
  "more lists than texts": [[], []],
  "an end past the text's": [[finding({ end: 9 })]],
  "an end before the start": [[finding({ start: 4, end: 2 })]],
  "an empty stretch": [[finding({ start: 2, end: 2 })]],
  "a start before the text": [[finding({ start: -1 })]],
  "half an offset": [[finding({ start: 0.5 })]],
  "offsets as text": [[finding({ start: "0" })]],
  "a score above one": [[finding({ score: 1.5 })]],
  "no score": [[finding({ score: null })]],
  "no entity": [[finding({ entity_type: undefined })]],
  "a sentence for an entity": [[finding({ entity_type: "Jane Roe said so" })]],
  "null for a finding": [[null]],
};
for (const [name, lie] of Object.entries(lies))
  test(`an answer that cannot be true is corrupt: ${name}`, async (t) => {
    const run = await bench(t, () => lie);
    if (lie === undefined) run.remote.behave({ text: "<html>" });
    assert.equal(await codeOf(run), "corrupt");
  });
test("generic findings that overlap are corrupt", async (t) => {
  const findings = [
    [
      { ...finding({}), entity: "PERSON" },
      { ...finding({ start: 3, end: 8 }), entity: "PERSON" },
    ],
  ];
  assert.equal(await codeOf(await bench(t, () => ({ findings }), { kind: "generic" })), "corrupt");
});

const faults: Readonly<Record<string, readonly [RemoteBehaviour, string]>> = {
  silent: ["silent", "timeout"],
  trickling: ["trickling", "timeout"],
  slow: [{ delayMs: 2_000 }, "timeout"],
  "cut off": ["cut", "unavailable"],
  broken: [{ status: 500 }, "unavailable"],
  elsewhere: [{ status: 302 }, "unavailable"],
  huge: ["huge", "corrupt"],
};
for (const [name, [behaviour, code]] of Object.entries(faults))
  test(`${name}: ${code}, within the deadline`, async (t) => {
    const run = await bench(t);
    run.remote.behave(behaviour);
    const begun = performance.now();
    assert.equal(await codeOf(run), code);
    const took = performance.now() - begun;
    assert.ok(took < 1_500, `took ${took} ms for a deadline of 300`);
  });

test("dead: unavailable", async (t) => {
  const run = await bench(t);
  await run.remote.close();
  assert.equal(await codeOf(run), "unavailable");
});

test("one slow batch is a fault of the whole, not findings of a part", async (t) => {
  const run = await bench(t, (body) => {
    const { text } = Object(body);
    return String(text).includes("nobody") ? [["no finding"]] : presidio(["Jane Roe"])(body);
  });
  assert.equal(await codeOf(run, ["Jane Roe", "x ".repeat(ANALYSER_PIECE_CHARS_MAX / 2), "nobody"]), "corrupt");
});

test("after failures in a row it is left alone; then one call tries it", async (t) => {
  const run = await bench(t);
  run.remote.behave({ status: 503 });
  for (let times = 0; times < REMOTE_FAILURES_MAX; times += 1) assert.equal(await codeOf(run), "unavailable");
  assert.deepEqual(run.logged, ['remote_lost {"name":"analyser test","why":"unavailable: answered 503"}']);
  run.remote.behave({ delayMs: 50 });
  assert.equal(await codeOf(run), "unavailable");
  assert.equal(run.remote.asked.length, REMOTE_FAILURES_MAX, "it is not asked");
  run.pass(REMOTE_REST_MS + 1);
  assert.deepEqual(await Promise.all([codeOf(run), codeOf(run)]), ["ok", "unavailable"], "one call tries");
  assert.equal(await codeOf(run), "ok");
  assert.deepEqual(run.figures.counts, [
    { name: "analyser test", outcome: "unavailable", count: REMOTE_FAILURES_MAX + 2 },
    { name: "analyser test", outcome: "ok", count: 2 },
  ]);
  assert.deepEqual(run.figures.failing, [{ name: "analyser test", failing: false }]);
  assert.deepEqual(run.logged.slice(1), ['remote_back {"name":"analyser test"}']);
});

test("a failed try doubles the rest", async (t) => {
  const run = await bench(t);
  run.remote.behave({ status: 503 });
  for (let times = 0; times < REMOTE_FAILURES_MAX; times += 1) await codeOf(run);
  run.pass(REMOTE_REST_MS + 1);
  await codeOf(run);
  run.remote.behave("well");
  run.pass(REMOTE_REST_MS + 1);
  assert.equal(await codeOf(run), "unavailable");
  run.pass(REMOTE_REST_MS);
  assert.equal(await codeOf(run), "ok");
});

test("callers that leave teach nothing about the service", async (t) => {
  const run = await bench(t);
  run.remote.behave("silent");
  for (let times = 0; times < REMOTE_FAILURES_MAX; times += 1) {
    const answer = await run.client.analyse(["Jane Roe"], PEOPLE, AbortSignal.timeout(5));
    assert.equal(!answer.ok && answer.error.code, "timeout");
  }
  run.remote.behave("well");
  assert.equal(await codeOf(run), "ok");
});

test("few calls run at once; those that wait are served in their time", async (t) => {
  const run = await bench(t, undefined, { concurrent: 2, deadlineMs: 3_000 });
  run.remote.behave({ delayMs: 20 });
  const codes = await Promise.all(Array.from({ length: 10 }, () => codeOf(run)));
  assert.deepEqual(new Set(codes), new Set(["ok"]));
  assert.equal(run.remote.atOnce(), 2);
});

test("connections are kept; one that the service has closed costs nothing", async (t) => {
  const run = await bench(t);
  for (let times = 0; times < 4; times += 1) assert.equal(await codeOf(run), "ok");
  assert.equal(run.remote.connections(), 1);
  run.remote.hangUp();
  assert.equal(await codeOf(run), "ok");
});

test("the key goes where the policy says, from a variable or a file, and is read again", async (t) => {
  const dir = await mkdtemp(join(tmpdir(), "sluice-analyser-"));
  t.after(() => rm(dir, { recursive: true, force: true }));
  const file = join(dir, "key");
  await writeFile(file, "first\n");
  const run = await bench(t, undefined, { header: { name: "authorization", prefix: "Bearer ", file } });
  await codeOf(run);
  await writeFile(file, "second\n");
  run.pass(6_000);
  await codeOf(run);
  await writeFile(file, "");
  run.pass(6_000);
  assert.equal(await codeOf(run), "unavailable", "without its key it is not asked");
  assert.deepEqual(
    run.remote.asked.map(({ headers }) => headers.authorization),
    ["Bearer first", "Bearer second"],
  );
  const other = await bench(t, undefined, { header: { name: "x-key", prefix: "", env: "ANALYSER_KEY" } });
  await codeOf(other);
  assert.equal(other.remote.asked[0]?.headers["x-key"], "s3cret");
});

test("of a new policy: what stays keeps its connection, what goes serves until it is let go", async (t) => {
  const remote = await startRemote(presidio(["Jane Roe"]));
  const log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
  const analysers = openAnalysers({
    clock: { wallMs: () => 0, monotonicMs: () => performance.now() },
    log,
    env: {},
    figures: new RemoteFigures(),
  });
  t.after(async () => {
    analysers.close();
    await remote.close();
  });
  const setting = settingsFor(remote.url);
  analysers.keep(
    new Map([
      ["stays", setting],
      ["goes", setting],
    ]),
  );
  const stays = analysers.find("stays");
  const letGo = analysers.keep(new Map([["stays", settingsFor(remote.url)]]));
  assert.equal(analysers.find("stays"), stays);
  assert.ok(analysers.find("goes") !== undefined, "exchanges of the policy before may still need it");
  letGo();
  assert.equal(analysers.find("goes"), undefined);
  analysers.keep(new Map([["stays", settingsFor(remote.url, { minScore: 0.9 })]]));
  assert.notEqual(analysers.find("stays"), stays);
});

property("offsets in code points become UTF-16 offsets of the same place", fc.string({ unit: "binary", maxLength: 60 }), (text) => {
  const points = new CodePoints(text);
  const all = [...text];
  for (let at = 0; at <= all.length; at += 1) assert.equal(points.of(at), all.slice(0, at).join("").length);
  assert.equal(points.of(all.length + 1), undefined);
});
