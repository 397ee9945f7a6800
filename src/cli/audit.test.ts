import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import fc from "fast-check";
import { property } from "../../test/support/property.ts";
import type { ExchangeRecord } from "../core/record.ts";
import { linesBackward, linesForward } from "./audit/files.ts";
import { auditCommand } from "./audit.ts";

const MAIN = join(import.meta.dirname, "../main.ts");

function folder(t: Pick<TestContext, "after">): string {
  const dir = mkdtempSync(join(tmpdir(), "sluice-audit-cli-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

function record(id: string, second: number, more: Partial<ExchangeRecord> = {}): ExchangeRecord {
  return {
    v: 1,
    id,
    time: new Date(Date.UTC(2026, 10, 23, 10, 0, second)).toISOString(),
    requestId: `req-${id}`,
    tenant: "acme",
    app: "bot",
    useCase: "chat",
    method: "POST",
    path: "/v1/chat/completions",
    surface: "openai.chat",
    operation: "chat",
    policy: { name: "acme/bot/chat", version: "7", hash: "a".repeat(64) },
    stages: [{ stage: "access", mode: "enforce", verdict: "allow", us: 12 }],
    decision: "allowed",
    model: "gpt-4o-mini",
    target: { provider: "openai", model: "gpt-4o-mini-2024", cluster: "p.openai" },
    servedBy: "p.openai",
    attempts: 1,
    status: 200,
    ending: "served",
    answer: { complete: true, finishReasons: ["stop"] },
    usage: { inputTokens: 10, outputTokens: 5, reported: {} },
    cost: { nanoUsd: 4_500, price: "policy", estimated: false },
    ms: { total: 500, sidecar: 1, decided: 2, upstream: 100, firstToken: 110 },
    bytes: { request: 100, answer: 200 },
    digests: { request: "b".repeat(64) },
    ...more,
  };
}
const refused: Partial<ExchangeRecord> = { decision: "refused", ending: "refused", code: "rate_limited", status: 429 };
const lines = (...records: readonly ExchangeRecord[]): string => records.map((one) => `${JSON.stringify(one)}\n`).join("");

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}
async function audit(dir: string, ...args: readonly string[]): Promise<Ran> {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const text = { out: "", err: "" };
  stdout.on("data", (chunk: Buffer) => {
    text.out += chunk.toString();
  });
  stderr.on("data", (chunk: Buffer) => {
    text.err += chunk.toString();
  });
  const code = await auditCommand.run(["--data", dir, ...args], { stdout, stderr, env: {}, cwd: dir });
  await sleep(1);
  return { code, ...text };
}
const ids = (ran: Ran): readonly string[] =>
  ran.out
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line).id);

/** Two writers, one of them with rotated files. */
function twoWriters(dir: string): void {
  writeFileSync(join(dir, "records-0-20261123T100010000Z.jsonl"), lines(record("a-one", 1), record("c-three", 3, refused)));
  writeFileSync(join(dir, "records-0-20261123T100020000Z.jsonl"), lines(record("e-five", 5, { tenant: "beta", model: "big" })));
  writeFileSync(join(dir, "records-0.jsonl"), lines(record("g-seven", 7)));
  writeFileSync(join(dir, "records-1.jsonl"), lines(record("b-two", 2), record("d-four", 4), record("f-six", 6)));
}

test("list: all writers and rotated files in the order they ended; the latest first chosen, newest last", async (t) => {
  const dir = folder(t);
  twoWriters(dir);
  assert.deepEqual(ids(await audit(dir, "--json")), ["a-one", "b-two", "c-three", "d-four", "e-five", "f-six", "g-seven"]);
  assert.deepEqual(ids(await audit(dir, "--json", "--limit", "3")), ["e-five", "f-six", "g-seven"]);
  assert.deepEqual(ids(await audit(dir, "--json", "--limit", "0")), ["a-one", "b-two", "c-three", "d-four", "e-five", "f-six", "g-seven"]);
  const table = await audit(dir);
  assert.equal(table.out.trimEnd().split("\n").length, 8);
  assert.match(table.out, /c-three .*rate_limited +429/);
  assert.ok(!table.out.includes("\x1b"), "no colours where there is no terminal");
});

