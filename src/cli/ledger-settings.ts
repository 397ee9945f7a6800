/** Where limits and budgets are kept: words of the command line and of the environment. Passwords never stand in arguments. */
import { readFileSync } from "node:fs";
import type { RedisAddress, RedisConnection } from "../adapters/redis/connect.ts";
import { err, ok, type Result } from "../core/result.ts";

export interface LedgerSettings {
  /** undefined: `ledger.db` in the data folder. */
  readonly redis: RedisConnection | undefined;
  readonly keyPrefix: string;
  /** Longest that a step waits for the store, milliseconds. */
  readonly deadlineMs: number;
  readonly leaseMs: number;
  /** Share of each limit that a process may spend by itself while the store is gone, whole percent. */
  readonly allowancePercent: number;
}

export const LEDGER_DEFAULTS: LedgerSettings = {
  redis: undefined,
  keyPrefix: "sluice:",
  deadlineMs: 250,
  leaseMs: 30_000,
  allowancePercent: 10,
};

/** `given` is what the command line says. An error is one line and names no secret. */
export function readLedgerSettings(
  given: { readonly url?: string | undefined; readonly allowance?: string | undefined },
  env: Readonly<Record<string, string | undefined>>,
): Result<LedgerSettings, string> {
  if (given.url !== undefined && /^[a-z+]+:\/\/[^/]*@/.test(given.url))
    return err(
      "--ledger may hold no user or password, which everybody on the machine could read: put the URL into SLUICE_LEDGER_URL, or into a file named by SLUICE_LEDGER_FILE",
    );
  const file = env["SLUICE_LEDGER_FILE"];
  let text = given.url ?? env["SLUICE_LEDGER_URL"];
  if (text === undefined && file !== undefined && file !== "") {
    try {
      text = readFileSync(file, "utf8").trim();
    } catch (cause) {
      return err(`SLUICE_LEDGER_FILE cannot be read: ${cause instanceof Error && "code" in cause ? String(cause.code) : "unusable"}`);
    }
  }
  const redis = text === undefined || text === "" || text === "embedded" ? ok(undefined) : readRedisUrl(text, env);
  if (!redis.ok) return redis;
  const number = (name: string, value: string | undefined, fallback: number, range: readonly [number, number]): Result<number, string> => {
    const found = value === undefined || value === "" ? fallback : Number(value);
    return Number.isInteger(found) && found >= range[0] && found <= range[1]
      ? ok(found)
      : err(`${name} is a whole number from ${range[0]} to ${range[1]}`);
  };
  const deadlineMs = number("SLUICE_LEDGER_DEADLINE_MS", env["SLUICE_LEDGER_DEADLINE_MS"], LEDGER_DEFAULTS.deadlineMs, [1, 4_000]);
  const leaseS = number("SLUICE_LEDGER_LEASE_SECONDS", env["SLUICE_LEDGER_LEASE_SECONDS"], LEDGER_DEFAULTS.leaseMs / 1000, [1, 3_600]);
  const percent = given.allowance ?? env["SLUICE_LEDGER_ALLOWANCE"];
  const allowance = number("--ledger-allowance", percent, LEDGER_DEFAULTS.allowancePercent, [0, 100]);
  if (!deadlineMs.ok) return deadlineMs;
  if (!leaseS.ok) return leaseS;
  if (!allowance.ok) return allowance;
  const keyPrefix = env["SLUICE_LEDGER_PREFIX"] ?? LEDGER_DEFAULTS.keyPrefix;
  if (/[{}\s]/.test(keyPrefix) || keyPrefix.length > 64)
    return err("SLUICE_LEDGER_PREFIX is at most 64 characters, without braces and spaces");
  return ok({
    redis: redis.value,
    keyPrefix,
    deadlineMs: deadlineMs.value,
    leaseMs: leaseS.value * 1_000,
    allowancePercent: allowance.value,
  });
}

