import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { openJsonlAudit } from "../adapters/audit/jsonl.ts";
import { openLog } from "../adapters/log/pino.ts";
import { type LoadedPolicy, loadPolicy } from "../config/load.ts";
import { formatProblem } from "../config/problems.ts";
import { compileSnapshot } from "../config/snapshot.ts";
import { AUDIT_PENDING_BYTES_MAX, LEDGER_PAGE_MAX, MIB } from "../core/limits.ts";
import { parseUsd } from "../core/money.ts";
import type { AuditEvent } from "../core/record.ts";
import { err, ok, type Result } from "../core/result.ts";
import type { PolicySnapshot } from "../core/snapshot.ts";
import { systemClock } from "../ports/clock.ts";
import type { LedgerPort, LedgerRow, Partition, WindowRef } from "../ports/ledger.ts";
import { STAGES } from "../stages/index.ts";
import { secondsOf, userDigest, windowSpec } from "../stages/shared/ledger-rules.ts";
import { paintFor, shown } from "./audit/words.ts";
import { accountLimitOf, accountScopesOf, TenantBudgets } from "./budget/in-force.ts";
import { type BudgetRow, type ScopeRow, scopeRow, scopeTable, windowName } from "./budget/rows.ts";
import { type Command, type CommandIo, usageProblem } from "./command.ts";
import { openKept } from "./ledger.ts";
import { readLedgerSettings } from "./ledger-settings.ts";

const HELP = `sluice budget: what is spent, held and left, and to change it

  sluice budget [list] [--tenant NAME]... [--account NAME]... [--user ID] [--json] [--limit N]
  sluice budget grant  --tenant NAME --scope KEY --window day --usd 10 --by WHO --reason TEXT
  sluice budget reset  --tenant NAME --scope KEY (--window day | --rate) --by WHO --reason TEXT
  sluice budget freeze --tenant NAME --scope KEY --by WHO --reason TEXT
  sluice budget thaw   --tenant NAME --scope KEY --by WHO --reason TEXT

  --policy PATH    the policy: names of tenants and accounts, time zones   (SLUICE_POLICY)
  --data DIR       folder of the embedded store, and of the record of what is done   (SLUICE_DATA)
  --ledger URL     the store, as for sluice serve                           (SLUICE_LEDGER_URL, SLUICE_LEDGER_FILE)
  --tenant NAME    of whom; list: may be repeated, all where absent. --account NAME: a provider account's own quota
  --scope KEY      as the list shows it: tenant, app=bot, app=bot,user=3f2a...
  --user ID        list: only scopes of this user (of each tenant named); the store knows people by digests alone
  --window NAME    day, week, month, or a time such as 1h: the window that is now
  --usd, --tokens  grant: how much more in this window; negative takes away
  --rate           reset: a request rate, whose whole burst is there again
  --limit N        list: rows at most (1000)
  --json           list: one JSON document

grant: room beside the budget, in this window only. reset: spent and granted are nothing again, what is held stays. freeze: refuses all
that names the scope, until it is thawed. A scope or window that no rule of the policy counts in is refused. Each is recorded: sluice audit events. It goes to the store itself, so it counts at once for
all processes. Exit code: 0 done; 1 there is no store, or it or the record failed; 2 wrong usage.
`;

export const budgetCommand: Command = { help: HELP, run };

const OPTIONS = {
  policy: { type: "string" },
  data: { type: "string" },
  ledger: { type: "string" },
  tenant: { type: "string", multiple: true },
  account: { type: "string", multiple: true },
  user: { type: "string" },
  scope: { type: "string" },
  window: { type: "string" },
  usd: { type: "string" },
  tokens: { type: "string" },
  rate: { type: "boolean" },
  by: { type: "string" },
  reason: { type: "string" },
  limit: { type: "string" },
  json: { type: "boolean" },
} as const;
const read = (args: readonly string[]) => parseArgs({ args: withSigns(args), options: OPTIONS, allowPositionals: true, strict: true });
/** `--usd -5` as `--usd=-5`: parseArgs takes a minus for the beginning of an option. */
function withSigns(args: readonly string[]): string[] {
  const joined: string[] = [];
  for (const arg of args) {
    const before = joined.at(-1);
    if (/^-\d/.test(arg) && (before === "--usd" || before === "--tokens")) joined[joined.length - 1] = `${before}=${arg}`;
    else joined.push(arg);
  }
  return joined;
}
type Values = ReturnType<typeof read>["values"];

const LIST_MAX = 1_000;
const ACTIONS = ["grant", "reset", "freeze", "thaw"] as const;
type Action = (typeof ACTIONS)[number];

