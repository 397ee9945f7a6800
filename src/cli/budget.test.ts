import assert from "node:assert/strict";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { after, before, test } from "node:test";
import { must, openSqlite } from "../../test/ledger/stores.ts";
import { Calendar } from "../core/windows.ts";
import { auditCommand } from "./audit.ts";
import { budgetCommand } from "./budget.ts";
import type { Command } from "./command.ts";

const POLICY = `
apiVersion: sluice/v1
version: "1"
providers: { openai: { format: openai, baseUrl: https://api.openai.com/v1, credential: { env: K }, limits: [{ tokens: 3, window: day }] }, spare: { format: openai, baseUrl: https://spare.example/v1, credential: { env: K } }, paced: { format: openai, baseUrl: https://paced.example/v1, credential: { env: K }, limits: [{ requests: 9, window: 1m }] } }
models: { m: { targets: [{ provider: openai, model: gpt-4o-mini }] } }
tenants:
  acme: { timeZone: Asia/Tokyo, apps: { bot: { useCases: [u], budgets: [{ window: day, usd: 10 }], limits: [{ requests: 9, window: 1m }] } } }
  globex:
    budgets:
      - { window: day, usd: 5 }
      - { per: user, window: day, usd: 1 }
      - { model: [m*, dear], window: day, usd: 8 }
      - { model: m*, per: model, operation: chat, window: day, usd: 9 }
    apps: { a: { useCases: [v] }, b: { useCases: [v], budgets: [{ window: week, tokens: 100 }] }, paced: { useCases: [u], limits: [{ requests: 9, window: 1m }] } }
useCases: { u: {}, v: { budgets: [{ per: app, window: day, usd: 2 }] } }
`;
const DOLLAR = 1_000_000_000;
let dir: string;
before(async () => {
  dir = await mkdtemp(join(tmpdir(), "sluice-budget-"));
  await writeFile(join(dir, "policy.yaml"), POLICY);
});
after(() => rm(dir, { recursive: true, force: true }));

async function run(
  command: Command,
  ...args: readonly string[]
): Promise<{ readonly code: number; readonly out: string; readonly err: string }> {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const env = { SLUICE_POLICY: join(dir, "policy.yaml"), SLUICE_DATA: dir };
  const code = await command.run(args, { stdout, stderr, env, cwd: dir });
  return { code, out: String(stdout.read() ?? ""), err: String(stderr.read() ?? "") };
}
const budget = (...args: readonly string[]) => run(budgetCommand, ...args);
const scopes = async (...args: readonly string[]): Promise<readonly Record<string, unknown>[]> => {
  const { out, code } = await budget("--json", ...args);
  assert.equal(code, 0);
  const page: { readonly scopes: readonly Record<string, unknown>[] } = JSON.parse(out);
  return page.scopes;
};
const WHY = ["--by", "ada", "--reason", "launch day"];

test("list, grant, freeze, thaw, reset: seen, in force, and recorded", async () => {
  const day = new Calendar("Asia/Tokyo").windowAt({ unit: "day" }, Date.now());
  const ledger = await openSqlite(dir);
  const partition = { kind: "tenant", name: "acme" } as const;
  const hold = (exchange: string, dollars: number) =>
    ledger.hold({
      ...{ partition, exchange, leaseMs: 60_000, onLapse: "charge" },
      scopes: [{ key: "app=bot", unit: "nanoUsd", window: day, limit: 10 * DOLLAR, amount: dollars * DOLLAR }],
    });
  assert.equal(must(await hold("a", 4)).kind, "admitted");
  must(await ledger.settle({ partition, exchange: "a", charges: [{ key: "app=bot", unit: "nanoUsd", window: day, amount: 3 * DOLLAR }] }));
  assert.equal(must(await hold("b", 2)).kind, "admitted");

  const [row, ...others] = await scopes("--tenant", "acme");
  assert.deepEqual(others, []);
  const { forecast, exhaustedAt: _exhausted, ...shown } = row ?? {};
  assert.deepEqual(shown, {
    ...{ tenant: "acme", scope: "app=bot", kind: "budget", unit: "usd", window: "day", limit: "10", granted: "0", spent: "3", held: "2" },
    ...{ used: "5", remaining: "5", resetsAt: new Date(day.endMs).toISOString(), frozen: false },
  });
  assert.ok(Number(forecast) >= 3);
  const taken = await budget("grant", "--tenant", "acme", "--scope", "app=bot", "--window", "day", "--usd", "-1", ...WHY);
  assert.equal(taken.code, 0, taken.err);
  const [less] = await scopes("--tenant", "acme");
  assert.deepEqual([less?.["limit"], less?.["granted"], less?.["remaining"]], ["9", "-1", "4"]);
  assert.equal((await budget("grant", "--tenant", "acme", "--scope", "app=bot", "--window", "day", "--usd", "1", ...WHY)).code, 0);
  const table = await budget("--tenant", "acme");
  assert.match(table.out, /TENANT +SCOPE +WINDOW[\s\S]*acme +app=bot +day +usd +10 +3 +2 +5/);

  assert.equal(must(await hold("c", 6)).kind, "refused");
  const granted = await budget("grant", "--tenant", "acme", "--scope", "app=bot", "--window", "day", "--usd", "1.5", ...WHY);
  assert.equal(granted.code, 0, granted.err);
  assert.equal(must(await hold("d", 6)).kind, "admitted");
  assert.equal((await budget("freeze", "--tenant", "acme", "--scope", "app=bot", ...WHY)).code, 0);
  assert.equal(must(await hold("e", 0)).kind, "refused");
  assert.equal((await scopes("--tenant", "acme"))[0]?.["frozen"], true);
  assert.equal((await budget("thaw", "--tenant", "acme", "--scope", "app=bot", ...WHY)).code, 0);
  assert.equal((await budget("reset", "--tenant", "acme", "--scope", "app=bot", "--window", "day", ...WHY)).code, 0);
  const [after] = await scopes("--tenant", "acme");
  assert.deepEqual([after?.["spent"], after?.["held"], after?.["granted"], after?.["frozen"]], ["0", "8", "0", false]);
  await ledger.close();

  const events = await run(auditCommand, "events", "--data", dir, "--json");
  const lines: readonly Record<string, unknown>[] = events.out
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  assert.deepEqual(
    lines.map(({ event, by, tenant, subject, reason }) => [event, by, tenant, subject, reason]),
    ["grant", "grant", "grant", "freeze", "thaw", "reset"].map((what) => [`budget.${what}`, "ada", "acme", "app=bot", "launch day"]),
  );
});