const URL_FORM = /^(redis|rediss)(?:\+(sentinel|cluster))?:\/\/(?:([^:@/]*)(?::([^@/]*))?@)?([^/?]+)(?:\/([^/?]*))?(?:\/(\d+))?$/;
const FORMS =
  "redis://HOST:PORT/DB, rediss:// for TLS, redis+sentinel://HOST:PORT,HOST:PORT/MASTER, redis+cluster://HOST:PORT,HOST:PORT; USER:PASSWORD@ before the host";

function readRedisUrl(text: string, env: Readonly<Record<string, string | undefined>>): Result<RedisConnection, string> {
  const [, scheme, kind, user, password, hosts = "", path, tail] = URL_FORM.exec(text) ?? [];
  if (scheme === undefined) return err(`the ledger's URL has another form than ${FORMS}`);
  const nodes = hosts.split(",").map((host) => readAddress(host, kind === "sentinel" ? 26_379 : 6_379));
  const known = nodes.filter((node) => node !== undefined);
  const [first] = known;
  if (first === undefined || known.length < nodes.length) return err("the ledger's URL has a host that is no HOST:PORT");
  if (kind === undefined && known.length > 1) return err("several hosts are for redis+sentinel:// and redis+cluster://");
  const tls = scheme === "rediss" ? tlsOf(env) : ok(undefined);
  if (!tls.ok) return tls;
  const dbText = kind === "sentinel" ? tail : path;
  const db = dbText === undefined || dbText === "" ? 0 : Number(dbText);
  if (kind !== "cluster" && !(Number.isInteger(db) && db >= 0 && db <= 1_000_000))
    return err("the database in the ledger's URL is no number");
  if (kind === "sentinel" && (path === undefined || path === "")) return err("redis+sentinel:// needs the master's name after the hosts");
  const secure = tls.value === undefined ? {} : { tls: tls.value };
  const decoded = decode(user, password);
  if (!decoded.ok) return decoded;
  const shared = { ...decoded.value, ...secure };
  if (kind === "cluster") return ok({ topology: { kind: "cluster", nodes: known }, ...shared });
  if (kind === "sentinel") {
    const sentinelPassword = env["SLUICE_LEDGER_SENTINEL_PASSWORD"];
    const topology = {
      ...({ kind: "sentinel", master: path ?? "", sentinels: known, db } as const),
      ...(sentinelPassword === undefined ? {} : { sentinelPassword }),
      ...(tls.value === undefined ? {} : { sentinelTls: true }),
    };
    return ok({ topology, ...shared });
  }
  return ok({ topology: { kind: "standalone", ...first, db }, ...shared });
}

/** Percent escapes stand for what a URL cannot hold. */
function decode(user: string | undefined, password: string | undefined): Result<{ username?: string; password?: string }, string> {
  try {
    return ok({
      ...(user === undefined || user === "" ? {} : { username: decodeURIComponent(user) }),
      ...(password === undefined || password === "" ? {} : { password: decodeURIComponent(password) }),
    });
  } catch {
    return err("user or password in the ledger's URL has a broken percent escape");
  }
}

function readAddress(text: string, port: number): RedisAddress | undefined {
  const [, host, given] = /^(\[[0-9a-fA-F:.]+\]|[^:[\]\s]+)(?::(\d{1,5}))?$/.exec(text) ?? [];
  if (host === undefined) return undefined;
  return { host: host.replace(/^\[|\]$/g, ""), port: given === undefined ? port : Number(given) };
}

function tlsOf(env: Readonly<Record<string, string | undefined>>): Result<NonNullable<RedisConnection["tls"]>, string> {
  const files: { ca?: string; cert?: string; key?: string } = {};
  for (const [member, name] of [
    ["ca", "SLUICE_LEDGER_CA"],
    ["cert", "SLUICE_LEDGER_CERT"],
    ["key", "SLUICE_LEDGER_KEY"],
  ] as const) {
    const path = env[name];
    if (path === undefined || path === "") continue;
    try {
      files[member] = readFileSync(path, "utf8");
    } catch (cause) {
      return err(`${name} cannot be read: ${cause instanceof Error && "code" in cause ? String(cause.code) : "unusable"}`);
    }
  }
  return ok(files);
}