async function run(args: readonly string[], io: CommandIo): Promise<number> {
  const fail = (problem: string, exit = 2): number => {
    io.stderr.write(`sluice budget: ${problem}${exit === 2 ? "; see sluice budget --help" : ""}\n`);
    return exit;
  };
  let parsed: ReturnType<typeof read>;
  try {
    parsed = read(args);
  } catch (cause) {
    return fail(usageProblem(cause));
  }
  const { values, positionals } = parsed;
  const [verb = "list", ...rest] = positionals;
  const action = ACTIONS.find((known) => known === verb);
  if (rest.length > 0 || (action === undefined && verb !== "list")) return fail(`there is no ${shown(positionals.join(" "))}`);
  const path = values.policy ?? io.env["SLUICE_POLICY"];
  const data = values.data ?? io.env["SLUICE_DATA"];
  if (path === undefined || data === undefined) return fail("--policy and --data are needed");
  const settings = readLedgerSettings({ url: values.ledger }, io.env);
  if (!settings.ok) return fail(settings.error);
  const loaded = await loadPolicy(path, STAGES);
  if (!loaded.ok) return fail(loaded.error.map(formatProblem).join("\n"), 1);
  const log = openLog({ level: "error", stream: io.stderr, color: false });
  // A busy store may take a moment; nobody's call waits for this one.
  const store = await openKept({ ...settings.value, deadlineMs: 4_000 }, data, log);
  if (!store.ok) return fail(store.error, 1);
  try {
    const work = { values, data, loaded: loaded.value, snapshot: compileSnapshot(loaded.value, STAGES), ledger: store.value, io };
    const done = action === undefined ? await list(work) : await act(work, action);
    return done.ok ? 0 : fail(done.error.problem, done.error.exit);
  } finally {
    await store.value.close();
  }
}

interface Work {
  readonly values: Values;
  readonly data: string;
  readonly loaded: LoadedPolicy;
  readonly snapshot: PolicySnapshot;
  readonly ledger: LedgerPort;
  readonly io: CommandIo;
}
interface Problem {
  readonly problem: string;
  readonly exit: 1 | 2;
}
const wrong = (problem: string): { readonly ok: false; readonly error: Problem } => err({ problem, exit: 2 });
const broken = (problem: string): { readonly ok: false; readonly error: Problem } => err({ problem, exit: 1 });

async function list({ values, loaded, snapshot, ledger, io }: Work): Promise<Result<void, Problem>> {
  const limit = Number(values.limit ?? LIST_MAX);
  if (!Number.isInteger(limit) || limit < 1) return wrong("--limit is a whole number, at least 1");
  const named = values.tenant !== undefined || values.account !== undefined;
  const tenants = values.tenant ?? (named ? [] : Object.keys(loaded.document.tenants));
  const accounts = values.account ?? (named ? [] : Object.keys(loaded.document.providers));
  const rows: ScopeRow[] = [];
  const nowMs = systemClock.wallMs();
  for (const partition of [
    ...tenants.map((name): Partition => ({ kind: "tenant", name })),
    ...accounts.map((name): Partition => ({ kind: "account", name })),
  ]) {
    const { name, kind } = partition;
    const calendar = snapshot.calendarOf(kind === "tenant" ? name : "");
    const user = values.user === undefined ? undefined : `user=${userDigest(name, values.user)}`;
    const found = await allRows(
      ledger,
      partition,
      limit - rows.length,
      (row) => user === undefined || row.key.split(/[,/]/).includes(user),
    );
    if (!found.ok) return found;
    const inForce = kind === "tenant" ? new TenantBudgets(loaded, snapshot, name) : undefined;
    const at = {
      nowMs,
      nameOf: (window: WindowRef["window"]) => windowName(window, calendar.windows, calendar.weekStartsOn),
      limitOf: (row: BudgetRow) => (inForce === undefined ? accountLimitOf(loaded, snapshot, name, row) : inForce.limitOf(row)),
    };
    const unused = user === undefined ? (inForce?.unused(found.value, nowMs) ?? []) : [];
    for (const row of [...found.value, ...unused].slice(0, limit - rows.length))
      rows.push(scopeRow(kind === "tenant" ? { tenant: name } : { account: name }, row, at));
    if (rows.length >= limit) break;
  }
  if (values.json === true) io.stdout.write(`${JSON.stringify({ at: new Date(nowMs).toISOString(), scopes: rows }, null, 2)}\n`);
  else if (rows.length === 0) io.stdout.write("nothing is in use\n");
  else io.stdout.write(scopeTable(rows, paintFor(io.stdout.isTTY === true && io.env["NO_COLOR"] === undefined)));
  return ok(undefined);
}