test("filters: each picks what it names, several together", async (t) => {
  const dir = folder(t);
  const trial = record("trial", 9, { stages: [{ stage: "caps", mode: "shadow", verdict: "deny", code: "cost_cap" }] });
  const dear = record("dear", 8, {
    cost: { nanoUsd: 60_000_000, price: "p", estimated: false },
    ms: { total: 9_000, sidecar: 1 },
    user: "ann",
  });
  writeFileSync(
    join(dir, "records-0.jsonl"),
    lines(record("plain", 1), record("no", 2, { ...refused, status: 429 }), record("b", 3, { tenant: "beta" }), dear, trial),
  );
  const cases: readonly (readonly [readonly string[], readonly string[]])[] = [
    [["--tenant", "beta"], ["b"]],
    [["--tenant", "beta,acme", "--code", "rate_limited"], ["no"]],
    [["--decision", "refused"], ["no"]],
    [["--ending", "refused"], ["no"]],
    [["--status", "4xx"], ["no"]],
    [["--status", "429,500"], ["no"]],
    [["--user", "ann"], ["dear"]],
    [["--min-cost", "0.05"], ["dear"]],
    [["--min-ms", "1000"], ["dear"]],
    [["--would-deny", "any"], ["trial"]],
    [["--would-deny", "rate_limited"], []],
    [["--model", "gpt-4o-mini-2024", "--tenant", "beta"], ["b"]],
    [["--id", "dea"], ["dear"]],
    [["--id", "req-dear"], ["dear"]],
    [
      ["--since", "2026-11-23T10:00:08Z"],
      ["dear", "trial"],
    ],
    [["--since", "2026-11-23T10:00:02", "--until", "2026-11-23 10:00:03"], ["no"]],
    [["--policy", "8"], []],
  ];
  for (const [args, expected] of cases) {
    const ran = await audit(dir, "--json", ...args);
    assert.deepEqual([...ids(ran)].sort(), [...expected].sort(), args.join(" "));
    assert.equal(ran.code, 0);
  }
});

test("torn and foreign lines are skipped and said; an unfinished last line is not yet one", async (t) => {
  const dir = folder(t);
  const deep = `${"[".repeat(100_000)}`;
  writeFileSync(
    join(dir, "records-0.jsonl"),
    `${lines(record("one", 1))}{"v":1,"id":"torn","ti\nnot json\n${deep}\n[1]\n{"v":1}\n\n${lines(record("two", 2))}{"v":1,"id":"half`,
  );
  for (const limit of ["50", "0"]) {
    const ran = await audit(dir, "--json", "--limit", limit);
    assert.deepEqual(ids(ran), ["one", "two"]);
    assert.match(ran.err, /5 lines that are no records were skipped/);
  }
});

test("a line too long to be a record is passed over, forwards and backwards", async (t) => {
  const dir = folder(t);
  writeFileSync(join(dir, "records-0.jsonl"), `${lines(record("one", 1))}"${"x".repeat(3_000_000)}"\n${lines(record("two", 2))}`);
  for (const limit of ["50", "0"]) assert.deepEqual(ids(await audit(dir, "--json", "--limit", limit)), ["one", "two"]);
});

const anyLine = fc.oneof(
  fc.string({ maxLength: 20 }),
  fc.integer({ min: 200_000, max: 300_000 }).map((length) => "ü".repeat(length)),
);
property(
  "lines forwards and backwards are the same, for any lengths and newlines",
  fc.tuple(fc.array(anyLine, { maxLength: 5 }), fc.boolean()),
  async ([texts, ended]) => {
    const dir = mkdtempSync(join(tmpdir(), "sluice-audit-lines-"));
    const path = join(dir, "any");
    const clean = texts.map((text) => text.replaceAll("\n", " ").toWellFormed());
    writeFileSync(path, clean.join("\n") + (ended ? "\n" : ""));
    const whole = (ended ? clean : clean.slice(0, -1)).filter((line) => line !== "");
    const read = async (source: AsyncGenerator<string>): Promise<readonly string[]> => {
      const all: string[] = [];
      for await (const line of source) if (line !== "") all.push(line);
      return all;
    };
    try {
      assert.deepEqual(await read(linesForward(path)), whole);
      assert.deepEqual((await read(linesBackward(path))).toReversed(), whole);
    } finally {
      rmSync(dir, { recursive: true });
    }
  },
  40,
);

