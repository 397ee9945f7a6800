import { parseArgs } from "node:util";
import { type IssuedKey, issueKey, listKeys, parseLifetimeMs, revokeKey, rotateKey } from "../config/keys.ts";
import { loadPolicy } from "../config/load.ts";
import { formatProblem } from "../config/problems.ts";
import { STAGES } from "../stages/index.ts";
import { type Command, type CommandIo, usageProblem } from "./command.ts";

const HELP = `sluice keys: API keys that applications use in place of a provider's

  sluice keys new --tenant T --app A [--use-case U] [--user U] [--expires WHEN] [--note TEXT]
  sluice keys list
  sluice keys revoke ID
  sluice keys rotate ID [--overlap 24h] [--expires WHEN]

  --policy PATH   the policy: a file, or a folder (then keys.yaml in it) (default: $SLUICE_POLICY, else policy.yaml)
  --expires WHEN  90d, 24h, 1y, or a date: 2027-06-30
  --overlap TIME  how long the old key of a rotation stays valid (default 24h)
  --json          one JSON document on stdout

new and rotate print the key once; the policy keeps its SHA-256 and its visible beginning. Store it where the application reads
its secrets. A running Sluice takes the change up when it reads the policy again.
Exit code: 0 done, 1 not done, 2 wrong usage.
`;

const OPTIONS = {
  policy: { type: "string" },
  tenant: { type: "string" },
  app: { type: "string" },
  "use-case": { type: "string" },
  user: { type: "string" },
  expires: { type: "string" },
  overlap: { type: "string" },
  note: { type: "string" },
  json: { type: "boolean" },
} as const;

interface Call {
  readonly policy: string;
  readonly words: readonly string[];
  readonly values: { readonly [Name in Exclude<keyof typeof OPTIONS, "json">]?: string | undefined };
  readonly json: boolean;
  readonly nowMs: number;
}

/** Options that each subcommand takes, besides --policy and --json, and how many ids it wants. */
const SUBCOMMANDS: Readonly<
  Record<string, { readonly options: readonly string[]; readonly ids: 0 | 1; run(call: Call, io: CommandIo): Promise<number> }>
> = {
  new: { options: ["tenant", "app", "use-case", "user", "expires", "note"], ids: 0, run: runNew },
  list: { options: [], ids: 0, run: runList },
  revoke: { options: [], ids: 1, run: runRevoke },
  rotate: { options: ["overlap", "expires"], ids: 1, run: runRotate },
};

/** `sluice keys`: make, list, revoke and rotate API keys. */
export const keysCommand: Command = {
  help: HELP,
  async run(args, io) {
    const [name = "", ...rest] = args;
    const subcommand = Object.hasOwn(SUBCOMMANDS, name) ? SUBCOMMANDS[name] : undefined;
    if (subcommand === undefined)
      return usage(io, name === "" ? "say what to do: new, list, revoke or rotate" : "there is only new, list, revoke and rotate");
    let parsed: ReturnType<typeof parseOptions>;
    try {
      parsed = parseOptions(rest);
    } catch (error) {
      return usage(io, usageProblem(error));
    }
    const { values, positionals } = parsed;
    const strange = Object.keys(values).find((key) => key !== "policy" && key !== "json" && !subcommand.options.includes(key));
    if (strange !== undefined) return usage(io, `keys ${name} does not take --${strange}`);
    if (positionals.length !== subcommand.ids)
      return usage(io, subcommand.ids === 1 ? `keys ${name} wants one key id` : `keys ${name} takes options only`);
    const { json, ...texts } = values;
    const policy = values.policy ?? io.env["SLUICE_POLICY"] ?? "policy.yaml";
    return subcommand.run({ policy, words: positionals, values: texts, json: json ?? false, nowMs: Date.now() }, io);
  },
};

function parseOptions(args: readonly string[]) {
  return parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true });
}

async function runNew(call: Call, io: CommandIo): Promise<number> {
  const { tenant, app, user, note } = call.values;
  if (tenant === undefined || app === undefined) return usage(io, "keys new wants --tenant and --app");
  const expires = expiryOf(call);
  if (expires.problem !== undefined) return usage(io, expires.problem);
  const issued = await issueKey(
    call.policy,
    STAGES,
    { tenant, app, useCase: call.values["use-case"], user, note, expiresMs: expires.ms },
    call.nowMs,
  );
  if (!issued.ok) return failed(io, issued.error);
  return showKey(issued.value, call, io, []);
}

