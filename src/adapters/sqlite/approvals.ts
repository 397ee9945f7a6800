/**
 * Approvals in one SQLite file that the processes of a host share (WAL). Each step is one transaction, written through to the disk:
 * a grant that was used is used, whatever happens next. Arguments and kept answers are sealed with keys of the tenant; digests are
 * keyed, so that the file tells nobody what was asked for.
 */
import type { DatabaseSync, SQLOutputValue } from "node:sqlite";
import { plainName } from "../../core/credentials.ts";
import {
  APPROVAL_KEPT_MS,
  APPROVAL_TELLING_MS,
  APPROVALS_PENDING_MAX,
  TAINT_KEPT_MS,
  TAINTED_CONVERSATIONS_MAX,
  WITHHELD_BYTES_MAX,
} from "../../core/limits.ts";
import { err, ok, type Result } from "../../core/result.ts";
import type { PortError } from "../../core/stage.ts";
import type {
  Approval,
  ApprovalCall,
  ApprovalStatus,
  ApprovalsPort,
  ApprovalTerms,
  AskAnswer,
  ClaimAnswer,
  HeldAnswer,
  HeldFor,
  HeldState,
  VoteProblem,
} from "../../ports/approvals.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Keyring } from "../../ports/keyring.ts";
import { approvalOf, type Row } from "./approvals-row.ts";
import { APPROVALS_SCHEMA, NEW_APPROVAL, newApprovalId } from "./approvals-schema.ts";
import { openDatabase, Statements } from "./database.ts";

/** A step of an approval's life, for the evidence. */
export interface ApprovalStep {
  readonly step: "requested" | "approved" | "rejected" | "used" | "returned" | "expired" | "voted";
  /** Who: an approver, or `sluice`. */
  readonly by: string;
  readonly approval: Approval;
  /** An approver's own words. */
  readonly reason?: string;
}
export interface SqliteApprovalsOptions {
  /** Folder of `approvals.db`; made where it is not there. */
  readonly dir: string;
  readonly clock: Clock;
  readonly keyring: Keyring;
  /** Told of every step, once, by the process that made it. */
  readonly onStep: (step: ApprovalStep) => void;
}

/** Longest that a step waits for another process, milliseconds; the event loop stands still so long. */
const BUSY_MS = 50;
/** Rows that one step removes or ends at most. */
const HOUSE_AT_ONCE = 100;

/** Opens the store; an error says why the file cannot be used. */
export async function openSqliteApprovals(options: SqliteApprovalsOptions): Promise<Result<ApprovalsPort, PortError>> {
  try {
    const database = await openDatabase({
      dir: options.dir,
      name: "approvals.db",
      schema: APPROVALS_SCHEMA,
      synchronous: "full",
      busyMs: BUSY_MS,
    });
    return ok(new SqliteApprovals(database, options));
  } catch (cause) {
    return err({ code: "unavailable", cause });
  }
}

type Tell = (step: ApprovalStep["step"], by: string, row: Row | undefined, reason?: string) => void;

class SqliteApprovals implements ApprovalsPort {
  readonly #database: DatabaseSync;
  readonly #options: SqliteApprovalsOptions;
  readonly #statements: Statements;

  constructor(database: DatabaseSync, options: SqliteApprovalsOptions) {
    this.#database = database;
    this.#statements = new Statements(database);
    this.#options = options;
  }