/** Page by page, until as many are found. */
async function allRows(
  ledger: LedgerPort,
  partition: Partition,
  limit: number,
  wanted: (row: LedgerRow) => boolean,
): Promise<Result<readonly LedgerRow[], Problem>> {
  const rows: LedgerRow[] = [];
  let cursor: string | undefined;
  do {
    const page = await ledger.admin.list(partition, { ...(cursor === undefined ? {} : { cursor }), limit: LEDGER_PAGE_MAX });
    if (!page.ok) return broken(`the store cannot be read: ${causeOf(page.error)}`);
    rows.push(...page.value.rows.filter(wanted));
    cursor = page.value.cursor;
  } while (cursor !== undefined && rows.length < limit);
  return ok(rows.slice(0, Math.max(0, limit)));
}

const causeOf = ({ code, cause }: { readonly code: string; readonly cause?: unknown }): string =>
  cause instanceof Error ? `${code}, ${cause.message}` : code;

/** Does it, and records who did it and why; the record is opened first, so that nothing is done that cannot be recorded. */
async function act(work: Work, action: Action): Promise<Result<void, Problem>> {
  const { values, loaded, ledger, io, data } = work;
  const { by, reason, scope } = values;
  const [tenant, ...others] = values.tenant ?? [];
  const [account] = values.account ?? [];
  if (others.length > 0 || (tenant === undefined) === (account === undefined)) return wrong("one --tenant or one --account is needed");
  if (scope === undefined || scope === "") return wrong("--scope is needed, as the list shows it");
  if (by === undefined || by === "" || reason === undefined || reason === "")
    return wrong("--by and --reason are needed: they are recorded");
  if (tenant !== undefined && !Object.hasOwn(loaded.document.tenants, tenant)) return wrong(`there is no tenant ${shown(tenant)}`);
  if (account !== undefined && !Object.hasOwn(loaded.document.providers, account)) return wrong(`there is no provider ${shown(account)}`);
  const partition: Partition = tenant === undefined ? { kind: "account", name: account ?? "" } : { kind: "tenant", name: tenant };
  const change = changeOf(work, action, partition, scope);
  if (!change.ok) return change;
  const idle = action === "thaw" ? undefined : idleProblem(work, partition, scope, change.value);
  if (idle !== undefined) return wrong(idle);
  const audit = await openAudit(data, io);
  if (!audit.ok) return broken(audit.error);
  try {
    const done = await change.value.run(ledger);
    if (!done.ok) return broken(`nothing was done: the store failed: ${causeOf(done.error)}`);
    const event: AuditEvent = {
      ...({ v: 1, event: `budget.${action}`, id: randomUUID(), time: new Date(systemClock.wallMs()).toISOString() } as const),
      ...{ by: by.slice(0, 256), ...(tenant === undefined ? {} : { tenant }) },
      ...{
        subject: tenant === undefined ? `account ${account}: ${scope}` : scope,
        reason: reason.slice(0, 500),
        details: change.value.details,
      },
    };
    audit.value.event(event);
    await audit.value.flush();
    io.stdout.write(`${action}: ${shown(partition.name)} ${shown(scope)}${change.value.says}, by ${shown(by)}\n`);
    return audit.value.stats.failing ? broken("it was done, and could not be recorded") : ok(undefined);
  } finally {
    await audit.value.close();
  }
}

/** Why it would change nothing, although the store would take it: a name that is written wrong must not look like a key that is closed. */
function idleProblem(
  { loaded, snapshot, values }: Work,
  { kind, name }: Partition,
  scope: string,
  { windows }: Change,
): string | undefined {
  const inForce = kind === "tenant" ? new TenantBudgets(loaded, snapshot, name) : undefined;
  const own = accountScopesOf(loaded, name);
  const counts = inForce === undefined ? own.includes(scope) : inForce.counts(scope);
  const known = inForce === undefined ? own : inForce.examples;
  if (!counts)
    return `no rule of the policy counts in the scope ${shown(scope)} of ${shown(name)}, so nothing would change; there is ${known.map(shown).join(", ") || "none"}`;
  if (values.rate === true && (inForce === undefined ? !scope.includes("/") : !inForce.countsRate(scope)))
    return `no request rate has the scope ${shown(scope)}`;
  const limits = windows.map(({ unit, window }) =>
    inForce === undefined ? accountLimitOf(loaded, snapshot, name, { unit, window }) : inForce.limitOf({ key: scope, unit, window }),
  );
  if (windows.length === 0 || limits.some((limit) => limit !== undefined)) return undefined;
  const units = windows.map(({ unit }) => (unit === "tokens" ? "tokens" : "usd")).join(" or ");
  return `no budget of ${units} by ${shown(values.window ?? "")} counts in the scope ${shown(scope)} of ${shown(name)}, so nothing would change`;
}

