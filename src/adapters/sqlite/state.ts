/**
 * What callers made at providers, in one SQLite file that the processes of a host share (WAL, no fsync on each write: a power cut
 * may lose the last seconds, and what is lost is refused).
 *
 * Writes of one turn of the event loop go into one transaction; one that finds the file locked is tried again a little later, so
 * no exchange waits. A look that finds nothing looks once more after `SECOND_LOOK_MS`, because another process may be about to
 * write what its caller already has. Ids are kept as digests: the file tells nobody what to ask a provider for.
 */
import { hash } from "node:crypto";
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { STATE_KEPT_MS, STATE_PENDING_MAX, STATE_ROWS_MAX } from "../../core/limits.ts";
import { err, ok, type Result } from "../../core/result.ts";
import type { PortError } from "../../core/stage.ts";
import type { CreatedState, StateOwner, StatePlace } from "../../core/state.ts";
import type { Clock } from "../../ports/clock.ts";
import type { KeptState, StatePort, StateStats } from "../../ports/state.ts";
import { openDatabase } from "./database.ts";

export interface SqliteStateOptions {
  /** Folder of `state.db`; made where it is not there. */
  readonly dir: string;
  readonly clock: Clock;
  /** Told once when writing begins to fail, and again after it has worked in between. */
  readonly onError: (fault: { readonly doing: "write"; readonly lost: number; readonly cause: unknown }) => void;
  /** Most things kept for one tenant. */
  readonly rowsMax?: number;
}

/** Wait for another process's lock while serving, milliseconds: the event loop stands still so long. */
const BUSY_MS = 5;
const RETRY_MS = 10;
/** A write that finds the file locked so many times is given up. */
const RETRIES_MAX = 500;
const SECOND_LOOK_MS = 25;
/** Rows that one turn of the event loop removes at most. */
const PRUNED_AT_ONCE = 500;

const SCHEMA = `
CREATE TABLE IF NOT EXISTS kept (
  tenant TEXT NOT NULL, seq INTEGER NOT NULL, app TEXT NOT NULL, thing BLOB NOT NULL,
  provider TEXT NOT NULL, model TEXT NOT NULL, provider_model TEXT NOT NULL, expires_ms INTEGER NOT NULL,
  PRIMARY KEY (tenant, seq)
) WITHOUT ROWID;
CREATE UNIQUE INDEX IF NOT EXISTS kept_thing ON kept (tenant, app, thing);
CREATE INDEX IF NOT EXISTS kept_expires ON kept (expires_ms);
PRAGMA user_version = 1;
`;
const UPGRADES = ["ALTER TABLE kept ADD COLUMN note BLOB; PRAGMA user_version = 2;"];

/** Opens the store; an error says why the file cannot be used. */
export async function openSqliteState(options: SqliteStateOptions): Promise<Result<StatePort, PortError>> {
  try {
    const database = await openDatabase({
      dir: options.dir,
      name: "state.db",
      schema: SCHEMA,
      upgrades: UPGRADES,
      synchronous: "normal",
      busyMs: BUSY_MS,
    });
    return ok(new SqliteState(database, options));
  } catch (cause) {
    return err({ code: "unavailable", cause });
  }
}

type Change = { readonly kept: KeptState } | { readonly forgotten: StateOwner & CreatedState };

class SqliteState implements StatePort {
  readonly #database: DatabaseSync;
  readonly #options: SqliteStateOptions;
  readonly #insert: StatementSync;
  readonly #delete: StatementSync;
  readonly #select: StatementSync;
  readonly #expire: StatementSync;
  readonly #shrink: StatementSync;
  /** Latest change of each thing that is not written yet, oldest first. */
  readonly #pending = new Map<string, Change>();
  #writing: Promise<void> | undefined;
  #lost = 0;
  #failing = false;
  #closed = false;

