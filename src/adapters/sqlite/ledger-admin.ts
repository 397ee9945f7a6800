/** What people do to the embedded ledger; inside a transaction, as in ledger-books.ts. Rare, so nothing is kept prepared. */
import type { DatabaseSync, SQLOutputValue } from "node:sqlite";
import { LEDGER_WINDOW_KEPT_MS } from "../../core/limits.ts";
import type { LedgerPage, LedgerRow, Partition, WindowRef } from "../../ports/ledger.ts";
import { addWhole, parseWindowId, partitionId, rateLevel, windowId } from "../../ports/ledger-terms.ts";

const TABLES = ["windows", "rates", "slots"] as const;

export class LedgerAdminBooks {
  readonly #database: DatabaseSync;

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  /** The cursor is the table's number and the last row's id. */
  list(partition: Partition, page: { readonly cursor?: string; readonly limit: number }, nowMs: number): LedgerPage {
    const part = partitionId(partition);
    const [, number = "0", after = ""] = /^(\d)([\s\S]*)$/.exec(page.cursor ?? "") ?? [];
    const rows: LedgerRow[] = [];
    let from = after;
    for (let table = Number(number); table < TABLES.length; table++) {
      const found = this.#rows(TABLES[table] ?? "windows", { part, after: from, limit: page.limit - rows.length }, nowMs);
      rows.push(...found.rows);
      if (rows.length >= page.limit) return { rows, cursor: `${table}${found.last}` };
      from = "";
    }
    return { rows, cursor: undefined };
  }

  #rows(
    table: (typeof TABLES)[number],
    { part, after, limit }: { readonly part: string; readonly after: string; readonly limit: number },
    nowMs: number,
  ): { readonly rows: readonly LedgerRow[]; readonly last: string } {
    const running = table === "windows" ? `AND end_ms > ${nowMs}` : table === "rates" ? `AND tat_us > ${nowMs * 1_000}` : "";
    const found = this.#database
      .prepare(
        `SELECT *, EXISTS (SELECT 1 FROM frozen WHERE frozen.part = ${table}.part AND frozen.id =
          ${table === "windows" ? "substr(windows.id, instr(windows.id, ':') + 1)" : `${table}.id`}) AS is_frozen
         FROM ${table} WHERE part = ? AND id > ? ${running} ORDER BY id LIMIT ?`,
      )
      .all(part, after, limit);
    const rows = found.flatMap((row): readonly LedgerRow[] => {
      const [id, frozen] = [text(row, "id"), whole(row, "is_frozen") === 1];
      if (table === "slots")
        return [{ kind: "concurrent", key: id, limit: whole(row, "lim"), used: whole(row, "used"), resetsAtMs: undefined, frozen }];
      if (table === "rates") {
        const scope = { key: id, burst: whole(row, "burst"), costUs: whole(row, "cost_us") };
        return [{ kind: "rate", ...rateLevel(scope, whole(row, "tat_us"), nowMs * 1_000), frozen }];
      }
      const ref = parseWindowId(id);
      if (ref === undefined) return [];
      const [limit, granted, spent, held] = [whole(row, "lim"), whole(row, "granted"), whole(row, "spent"), whole(row, "held")];
      const remaining = Math.max(0, addWhole(limit, granted) - addWhole(spent, held));
      return [{ kind: "budget", ...ref, limit, granted, spent, held, remaining, frozen }];
    });
    const last = found.at(-1);
    return { rows, last: last === undefined ? after : text(last, "id") };
  }

  grant(partition: Partition, window: WindowRef, amount: number, nowMs: number): void {
    if (nowMs >= window.window.endMs + LEDGER_WINDOW_KEPT_MS) return;
    this.#database
      .prepare("INSERT INTO windows VALUES (?1, ?2, ?3, 0, 0, 0, ?4) ON CONFLICT DO UPDATE SET granted = granted + ?4")
      .run(partitionId(partition), windowId(window), window.window.endMs, amount);
  }

  reset(partition: Partition, scope: WindowRef | { readonly rate: string }): void {
    const part = partitionId(partition);
    if ("rate" in scope) this.#database.prepare("DELETE FROM rates WHERE part = ? AND id = ?").run(part, scope.rate);
    else this.#database.prepare("UPDATE windows SET spent = 0, granted = 0 WHERE part = ? AND id = ?").run(part, windowId(scope));
  }

  freeze(partition: Partition, key: string, frozen: boolean): void {
    const sql = frozen ? "INSERT OR IGNORE INTO frozen VALUES (?, ?)" : "DELETE FROM frozen WHERE part = ? AND id = ?";
    this.#database.prepare(sql).run(partitionId(partition), key);
  }
}

type Row = Record<string, SQLOutputValue>;
const whole = (row: Row, column: string): number => Number(row[column]);
const text = (row: Row, column: string): string => String(row[column]);