test("budgets that nobody has used yet are shown too", async () => {
  const rows = await scopes("--tenant", "globex");
  assert.deepEqual(
    rows.map(({ scope, window, unit, limit, spent, remaining }) => [scope, window, unit, limit, spent, remaining]),
    [
      ["app=a,useCase=v", "day", "usd", "2", "0", "2"],
      ["tenant", "day", "usd", "5", "0", "5"],
      ["app=b,useCase=v", "day", "usd", "2", "0", "2"],
      ["app=b", "week", "tokens", "100", "0", "100"],
    ],
  );
});

test("limits are those of the policy in force, not those that the last call came with; what the policy has no more is said", async () => {
  const data = await mkdtemp(join(tmpdir(), "sluice-budget-edited-"));
  try {
    const ledger = await openSqlite(data);
    const day = new Calendar("UTC").windowAt({ unit: "day" }, Date.now());
    const partition = { kind: "tenant", name: "globex" } as const;
    const scope = (key: string) => ({ key, unit: "nanoUsd", window: day, limit: 40 * DOLLAR, amount: DOLLAR }) as const;
    const keys = ["tenant", "user=0123456789abcdef", "app=a,useCase=v", "app=gone", "model=dear|m*", "model=m,operation=chat"];
    const answer = await ledger.hold({ partition, exchange: "a", leaseMs: 60_000, onLapse: "charge", scopes: keys.map(scope) });
    assert.equal(must(answer).kind, "admitted");
    must(await ledger.admin.grant(partition, scope("tenant"), 2 * DOLLAR));
    const account = { kind: "account", name: "openai" } as const;
    const tokens = { key: "account", unit: "tokens", window: day, limit: 9, amount: 5 } as const;
    must(await ledger.hold({ partition: account, exchange: "a", leaseMs: 60_000, onLapse: "charge", scopes: [tokens] }));
    await ledger.close();
    const rows = [...(await scopes("--tenant", "globex", "--data", data)), ...(await scopes("--account", "openai", "--data", data))];
    assert.deepEqual(
      rows
        .filter(({ used }) => used !== "0")
        .map(({ scope: key, limit, remaining, inPolicy }) => [key, limit, remaining, inPolicy])
        .sort(),
      [
        ["account", "3", "0", undefined],
        ["app=a,useCase=v", "2", "1", undefined],
        ["app=gone", "40", "39", false],
        ["model=dear|m*", "8", "7", undefined],
        ["model=m,operation=chat", "9", "8", undefined],
        ["tenant", "7", "6", undefined],
        ["user=0123456789abcdef", "1", "0", undefined],
      ],
    );
    const { out } = await budget("--tenant", "globex", "--data", data);
    assert.match(out, /app=gone .* not in the policy/);
  } finally {
    await rm(data, { recursive: true, force: true });
  }
});