  constructor(database: DatabaseSync, options: SqliteStateOptions) {
    this.#database = database;
    this.#options = options;
    this.#insert = database.prepare(`
      INSERT INTO kept (tenant, seq, app, thing, provider, model, provider_model, expires_ms, note)
      VALUES ($tenant, (SELECT coalesce(max(seq), 0) + 1 FROM kept WHERE tenant = $tenant), $app, $thing, $provider, $model, $providerModel, $expiresMs, $note)
      ON CONFLICT (tenant, app, thing) DO UPDATE SET
        provider = excluded.provider, model = excluded.model, provider_model = excluded.provider_model, expires_ms = excluded.expires_ms,
        note = coalesce(excluded.note, note)`);
    this.#delete = database.prepare("DELETE FROM kept WHERE tenant = $tenant AND app = $app AND thing = $thing");
    this.#select = database.prepare(
      "SELECT provider, model, provider_model, note FROM kept WHERE tenant = $tenant AND app = $app AND thing = $thing AND expires_ms > $nowMs",
    );
    this.#expire = database.prepare(`
      DELETE FROM kept WHERE (tenant, seq) IN (SELECT tenant, seq FROM kept WHERE expires_ms <= $nowMs ORDER BY expires_ms LIMIT ${PRUNED_AT_ONCE})`);
    this.#shrink = database.prepare(`
      DELETE FROM kept WHERE tenant = $tenant AND seq IN (
        SELECT seq FROM kept WHERE tenant = $tenant AND seq <= (SELECT max(seq) FROM kept WHERE tenant = $tenant) - $rowsMax
        ORDER BY seq LIMIT ${PRUNED_AT_ONCE})`);
  }

  get stats(): StateStats {
    return { pending: this.#pending.size, lost: this.#lost };
  }

  remember(things: readonly KeptState[]): void {
    for (const kept of things) this.#take(keyOf(kept, kept), { kept });
  }

  forget(owner: StateOwner, thing: CreatedState): void {
    this.#take(keyOf(owner, thing), { forgotten: { ...owner, ...thing } });
  }

  async find(owner: StateOwner, things: readonly CreatedState[]): Promise<Result<readonly (StatePlace | undefined)[], PortError>> {
    try {
      const found = things.map((thing) => this.#look(owner, thing));
      if (!found.includes(undefined)) return ok(found);
      await sleep(SECOND_LOOK_MS);
      return ok(found.map((place, index) => place ?? this.#lookAt(owner, things[index])));
    } catch (cause) {
      return err({ code: "unavailable", cause });
    }
  }

  async flush(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    await this.flush();
    this.#closed = true;
    this.#database.close();
  }

  #lookAt(owner: StateOwner, thing: CreatedState | undefined): StatePlace | undefined {
    return thing === undefined ? undefined : this.#look(owner, thing);
  }

  #look(owner: StateOwner, thing: CreatedState): StatePlace | undefined {
    const change = this.#pending.get(keyOf(owner, thing));
    if (change !== undefined) return "kept" in change ? change.kept : undefined;
    const row = this.#select.get({ tenant: owner.tenant, app: owner.app, thing: digestOf(thing), nowMs: this.#options.clock.wallMs() });
    if (row === undefined) return undefined;
    const { note } = row;
    return {
      ...{ provider: String(row["provider"]), model: String(row["model"]), providerModel: String(row["provider_model"]) },
      ...(note instanceof Uint8Array ? { note } : {}),
    };
  }

  #take(key: string, change: Change): void {
    if (this.#closed) return;
    this.#pending.delete(key);
    this.#pending.set(key, change);
    if (this.#pending.size > STATE_PENDING_MAX)
      this.#giveUp([...this.#pending.keys()].slice(0, 1), new Error("too much waits to be written"));
    this.#writing ??= this.#write().finally(() => {
      this.#writing = undefined;
    });
  }

  /** Writes until nothing waits; changes that come meanwhile are taken along. */
  async #write(): Promise<void> {
    let tries = 0;
    while (this.#pending.size > 0) {
      await new Promise((resolve) => setImmediate(resolve));
      const batch = [...this.#pending];
      try {
        this.#commit(batch.map(([, change]) => change));
      } catch (cause) {
        tries++;
        if (isBusy(cause) && tries < RETRIES_MAX) await sleep(RETRY_MS);
        else
          this.#giveUp(
            batch.map(([key]) => key),
            cause,
          );
        continue;
      }
      tries = 0;
      this.#failing = false;
      for (const [key, change] of batch) if (this.#pending.get(key) === change) this.#pending.delete(key);
    }
  }

  #commit(changes: readonly Change[]): void {
    const nowMs = this.#options.clock.wallMs();
    const tenants = new Set<string>();
    this.#database.exec("BEGIN IMMEDIATE");
    try {
      for (const change of changes) {
        if ("kept" in change) {
          const { tenant, app, provider, model, providerModel, note = null } = change.kept;
          tenants.add(tenant);
          const row = { tenant, app, thing: digestOf(change.kept), provider, model, providerModel, note };
          this.#insert.run({ ...row, expiresMs: nowMs + STATE_KEPT_MS });
        } else {
          const { tenant, app } = change.forgotten;
          this.#delete.run({ tenant, app, thing: digestOf(change.forgotten) });
        }
      }
      this.#expire.run({ nowMs });
      for (const tenant of tenants) this.#shrink.run({ tenant, rowsMax: this.#options.rowsMax ?? STATE_ROWS_MAX });
      this.#database.exec("COMMIT");
    } catch (cause) {
      if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
      throw cause;
    }
  }

  #giveUp(keys: readonly string[], cause: unknown): void {
    for (const key of keys) this.#pending.delete(key);
    this.#lost += keys.length;
    if (!this.#failing) this.#options.onError({ doing: "write", lost: this.#lost, cause });
    this.#failing = true;
  }
}

const keyOf = ({ tenant, app }: StateOwner, { kind, id }: CreatedState): string => JSON.stringify([tenant, app, kind, id]);
/** 128 bits: enough that no two ids of one tenant meet. */
const digestOf = ({ kind, id }: CreatedState): Uint8Array => hash("sha256", `${kind}\n${id}`, "buffer").subarray(0, 16);

/** SQLITE_BUSY and SQLITE_LOCKED, with their extended codes (sqlite.org/rescode.html). */
function isBusy(cause: unknown): boolean {
  const code = cause instanceof Error && "errcode" in cause && typeof cause.errcode === "number" ? cause.errcode & 0xff : 0;
  return code === 5 || code === 6;
}
