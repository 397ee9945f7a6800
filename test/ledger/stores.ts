import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openRedisLedger, type RedisLedgerOptions } from "../../src/adapters/redis/ledger.ts";
import { openSqliteLedger } from "../../src/adapters/sqlite/ledger.ts";
import type { LedgerPort } from "../../src/ports/ledger.ts";
import { startValkey, type TestValkey } from "../support/valkey.ts";

/** Two stores, one behaviour: a store, and processes that open it. */
export interface TestStore {
  readonly name: string;
  /** One process's view; `clockMs` is the store's time, for those who step it. */
  open(clockMs?: () => number): Promise<LedgerPort>;
  /** Takes everything away. */
  wipe(): Promise<void>;
  stop(): Promise<void>;
}

const failing = (): never => {
  throw new Error("the store failed");
};

export async function sqliteStore(): Promise<TestStore & { readonly dir: () => string }> {
  const root = await mkdtemp(join(tmpdir(), "sluice-ledger-"));
  let generation = 0;
  const dir = (): string => join(root, String(generation));
  return {
    ...{ name: "sqlite", dir },
    open: (clockMs) => openSqlite(dir(), clockMs),
    wipe: async () => {
      generation++;
    },
    stop: () => rm(root, { recursive: true, force: true }),
  };
}
export async function openSqlite(dir: string, clockMs?: () => number): Promise<LedgerPort> {
  const clock = { wallMs: clockMs ?? (() => Date.now()), monotonicMs: () => performance.now() };
  const opened = await openSqliteLedger({ dir, clock, deadlineMs: 5_000, onError: ({ cause }) => console.error(cause) });
  return opened.ok ? opened.value : failing();
}

export async function redisStore(): Promise<TestStore & { readonly server: TestValkey }> {
  const server = await startValkey();
  return {
    ...{ name: "redis", server },
    open: (clockMs) => openRedis(server, clockMs === undefined ? {} : { testClockMs: clockMs }),
    wipe: async () => void (await server.ask("FLUSHALL")),
    stop: () => server.stop(),
  };
}
export function openRedis(
  server: { readonly host: string; readonly port: number },
  more: Partial<RedisLedgerOptions> = {},
): Promise<LedgerPort> {
  return openRedisLedger({
    connection: { topology: { kind: "standalone", host: server.host, port: server.port } },
    ...{ keyPrefix: "sluice:", deadlineMs: 5_000, onChange: () => {}, ...more },
  });
}

/** The value of a result; fails otherwise. */
export function must<T>(
  result: { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: { readonly cause?: unknown } },
): T {
  if (!result.ok) throw new Error("the ledger failed", { cause: result.error.cause });
  return result.value;
}
