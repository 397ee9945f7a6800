import { parseArgs } from "node:util";
import { columns, type Paint, paintFor, shown } from "./audit/words.ts";
import { type Command, type CommandIo, usageProblem } from "./command.ts";

const HELP = `sluice status: how running processes fare

  sluice status [--admin HOST:PORT]...

  --admin HOST:PORT  admin address of a process; several may be named   (SLUICE_ADMIN; 127.0.0.1:9901)
  --timeout-ms N     longest wait for one                               (2000)
  --json             one JSON document: what each said

Shows version and uptime, the policy in force and whether its last edit was taken over, exchanges under way, records and
telemetry. Exit code: 0 all is well; 1 a process is not there, not ready, cannot write its records, or serves an older policy
because its last edit was refused; 2 wrong usage.
`;

export const statusCommand: Command = { help: HELP, run };

const OPTIONS = { admin: { type: "string", multiple: true }, "timeout-ms": { type: "string" }, json: { type: "boolean" } } as const;

type Loose = Readonly<Record<string, unknown>>;
const isLoose = (value: unknown): value is Loose => typeof value === "object" && value !== null && !Array.isArray(value);

/** What one address said, or why it said nothing. */
interface Asked {
  readonly admin: string;
  readonly status?: Loose;
  readonly problem?: string;
}

async function run(args: readonly string[], io: CommandIo): Promise<number> {
  const wrong = (problem: string): number => {
    io.stderr.write(`sluice status: ${problem}; see sluice status --help\n`);
    return 2;
  };
  let values: ReturnType<typeof parse>;
  try {
    values = parse(args);
  } catch (cause) {
    return wrong(usageProblem(cause));
  }
  const timeoutMs = Number(values["timeout-ms"] ?? 2_000);
  if (!(timeoutMs >= 1 && timeoutMs <= 60_000)) return wrong("--timeout-ms wants a number from 1 to 60000");
  const addresses = (values.admin ?? [io.env["SLUICE_ADMIN"] ?? "127.0.0.1:9901"]).flatMap((text) => text.split(","));
  const strange = addresses.find((address) => !/^(?:\[[0-9a-fA-F:]+\]|[A-Za-z0-9._-]+):\d{1,5}$/.test(address));
  if (strange !== undefined) return wrong(`${shown(strange)} is no HOST:PORT`);
  const asked = await Promise.all(addresses.map((admin) => ask(admin, timeoutMs)));
  const complaints = asked.flatMap(complaintsOf);
  if (values.json === true)
    io.stdout.write(`${JSON.stringify({ ok: complaints.length === 0, processes: asked, problems: complaints }, null, 2)}\n`);
  else {
    const paint = paintFor(io.stdout.isTTY === true && io.env["NO_COLOR"] === undefined);
    io.stdout.write(page(asked, paint));
    for (const complaint of complaints) io.stderr.write(`sluice status: ${complaint}\n`);
  }
  return complaints.length === 0 ? 0 : 1;
}

const parse = (args: readonly string[]) => parseArgs({ args: [...args], options: OPTIONS, strict: true }).values;

async function ask(admin: string, timeoutMs: number): Promise<Asked> {
  try {
    const answer = await fetch(`http://${admin}/status`, { signal: AbortSignal.timeout(timeoutMs) });
    const value: unknown = answer.ok ? await answer.json() : undefined;
    return isLoose(value)
      ? { admin, status: value }
      : { admin, problem: `answers, but not as a Sluice of this version (status ${answer.status})` };
  } catch (cause) {
    const slow = cause instanceof Error && cause.name === "TimeoutError";
    return {
      admin,
      problem: slow ? `does not answer within ${timeoutMs} ms` : "nobody answers there; is `sluice serve` running, with this --admin?",
    };
  }
}