test("show: the whole chain by id, beginning of an id, request id or trace; another text is not found", async (t) => {
  const dir = folder(t);
  const trace = { id: "c".repeat(32), span: "d".repeat(16), sampled: true };
  const stages: ExchangeRecord["stages"] = [
    { stage: "access", mode: "enforce", verdict: "allow", us: 12 },
    { stage: "caps", mode: "shadow", verdict: "deny", code: "cost_cap", reason: "0.05 USD over 0.02", us: 1_500 },
  ];
  writeFileSync(
    join(dir, "records-0.jsonl"),
    lines(record("1111-aaaa", 1), record("2222-bbbb", 2, { trace, stages, user: "ann\x1b[31m" })),
  );
  for (const id of ["2222-bbbb", "2222", "req-2222-bbbb", trace.id]) {
    const { out, code } = await audit(dir, "show", id);
    assert.equal(code, 0);
    for (const sign of [
      "2222-bbbb",
      "acme",
      "would deny",
      "cost_cap",
      "0.05 USD over 0.02",
      "1.5 ms",
      "p.openai",
      "+110 ms",
      "10 tokens",
      "$0.0000045",
      trace.span,
      "b".repeat(64),
    ])
      assert.ok(out.includes(sign), `${sign} in\n${out}`);
    assert.ok(!out.includes("\x1b"), "nothing that speaks to a terminal");
    assert.ok(!out.includes("1111-aaaa"));
  }
  const none = await audit(dir, "show", "3333");
  assert.equal(none.code, 1);
  assert.match(none.err, /no exchange 3333/);
  const json: ExchangeRecord = JSON.parse((await audit(dir, "show", "1111", "--json")).out);
  assert.deepEqual(json, record("1111-aaaa", 1));
  writeFileSync(
    join(dir, "open-0.jsonl"),
    `{"journal":1,"began":"x"}\n${JSON.stringify({ id: "4444-open", time: "2026-11-23T10:00:09.000Z" })}\n`,
  );
  assert.match((await audit(dir, "show", "4444")).err, /4444-open left at .* has no record yet/);
});

test("sum: totals are those of the records; dearest first; JSON in whole nano-dollars", async (t) => {
  const dir = folder(t);
  twoWriters(dir);
  const { out } = await audit(dir, "sum", "--by", "tenant,model", "--json");
  const groups = out
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));
  assert.deepEqual(
    groups.map(({ tenant, model, calls, refused: no, inputTokens, nanoUsd }) => [tenant, model, calls, no, inputTokens, nanoUsd]),
    [
      ["acme", "gpt-4o-mini", 6, 1, 60, 27_000],
      ["beta", "big", 1, 0, 10, 4_500],
    ],
  );
  assert.ok(Math.abs(groups[0].ms.p50 / 500 - 1) < 0.06);
  const table = await audit(dir, "sum", "--by", "code", "--tenant", "acme");
  assert.match(table.out, /^all +6 +1 +0 +60 +30 +\$0\.000027 /m);
});

test("wrong words are told with what is right, exit 2; no folder or no records, exit 1", async (t) => {
  const dir = folder(t);
  twoWriters(dir);
  for (const args of [
    ["list", "more"],
    ["shout"],
    ["show"],
    ["show", "abc"],
    ["sum", "--by", "mood"],
    ["--status", "9"],
    ["--since", "yesterday"],
    ["--min-cost", "much"],
    ["--limit", "-1"],
    ["--nothing"],
    ["--by", "tenant"],
    ["sum", "--follow"],
  ])
    assert.equal((await audit(dir, ...args)).code, 2, args.join(" "));
  assert.equal((await audit(join(dir, "absent"))).code, 1);
  assert.equal((await audit(folder(t))).code, 1);
  assert.match((await audit(dir, "--tenant", "nobody")).err, /no record matches/);
});