interface Change {
  /** Of budgets that it changes. */
  readonly windows: readonly Pick<WindowRef, "unit" | "window">[];
  readonly run: (ledger: LedgerPort) => Promise<Result<unknown, { readonly code: string; readonly cause?: unknown }>>;
  readonly details: Readonly<Record<string, string | number>>;
  readonly says: string;
}

function changeOf({ values, snapshot }: Work, action: Action, partition: Partition, scope: string): Result<Change, Problem> {
  if (action === "freeze" || action === "thaw")
    return ok({ run: (ledger) => ledger.admin.freeze(partition, scope, action === "freeze"), windows: [], details: {}, says: "" });
  if (action === "reset" && values.rate === true)
    return ok({ run: (ledger) => ledger.admin.reset(partition, { rate: scope }), windows: [], details: { kind: "rate" }, says: "" });
  const { window } = values;
  const calendars = snapshot.calendarOf(partition.kind === "tenant" ? partition.name : "");
  if (window === undefined || (!["day", "week", "month"].includes(window) && secondsOf(window) === undefined))
    return wrong("--window is needed: day, week, month, or a time such as 1h");
  const at = calendars.windows.windowAt(windowSpec(window, calendars.weekStartsOn), systemClock.wallMs());
  const until = new Date(at.endMs).toISOString();
  if (action === "reset") {
    const units = (["nanoUsd", "tokens"] as const).filter(
      (unit) => (values.usd === undefined) === (values.tokens === undefined) || (unit === "nanoUsd") === (values.usd !== undefined),
    );
    const run: Change["run"] = async (ledger) => {
      let last: Result<unknown, { readonly code: string; readonly cause?: unknown }> = ok(undefined);
      for (const unit of units) if (last.ok) last = await ledger.admin.reset(partition, { key: scope, unit, window: at });
      return last;
    };
    return ok({ run, windows: units.map((unit) => ({ unit, window: at })), details: { window, until }, says: ` of this ${window}` });
  }
  const amount = amountOf(values);
  if (!amount.ok) return wrong(amount.error);
  const { unit, value, text } = amount.value;
  return ok({
    run: (ledger) => ledger.admin.grant(partition, { key: scope, unit, window: at }, value),
    windows: [{ unit, window: at }],
    details: { window, until, [unit]: value },
    says: ` ${text} more until ${until}`,
  });
}

function amountOf({
  usd,
  tokens,
}: Values): Result<{ readonly unit: WindowRef["unit"]; readonly value: number; readonly text: string }, string> {
  if ((usd === undefined) === (tokens === undefined)) return err("one of --usd and --tokens is needed");
  const negative = (usd ?? tokens ?? "").startsWith("-");
  const plain = (usd ?? tokens ?? "").replace(/^[-+]/, "");
  const value = usd === undefined ? (/^\d{1,15}$/.test(plain) ? Number(plain) : undefined) : parseUsd(plain);
  if (value === undefined) return err(usd === undefined ? "--tokens is a whole number" : "--usd is dollars, with at most nine decimals");
  const signed = negative ? -value : value;
  return ok({
    unit: usd === undefined ? "tokens" : "nanoUsd",
    value: signed,
    text: usd === undefined ? `${signed} tokens` : `${negative ? "-" : ""}${plain} USD`,
  });
}

/** One file of events for all who do this; another command at the same moment is waited for. */
const WAIT_MS = 5_000;
async function openAudit(data: string, io: CommandIo) {
  const log = openLog({ level: "error", stream: io.stderr, color: false });
  const begun = performance.now();
  for (;;) {
    const opened = await openJsonlAudit({
      ...{ dir: data, writerId: "budget", rotateBytes: 64 * MIB, pendingBytesMax: AUDIT_PENDING_BYTES_MAX, clock: systemClock },
      onError: (fault) => log.error("audit_fault", { doing: fault.doing, cause: fault.cause }),
    });
    if (opened.ok) return opened;
    const { cause } = opened.error;
    const message = cause instanceof Error ? cause.message : "unusable";
    if (!message.includes("in use") || performance.now() - begun > WAIT_MS)
      return err(`nothing was done: it cannot be recorded in ${data}: ${message}`);
    await sleep(50);
  }
}