async function runRotate(call: Call, io: CommandIo): Promise<number> {
  const overlapMs = parseLifetimeMs(call.values.overlap ?? "24h");
  if (overlapMs === undefined) return usage(io, "--overlap wants a time such as 30m, 24h or 7d");
  const expires = expiryOf(call);
  if (expires.problem !== undefined) return usage(io, expires.problem);
  const [id = ""] = call.words;
  const rotated = await rotateKey(call.policy, STAGES, id, { overlapMs, expiresMs: expires.ms, nowMs: call.nowMs });
  if (!rotated.ok) return failed(io, rotated.error);
  return showKey(rotated.value, call, io, [`The old key ${id} stays valid until ${rotated.value.oldExpires}.`]);
}

async function runRevoke(call: Call, io: CommandIo): Promise<number> {
  const [id = ""] = call.words;
  const revoked = await revokeKey(call.policy, STAGES, id, call.nowMs);
  if (!revoked.ok) return failed(io, revoked.error);
  io.stdout.write(
    call.json ? `${JSON.stringify({ id, revoked: true, file: revoked.value.file })}\n` : `Key ${id} is revoked (${revoked.value.file}).\n`,
  );
  return 0;
}

async function runList(call: Call, io: CommandIo): Promise<number> {
  const loaded = await loadPolicy(call.policy, STAGES);
  if (!loaded.ok) {
    for (const problem of loaded.error.filter(({ severity }) => severity === "error")) io.stderr.write(`${formatProblem(problem)}\n`);
    return failed(io, "the policy has mistakes, correct them first");
  }
  const keys = listKeys(loaded.value, call.nowMs).map(({ id, tenant, app, facts, status, file, line }) => {
    const { sha256: _, ...shown } = facts;
    return { id, tenant, app, status, ...shown, place: `${file}:${line}` };
  });
  if (call.json) {
    io.stdout.write(`${JSON.stringify(keys, null, 2)}\n`);
    return 0;
  }
  const rows = [
    ["ID", "STATUS", "OWNER", "EXPIRES", "NOTE"],
    ...keys.map((key) => [
      key.id,
      key.status,
      [key.tenant, key.app, ...(key.useCase === undefined ? [] : [key.useCase])].join("/"),
      key.expires ?? "never",
      key.note ?? "",
    ]),
  ];
  const widths = [0, 1, 2, 3].map((column) => Math.max(...rows.map((row) => (row[column] ?? "").length)));
  for (const row of rows)
    io.stdout.write(
      `${row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd()}\n`,
    );
  return 0;
}

/** The key alone on stdout, so that `KEY=$(sluice keys new ...)` works; words about it on stderr. */
function showKey(issued: IssuedKey, call: Call, io: CommandIo, more: readonly string[]): number {
  if (call.json) io.stdout.write(`${JSON.stringify(issued)}\n`);
  else {
    io.stderr.write(
      [
        `Key ${issued.id} of ${issued.tenant}/${issued.app}, ${issued.expires === undefined ? "without expiry" : `valid until ${issued.expires}`}; its hash is in ${issued.file}.`,
        ...more,
        "This is the only time it is shown:",
        "",
      ].join("\n"),
    );
    io.stdout.write(`${issued.key}\n`);
  }
  return 0;
}

function expiryOf({ values, nowMs }: Call): { readonly ms?: number; readonly problem?: string } {
  if (values.expires === undefined) return {};
  const lifetimeMs = parseLifetimeMs(values.expires);
  if (lifetimeMs !== undefined) return { ms: nowMs + lifetimeMs };
  const ms = /^\d{4}-\d{2}-\d{2}(?:T[0-9:.]+(?:Z|[+-]\d{2}:\d{2}))?$/.test(values.expires) ? Date.parse(values.expires) : Number.NaN;
  if (!Number.isFinite(ms)) return { problem: "--expires wants 90d, 24h, 1y, or a date such as 2027-06-30" };
  return ms > nowMs ? { ms } : { problem: "--expires lies in the past" };
}

function usage(io: CommandIo, problem: string): number {
  io.stderr.write(`sluice keys: ${problem}. Try: sluice keys --help\n`);
  return 2;
}
function failed(io: CommandIo, problem: string): number {
  io.stderr.write(`sluice keys: ${problem}\n`);
  return 1;
}