  claim(call: ApprovalCall): Result<ClaimAnswer, PortError> {
    const key = this.#callKey(call);
    return this.#step((nowMs, tell): ClaimAnswer => {
      this.#expire(nowMs, tell);
      const rows = this.#known(call.tenant, key, nowMs);
      const granted = rows.find(({ status }) => status === "approved");
      if (granted !== undefined) {
        this.#setStatus(granted, "used", nowMs);
        tell("used", "sluice", granted);
        return { kind: "granted", id: String(granted["id"]) };
      }
      const [known] = rows;
      return known?.["status"] === "rejected" ? { kind: "rejected", id: String(known["id"]) } : { kind: "none" };
    });
  }

  ask(
    calls: readonly ApprovalCall[],
    terms: ApprovalTerms & { readonly exchange: string; readonly policyName: string },
  ): Result<AskAnswer, PortError> {
    const keyed = calls.map((call) => ({ call, key: this.#callKey(call) }));
    return this.#step((nowMs, tell): AskAnswer => {
      this.#expire(nowMs, tell);
      const known = new Map<string, string>();
      const fresh: typeof keyed = [];
      for (const one of keyed) {
        const name = nameOf(one.key);
        if (known.has(name)) continue;
        const [row] = this.#known(one.call.tenant, one.key, nowMs);
        if (row?.["status"] === "rejected") return { kind: "rejected", id: String(row["id"]) };
        if (row === undefined) fresh.push(one);
        known.set(name, row === undefined ? newApprovalId() : String(row["id"]));
      }
      const tenant = fresh[0]?.call.tenant ?? "";
      const [waiting] = this.#all("SELECT count(*) AS n FROM approval WHERE tenant = $tenant AND status = 'pending'", { tenant });
      if (fresh.length > 0 && Number(waiting?.["n"] ?? 0) + fresh.length > APPROVALS_PENDING_MAX) return { kind: "full" };
      const idOf = (key: Uint8Array): string => known.get(nameOf(key)) ?? "";
      for (const { call, key } of fresh) this.#insert(call, key, { ...terms, id: idOf(key), nowMs });
      for (const { key } of fresh) tell("requested", "sluice", this.#row(idOf(key)));
      return { kind: "asked", ids: keyed.map(({ key }) => idOf(key)) };
    });
  }

  /** What is known of a call and not over; a grant before what else there is. */
  #known(tenant: string, key: Uint8Array, nowMs: number): readonly Row[] {
    return this.#all(
      `SELECT * FROM approval WHERE tenant = $tenant AND call = $key AND status IN ('approved', 'pending', 'rejected') AND expires_ms > $nowMs
       ORDER BY status, created_ms`,
      { tenant, key, nowMs },
    );
  }

  #insert(
    call: ApprovalCall,
    key: Uint8Array,
    terms: ApprovalTerms & { readonly exchange: string; readonly policyName: string; readonly id: string; readonly nowMs: number },
  ): void {
    this.#run(NEW_APPROVAL, {
      id: terms.id,
      tenant: call.tenant,
      app: call.app,
      user: call.user ?? null,
      useCase: call.useCase ?? null,
      tool: call.tool,
      key,
      arguments: this.#options.keyring.seal("approval-arguments", call.tenant, Buffer.from(call.arguments)),
      exchange: terms.exchange,
      policyName: terms.policyName,
      policyHash: call.policyHash,
      approvers: terms.approvers,
      lifeMs: terms.lifeMs,
      nowMs: terms.nowMs,
    });
  }

  giveBack(tenant: string, id: string): void {
    this.#step((_nowMs, tell) => {
      const rows = this.#run("UPDATE approval SET status = 'approved' WHERE id = $id AND tenant = $tenant AND status = 'used'", {
        id,
        tenant,
      });
      if (rows > 0) tell("returned", "sluice", this.#row(id));
    });
  }

  keepAnswer(ids: readonly string[], of: HeldFor, { contentType, body }: HeldAnswer): boolean {
    if (body.length > WITHHELD_BYTES_MAX) return false;
    const [sealed, heldFor] = [this.#options.keyring.seal("approval-answer", of.tenant, body), this.#heldKey(of)];
    return this.#step(() => {
      for (const id of ids) {
        const rows = this.#run(
          `UPDATE approval SET held_for = $heldFor, held_type = $contentType, held_body = $sealed
           WHERE id = $id AND tenant = $tenant AND status = 'pending' AND held_for IS NULL`,
          { id, tenant: of.tenant, heldFor, contentType, sealed },
        );
        // All or none: the first to be approved would release what waits for others.
        if (rows !== 1) throw new Error("an approval of the answer does not wait, or keeps another");
      }
    }).ok;
  }

  heldAnswer(of: HeldFor): Result<HeldState, PortError> {
    const heldFor = this.#heldKey(of);
    return this.#step((nowMs, tell): HeldState => {
      this.#expire(nowMs, tell);
      const rows = this.#all("SELECT * FROM approval WHERE tenant = $tenant AND held_for = $heldFor", { tenant: of.tenant, heldFor });
      const is = (status: ApprovalStatus) => rows.find((one) => one["status"] === status);
      const row = is("rejected") ?? is("pending") ?? is("approved");
      if (row === undefined || rows.some((one) => Number(one["expires_ms"]) <= nowMs)) return { kind: "none" };
      const id = String(row["id"]);
      if (row["status"] === "rejected") return { kind: "rejected", id };
      if (row["status"] === "pending")
        return { kind: "pending", ids: rows.filter((one) => one["status"] === "pending").map((one) => String(one["id"])) };
      const body = this.#options.keyring.open("approval-answer", of.tenant, bytesOf(row["held_body"]));
      // Sealed with another key than today's: as if it had not been kept.
      if (!body.ok) return { kind: "none" };
      for (const one of rows) {
        this.#setStatus(one, "used", nowMs);
        tell("used", "sluice", one);
      }
      return { kind: "answer", id, answer: { contentType: String(row["held_type"]), body: body.value } };
    });
  }

  list(
    { tenants, status }: { readonly tenants: readonly string[] | undefined; readonly status: ApprovalStatus | undefined },
    limit: number,
  ): Result<readonly Approval[], PortError> {
    return this.#step((nowMs, tell) => {
      this.#expire(nowMs, tell);
      const rows = this.#all(
        `SELECT * FROM approval WHERE ($status IS NULL OR status = $status)
         AND ($tenants IS NULL OR tenant IN (SELECT value FROM json_each($tenants))) ORDER BY created_ms DESC, id LIMIT $limit`,
        { status: status ?? null, tenants: tenants === undefined ? null : JSON.stringify(tenants), limit },
      );
      return rows.map((row) => this.#approval(row));
    });
  }

  show(id: string): Result<(Approval & { readonly arguments: string }) | undefined, PortError> {
    const found = this.#step((nowMs, tell) => {
      this.#expire(nowMs, tell);
      return this.#row(id);
    });
    if (!found.ok) return found;
    const row = found.value;
    if (row === undefined) return ok(undefined);
    const text = this.#options.keyring.open("approval-arguments", String(row["tenant"]), bytesOf(row["arguments"]));
    if (!text.ok) return text;
    return ok({ ...this.#approval(row), arguments: Buffer.from(text.value).toString("utf8") });
  }

  vote(
    id: string,
    { by, vote, reason }: { readonly by: string; readonly vote: "approve" | "reject"; readonly reason?: string | undefined },
  ): Result<Approval, PortError | { readonly code: VoteProblem }> {
    const done = this.#step((nowMs, tell): Result<Approval, { readonly code: VoteProblem }> => {
      this.#expire(nowMs, tell);
      const row = this.#row(id);
      if (row === undefined) return err({ code: "unknown" });
      if (row["status"] !== "pending") return err({ code: "not_pending" });
      if (typeof row["user"] === "string" && samePerson(row["user"], by)) return err({ code: "requester" });
      if (this.#approval(row).votes.some((cast) => samePerson(cast.by, by))) return err({ code: "voted_before" });
      this.#run("INSERT INTO vote (approval, by, vote, at_ms) VALUES ($id, $by, $vote, $nowMs)", { id, by, vote, nowMs });
      const { votes, approvers } = this.#approval(row);
      const decided = vote === "reject" ? "rejected" : votes.length >= approvers ? "approved" : undefined;
      if (decided !== undefined) this.#setStatus(row, decided, nowMs);
      tell(decided ?? "voted", by, this.#row(id), reason);
      const after = this.#row(id);
      return after === undefined ? err({ code: "unknown" }) : ok(this.#approval(after));
    });
    return done.ok ? done.value : done;
  }

  takeUntold(limit: number): Result<readonly Approval[], PortError> {
    return this.#step((nowMs, tell) => {
      this.#expire(nowMs, tell);
      const rows = [
        ...this.#all("SELECT * FROM approval WHERE told = 0 ORDER BY created_ms LIMIT $limit", { limit }),
        ...this.#all("SELECT * FROM approval WHERE status = 'pending' AND told > 1 AND told <= $nowMs LIMIT $limit", { nowMs, limit }),
      ];
      const until = nowMs + APPROVAL_TELLING_MS;
      for (const { id } of rows) this.#run("UPDATE approval SET told = $until WHERE id = $id", { id: String(id), until });
      return rows.map((row) => this.#approval(row)).filter(({ status }) => status === "pending");
    });
  }

  told(id: string, by: "somebody" | "nobody"): void {
    this.#step(() => this.#run("UPDATE approval SET told = $told WHERE id = $id", { id, told: by === "somebody" ? 1 : 0 }));
  }

  taint(tenant: string, conversation: string): Result<void, PortError> {
    return this.#step((nowMs) => {
      const digest = this.#digest("taint", tenant, [conversation]);
      this.#run(
        "INSERT INTO tainted (tenant, conversation, at_ms) VALUES ($tenant, $digest, $nowMs) ON CONFLICT DO UPDATE SET at_ms = excluded.at_ms",
        { tenant, digest, nowMs },
      );
      this.#run(
        `DELETE FROM tainted WHERE (tenant, conversation) IN (
           SELECT tenant, conversation FROM tainted WHERE tenant = $tenant AND at_ms <= $oldMs LIMIT ${HOUSE_AT_ONCE})`,
        { tenant, oldMs: nowMs - TAINT_KEPT_MS },
      );
      this.#run(
        `DELETE FROM tainted WHERE tenant = $tenant AND at_ms < (
           SELECT at_ms FROM tainted WHERE tenant = $tenant ORDER BY at_ms DESC LIMIT 1 OFFSET ${TAINTED_CONVERSATIONS_MAX})`,
        { tenant },
      );
    });
  }

  isTainted(tenant: string, conversation: string): Result<boolean, PortError> {
    return this.#step((nowMs) => {
      const digest = this.#digest("taint", tenant, [conversation]);
      const rows = this.#all("SELECT 1 FROM tainted WHERE tenant = $tenant AND conversation = $digest AND at_ms > $oldMs", {
        tenant,
        digest,
        oldMs: nowMs - TAINT_KEPT_MS,
      });
      return rows.length > 0;
    });
  }

  close(): void {
    if (this.#database.isOpen) this.#database.close();
  }

  /** One transaction; what it tells is told once it is through. */
  #step<T>(work: (nowMs: number, tell: Tell) => T): Result<T, PortError> {
    const told: ApprovalStep[] = [];
    try {
      this.#database.exec("BEGIN IMMEDIATE");
      const value = work(this.#options.clock.wallMs(), (step, by, row, reason) => {
        if (row !== undefined) told.push({ step, by, approval: this.#approval(row), ...(reason === undefined ? {} : { reason }) });
      });
      this.#database.exec("COMMIT");
      for (const step of told) this.#options.onStep(step);
      return ok(value);
    } catch (cause) {
      if (this.#database.isOpen && this.#database.isTransaction) this.#database.exec("ROLLBACK");
      return err({ code: "unavailable", cause });
    }
  }

  /** Ends what waited too long, and forgets what ended long ago: a few at every step. */
  #expire(nowMs: number, tell: Tell): void {
    const over = this.#all(
      `SELECT * FROM approval WHERE status IN ('pending', 'approved') AND expires_ms <= $nowMs LIMIT ${HOUSE_AT_ONCE}`,
      { nowMs },
    );
    for (const row of over) {
      this.#setStatus(row, "expired", nowMs);
      tell("expired", "sluice", this.#row(String(row["id"])));
    }
    const old = this.#all(
      `SELECT id FROM approval WHERE status IN ('used', 'expired', 'rejected') AND expires_ms <= $oldMs LIMIT ${HOUSE_AT_ONCE}`,
      { oldMs: nowMs - APPROVAL_KEPT_MS },
    );
    for (const { id } of old) {
      this.#run("DELETE FROM vote WHERE approval = $id", { id: String(id) });
      this.#run("DELETE FROM approval WHERE id = $id", { id: String(id) });
    }
  }

  /** A grant holds for its own life again; what is over keeps no answer, nor do the others that its answer waited for. */
  #setStatus(row: Row, status: ApprovalStatus, nowMs: number): void {
    const id = String(row["id"]);
    if (status === "approved")
      this.#run("UPDATE approval SET status = 'approved', expires_ms = $nowMs + life_ms WHERE id = $id", { id, nowMs });
    else if (status === "rejected") this.#run("UPDATE approval SET status = 'rejected', held_body = NULL WHERE id = $id", { id });
    else {
      this.#run("UPDATE approval SET status = $status WHERE id = $id", { id, status });
      this.#run(
        `UPDATE approval SET held_body = NULL, held_for = NULL
         WHERE id = $id OR (tenant = $tenant AND held_for = (SELECT held_for FROM approval WHERE id = $id))`,
        { id, tenant: String(row["tenant"]) },
      );
    }
  }

  #row(id: string): Row | undefined {
    return this.#all("SELECT * FROM approval WHERE id = $id", { id })[0];
  }

  #approval(row: Row): Approval {
    const votes = this.#all("SELECT by, vote, at_ms FROM vote WHERE approval = $id ORDER BY at_ms, by", { id: String(row["id"]) });
    return approvalOf(row, votes);
  }

  /** The use case too: another may ask for more approvers. */
  #callKey({ tenant, app, user, useCase, tool, arguments: text, policyHash }: ApprovalCall): Uint8Array {
    return this.#digest("approval-call", tenant, [app, user ?? null, useCase ?? null, tool, policyHash, text]);
  }
  #heldKey({ tenant, app, user, useCase, policyHash, idempotencyKey, requestDigest }: HeldFor): Uint8Array {
    return this.#digest("approval-held", tenant, [app, user ?? null, useCase ?? null, policyHash, idempotencyKey, requestDigest]);
  }
  #digest(purpose: string, tenant: string, words: readonly (string | null)[]): Uint8Array {
    return Buffer.from(this.#options.keyring.digest(purpose, tenant, JSON.stringify(words)), "hex");
  }

  #all(sql: string, values: Record<string, string | number | null | Uint8Array>): readonly Row[] {
    return this.#statements.of(sql).all(values);
  }
  #run(sql: string, values: Record<string, string | number | null | Uint8Array>): number {
    return Number(this.#statements.of(sql).run(values).changes);
  }
}

const bytesOf = (value: SQLOutputValue | undefined): Uint8Array => (value instanceof Uint8Array ? value : new Uint8Array(0));

const nameOf = (digest: Uint8Array): string => Buffer.from(digest).toString("base64");
const samePerson = (one: string, other: string): boolean => plainName(one) === plainName(other);
