import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { assertSubset } from "../../test/support/subset.ts";
import { readLedgerSettings } from "./ledger-settings.ts";

const good: readonly (readonly [string, object])[] = [
  ["redis://localhost", { topology: { kind: "standalone", host: "localhost", port: 6379, db: 0 } }],
  ["redis://ada:p%40ss@10.0.0.1:7000/3", { topology: { host: "10.0.0.1", port: 7000, db: 3 }, username: "ada", password: "p@ss" }],
  ["redis://:only@[::1]:7000", { topology: { host: "::1", port: 7000 }, password: "only" }],
  ["rediss://host", { topology: { host: "host" }, tls: {} }],
  [
    "redis+cluster://a:1,b:2,c",
    { topology: { kind: "cluster", nodes: [{ host: "a", port: 1 }, { host: "b" }, { host: "c", port: 6379 }] } },
  ],
  [
    "redis+sentinel://a,b:1/main/2",
    { topology: { kind: "sentinel", master: "main", db: 2, sentinels: [{ host: "a", port: 26379 }, { port: 1 }] } },
  ],
];
for (const [url, expected] of good)
  test(`a ledger at ${url}`, () =>
    assertSubset(readLedgerSettings({}, { SLUICE_LEDGER_URL: url }), { ok: true, value: { redis: expected } }));

const bad: readonly (readonly [object, Record<string, string>, RegExp])[] = [
  [{ url: "redis://user:secret@host" }, {}, /may hold no user or password/],
  [{}, { SLUICE_LEDGER_URL: "http://host" }, /another form than redis:/],
  [{}, { SLUICE_LEDGER_URL: "redis://a,b" }, /several hosts/],
  [{}, { SLUICE_LEDGER_URL: "redis+sentinel://a" }, /master's name/],
  [{}, { SLUICE_LEDGER_URL: "redis://host/zero" }, /database/],
  [{}, { SLUICE_LEDGER_URL: "redis://:secret%zz@host" }, /percent escape/],
  [{}, { SLUICE_LEDGER_FILE: "/nowhere/at/all" }, /SLUICE_LEDGER_FILE cannot be read: ENOENT/],
  [{}, { SLUICE_LEDGER_URL: "rediss://host", SLUICE_LEDGER_CA: "/nowhere" }, /SLUICE_LEDGER_CA cannot be read/],
  [{ allowance: "101" }, {}, /whole number from 0 to 100/],
  [{}, { SLUICE_LEDGER_DEADLINE_MS: "soon" }, /SLUICE_LEDGER_DEADLINE_MS/],
  [{}, { SLUICE_LEDGER_PREFIX: "{x}" }, /SLUICE_LEDGER_PREFIX/],
];
for (const [given, env, says] of bad)
  test(`refused: ${says.source}`, () => {
    const read = readLedgerSettings(given, env);
    assert.ok(!read.ok);
    assert.match(read.error, says);
    assert.doesNotMatch(read.error, /secret/);
  });

test("nothing said: the embedded store; a file holds the URL", () => {
  assertSubset(readLedgerSettings({}, {}), { ok: true, value: { redis: undefined, leaseMs: 30_000, allowancePercent: 10 } });
  const dir = mkdtempSync(join(tmpdir(), "sluice-ls-"));
  try {
    writeFileSync(join(dir, "url"), "redis://:secret@host:1\n");
    assertSubset(readLedgerSettings({}, { SLUICE_LEDGER_FILE: join(dir, "url") }), { ok: true, value: { redis: { password: "secret" } } });
  } finally {
    rmSync(dir, { recursive: true });
  }
});