interface Following {
  readonly child: ChildProcess;
  readonly seen: () => readonly string[];
  until(count: number): Promise<void>;
}
function following(t: TestContext, dir: string, ...args: readonly string[]): Following {
  const child = spawn(process.execPath, [MAIN, "audit", "--follow", "--json", "--data", dir, ...args], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  t.after(() => child.kill("SIGKILL"));
  let text = "";
  child.stdout.on("data", (chunk: Buffer) => {
    text += chunk.toString();
  });
  const seen = (): readonly string[] =>
    text
      .split("\n")
      .slice(0, -1)
      .map((line) => JSON.parse(line).id);
  return {
    child,
    seen,
    until: async (count) => {
      for (let waited = 0; waited < 10_000 && seen().length < count; waited += 20) await sleep(20);
      assert.ok(seen().length >= count, `${seen().join(" ")} is fewer than ${count}`);
    },
  };
}

test("follow: what is there, then what comes, once each, through rotations, a cut line and a new writer; Ctrl-C ends it", {
  timeout: 60_000,
}, async (t) => {
  const dir = folder(t);
  const file = join(dir, "records-0.jsonl");
  writeFileSync(file, lines(record("old-1", 1), record("old-2", 2)));
  const tail = following(t, dir);
  await tail.until(2);
  await sleep(300);
  const expected = ["old-1", "old-2"];
  const add = (id: string, to = file): void => {
    expected.push(id);
    appendFileSync(to, lines(record(id, 3)));
  };
  add("new-1");
  const cut = lines(record("new-2", 4));
  appendFileSync(file, cut.slice(0, 50));
  await sleep(300);
  appendFileSync(file, cut.slice(50));
  expected.push("new-2");
  // Two rotations between two looks, each with records that are told only if both old files are read.
  add("new-3");
  renameSync(file, join(dir, "records-0-20261123T100030000Z.jsonl"));
  add("new-4");
  renameSync(file, join(dir, "records-0-20261123T100040000Z.jsonl"));
  add("new-5");
  await tail.until(expected.length);
  add("other-1", join(dir, "records-1.jsonl"));
  rmSync(join(dir, "records-0-20261123T100030000Z.jsonl"));
  await tail.until(expected.length);
  add("new-6");
  await tail.until(expected.length);
  await sleep(500);
  assert.deepEqual(tail.seen(), expected);
  tail.child.kill("SIGINT");
  const [code] = await once(tail.child, "exit");
  assert.equal(code, 0);
});

test("a reader that leaves ends it quietly, a large file takes bounded memory and is read from its end at once", {
  timeout: 60_000,
}, async (t) => {
  const dir = folder(t);
  const file = join(dir, "records-0.jsonl");
  const block = lines(...Array.from({ length: 1_000 }, (_, index) => record(`x-${index}`, index % 60)));
  writeFileSync(file, "");
  for (let index = 0; index < 60; index++) appendFileSync(file, block);
  const run = async (
    ...args: readonly string[]
  ): Promise<{ readonly code: number | null; readonly ms: number; readonly err: string; readonly rssMib: number }> => {
    const begun = performance.now();
    const report = "process.on('exit', () => process.stderr.write('rss=' + process.resourceUsage().maxRSS))";
    const child = spawn(
      process.execPath,
      ["--import", `data:text/javascript,${encodeURIComponent(report)}`, MAIN, "audit", "--data", dir, ...args],
      { stdio: ["ignore", "pipe", "pipe"] },
    );
    let err = "";
    child.stderr.on("data", (chunk: Buffer) => {
      err += chunk.toString();
    });
    child.stdout.once("data", () => {
      if (args.includes("0")) child.stdout.destroy();
      else child.stdout.resume();
    });
    const [code] = await once(child, "close");
    return { code, ms: performance.now() - begun, err, rssMib: Number(/rss=(\d+)/.exec(err)?.[1]) / 1024 };
  };
  const gone = await run("--limit", "0");
  assert.equal(gone.code, 0, gone.err);
  assert.ok(!gone.err.includes("EPIPE"), gone.err);
  const whole = await run("sum", "--by", "tenant");
  assert.equal(whole.code, 0, whole.err);
  assert.ok(whole.rssMib < 250, `${whole.rssMib} MiB`);
  const latest = await run("--limit", "5");
  assert.equal(latest.code, 0);
  assert.ok(latest.ms < whole.ms, `${latest.ms} ms for the latest, ${whole.ms} ms for all`);
});

test("events: what people did, oldest first, of the tenants and times asked for; no skipped lines, no records", async (t) => {
  const dir = folder(t);
  const event = (id: string, second: number, tenant: string): string =>
    `${JSON.stringify({
      v: 1,
      event: "budget.grant",
      id,
      time: new Date(Date.UTC(2026, 10, 23, 10, 0, second)).toISOString(),
      by: "ada",
      tenant,
      subject: "tenant:acme/day",
      reason: "launch\x1b[31m",
      details: { nanoUsd: 5_000_000_000 },
    })}\n`;
  writeFileSync(join(dir, "records-0.jsonl"), lines(record("a", 1)) + event("e2", 9, "acme"));
  writeFileSync(join(dir, "records-1.jsonl"), event("e1", 3, "beta") + lines(record("b", 4)));
  const table = await audit(dir, "events");
  assert.equal(table.code, 0);
  assert.equal(table.err, "");
  assert.match(table.out, /10:00:03 .*beta[\s\S]*10:00:09 .*budget\.grant +acme +tenant:acme\/day +ada +nanoUsd=5000000000 +launch/);
  assert.ok(!table.out.includes("\x1b"));
  assert.deepEqual(ids(await audit(dir, "events", "--json", "--tenant", "acme")), ["e2"]);
  assert.deepEqual(ids(await audit(dir, "events", "--json", "--until", "2026-11-23T10:00:05Z")), ["e1"]);
  assert.deepEqual(ids(await audit(dir, "--json")), ["a", "b"]);
  assert.equal((await audit(dir, "--json")).err, "");
});