/** A process and those it speaks for. */
function* processesOf(asked: Asked): Generator<{ readonly admin: string; readonly status: Loose }> {
  const { admin, status } = asked;
  if (status === undefined) return;
  const workers = Array.isArray(status["workers"]) ? status["workers"].filter(isLoose) : [];
  yield { admin, status };
  for (const worker of workers) {
    // What it says of itself, where it says anything; and how the one above it sees it.
    const own = isLoose(worker["status"]) ? worker["status"] : { name: `worker ${shown(worker["worker"])}`, pid: worker["pid"] };
    yield { admin, status: { ...own, ready: worker["state"] === "serving", worker } };
  }
}

/** `waiting (exit code 1), started again at ...`: of a worker that does not serve. */
function whyNot(worker: Loose): string {
  const problem = worker["problem"] === undefined ? "" : ` (${shown(worker["problem"])})`;
  const next = worker["nextStartAt"] === undefined ? "" : `, started again at ${shown(worker["nextStartAt"])}`;
  return `${shown(worker["state"])}${problem}${next}`;
}

function complaintsOf(asked: Asked): readonly string[] {
  const found: string[] = [];
  if (asked.problem !== undefined) found.push(`${asked.admin}: ${asked.problem}`);
  for (const { admin, status } of processesOf(asked)) {
    const who = `${admin} (${shown(status["name"])}, pid ${shown(status["pid"])})`;
    const { policy, audit, worker } = status;
    if (isLoose(worker) && status["ready"] !== true) found.push(`${who} is ${whyNot(worker)}`);
    else if (status["ready"] !== true) found.push(`${who} is not ready${status["draining"] === true ? ": it is stopping" : ""}`);
    if (isLoose(audit) && audit["failing"] === true) found.push(`${who} cannot write its records`);
    if (isLoose(policy) && typeof policy["lastError"] === "string")
      found.push(`${who} refused the last edit of the policy and serves ${shown(policy["version"])}:\n${indented(policy["lastError"])}`);
  }
  // Workers of one process repeat what it says of the policy.
  return [...new Set(found)];
}

const indented = (text: string): string =>
  text
    .split("\n")
    .map((line) => `  ${shown(line)}`)
    .join("\n");

const TITLES = ["ADMIN", "NAME", "PID", "VERSION", "UP", "STATE", "POLICY", "LOADED (UTC)", "IN FLIGHT", "RECORDS", "DROPPED", "SPANS"];

function page(asked: readonly Asked[], paint: Paint): string {
  const rows = asked.flatMap((one) => [...processesOf(one)].map(row));
  if (rows.length === 0) return "";
  const [head = "", ...lines] = columns([TITLES, ...rows], [2, 4, 8, 9, 10]);
  return `${paint.bold(head)}\n${lines.map((line, index) => `${rows[index]?.[5] === "ready" ? line : paint.bad(line)}\n`).join("")}`;
}

function row({ admin, status }: { readonly admin: string; readonly status: Loose }): readonly string[] {
  const policy = isLoose(status["policy"]) ? status["policy"] : {};
  const audit = isLoose(status["audit"]) ? status["audit"] : {};
  const telemetry = isLoose(status["telemetry"]) ? status["telemetry"] : undefined;
  const { worker } = status;
  const state =
    isLoose(worker) && status["ready"] !== true
      ? shown(worker["state"])
      : status["draining"] === true
        ? "stopping"
        : status["ready"] !== true
          ? "not ready"
          : policy["lastError"] === undefined
            ? "ready"
            : "edit refused";
  return [
    admin,
    shown(status["name"]),
    shown(status["pid"]),
    shown(status["version"]),
    uptime(Number(status["uptimeSeconds"] ?? 0)),
    audit["failing"] === true ? "no records" : state,
    `${shown(policy["name"])}@${shown(policy["version"])} (${shown(policy["hash"]).slice(0, 8)})`,
    shown(policy["loadedAt"]).slice(0, 19).replace("T", " "),
    shown(status["inFlight"]),
    shown(audit["written"]),
    shown(audit["dropped"]),
    telemetry === undefined ? "off" : `${shown(telemetry["exported"])} sent${telemetry["failing"] === true ? ", failing" : ""}`,
  ];
}

function uptime(seconds: number): string {
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7_200) return `${Math.floor(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.floor(seconds / 3_600)} h` : `${Math.floor(seconds / 86_400)} d`;
}