test("the window of a rate is the end of its name, also where a model's name has slashes", async () => {
  const data = await mkdtemp(join(tmpdir(), "sluice-budget-rates-"));
  try {
    const ledger = await openSqlite(data);
    const key = "app=bot,model=org/gpt";
    const rate = { kind: "rate", key: `${key}/30s`, requests: 3, windowMs: 30_000, burst: 3 } as const;
    const scopesOf = [rate, { kind: "concurrent", key, limit: 2 } as const];
    must(await ledger.enter({ partition: { kind: "tenant", name: "acme" }, exchange: "a", leaseMs: 60_000, scopes: scopesOf }));
    await ledger.close();
    const rows = (await scopes("--tenant", "acme", "--data", data)).filter(({ kind }) => kind !== "budget");
    assert.deepEqual(
      rows.map(({ kind, window }) => [kind, window]),
      [
        ["rate", "30s"],
        ["concurrent", undefined],
      ],
    );
    const { out } = await budget("--tenant", "acme", "--data", data);
    assert.match(out, /org\/gpt\/30s +30s +requests/);
    assert.match(out, /org\/gpt +- +calls/);
  } finally {
    await rm(data, { recursive: true, force: true });
  }
});

test("scopes of people, and of rates, are known by their rules; what was frozen can be thawed whatever the policy says by now", async () => {
  const acme = ["--tenant", "acme", ...WHY];
  assert.equal((await budget("freeze", "--tenant", "globex", "--scope", "user=0123456789abcdef", ...WHY)).code, 0);
  assert.equal((await budget("reset", "--scope", "app=bot/1m", "--rate", ...acme)).code, 0);
  assert.equal((await budget("freeze", "--scope", "app=bot/1m", ...acme)).code, 0);
  assert.equal((await budget("thaw", "--scope", "app=gone", ...acme)).code, 0);
});

test("what cannot be meant changes nothing", async () => {
  for (const [args, says] of [
    [["grant", "--tenant", "acme", "--scope", "tenant", "--window", "day", "--usd", "1"], /--by and --reason/],
    [["grant", "--tenant", "nobody", "--scope", "tenant", "--window", "day", "--usd", "1", ...WHY], /no tenant nobody/],
    [["grant", "--tenant", "acme", "--scope", "tenant", "--window", "year", "--usd", "1", ...WHY], /--window/],
    [["grant", "--tenant", "acme", "--scope", "tenant", "--window", "day", "--usd", "1e3", ...WHY], /--usd is dollars/],
    [["grant", "--tenant", "acme", "--scope", "tenant", "--window", "day", ...WHY], /--usd and --tokens/],
    [
      ["grant", "--tenant", "globex", "--scope", "app=bb", "--window", "week", "--tokens", "1", ...WHY],
      /no rule .* app=bb of globex.*app=b/,
    ],
    [["freeze", "--tenant", "acme", "--scope", "app=boot", ...WHY], /no rule .* app=boot of acme.*app=bot/],
    [["freeze", "--account", "openai", "--scope", "tenant", ...WHY], /no rule .* tenant of openai.*account/],
    [["freeze", "--tenant", "globex", "--scope", "app=paced", ...WHY], /no rule .* app=paced of globex.*app=paced\/1m/],
    [["freeze", "--account", "spare", "--scope", "account", ...WHY], /no rule .* account of spare.* there is none/],
    [["freeze", "--account", "paced", "--scope", "account", ...WHY], /no rule .* account of paced.* there is account\/1m/],
    [["grant", "--tenant", "acme", "--scope", "app=bot", "--window", "week", "--usd", "1", ...WHY], /no budget of usd by week/],
    [["grant", "--tenant", "acme", "--scope", "app=bot", "--window", "day", "--tokens", "1", ...WHY], /no budget of tokens by day/],
    [["reset", "--tenant", "globex", "--scope", "app=b", "--window", "day", ...WHY], /no budget .*by day/],
    [["reset", "--tenant", "acme", "--scope", "app=bot", "--rate", ...WHY], /no request rate/],
    [["melt"], /there is no melt/],
    [["--ledger", "redis://user:secret@host"], /may hold no user or password/],
  ] as const) {
    const { code, err } = await budget(...args);
    assert.equal(code, 2, args.join(" "));
    assert.match(err, says);
    assert.doesNotMatch(err, /secret/);
  }
});

test("a folder without a ledger: nothing is shown as spent, nothing is done and nothing is made", async () => {
  const empty = await mkdtemp(join(tmpdir(), "sluice-budget-none-"));
  try {
    const change = ["--tenant", "acme", "--scope", "tenant", ...WHY];
    for (const data of [empty, join(empty, "not-there")])
      for (const args of [
        [],
        ["list", "--json"],
        ["grant", "--window", "day", "--usd", "1", ...change],
        ["reset", "--window", "day", ...change],
        ["freeze", ...change],
        ["thaw", ...change],
      ]) {
        const { code, out, err } = await budget(...args, "--data", data);
        assert.equal(code, 1, args.join(" "));
        assert.equal(out, "");
        assert.equal(err.split("\n").length, 2, "one line");
        assert.ok(err.includes(`there is no ledger.db in ${data}`), err);
        assert.match(err, /--data of sluice serve.*make run.*\.run\/records.*when it starts/);
      }
    assert.deepEqual(await readdir(empty), []);
  } finally {
    await rm(empty, { recursive: true, force: true });
  }
});
