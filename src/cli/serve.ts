import { parseArgs } from "node:util";
import { openLog } from "../adapters/log/pino.ts";
import { MIB } from "../core/limits.ts";
import { err, ok, type Result } from "../core/result.ts";
import { type Command, type CommandIo, usageProblem } from "./command.ts";
import { type Sluice, type SluiceOptions, startSluice } from "./compose.ts";
import { readLedgerSettings } from "./ledger-settings.ts";
import { startSupervisor } from "./supervise.ts";
import { runWorker } from "./worker.ts";
import { parseWorkers, WORKERS_MAX } from "./worker-names.ts";

const HELP = `sluice serve: the ext_proc server that Envoy calls

  sluice serve --policy PATH --data DIR --socket PATH [--admin HOST:PORT]

  --policy PATH      policy file, or folder of *.yaml files      (SLUICE_POLICY)
  --data DIR         folder for records and journals             (SLUICE_DATA)
  --socket PATH      unix socket for Envoy, at most 107 bytes    (SLUICE_SOCKET)
  --admin HOST:PORT  health, readiness, metrics, policy          (SLUICE_ADMIN; 127.0.0.1:9901)
  --envoy-dir DIR    folder of CDS and SDS files that Envoy watches: providers then
                     follow the policy without a restart         (SLUICE_ENVOY_DIR)
  --envoy-admin H:P  Envoy's admin address, needed with it       (SLUICE_ENVOY_ADMIN)
  --workers N        processes that serve, watched over by this one: s.sock becomes
                     s.0.sock, s.1.sock ...                      (SLUICE_WORKERS; 1)
  --name NAME        names this process's record files; workers'
                     are NAME-0, NAME-1 ...                      (SLUICE_NAME; 0)
  --rotate-mib N     size at which a record file is rotated      (256)
  --ledger URL       where limits and budgets are kept: redis://, rediss://, redis+sentinel://, redis+cluster://; with a
                     password only from SLUICE_LEDGER_URL or a file  (SLUICE_LEDGER_URL, SLUICE_LEDGER_FILE; embedded in DIR)
  --ledger-allowance N  percent of each limit that a process may spend while that store is gone  (SLUICE_LEDGER_ALLOWANCE; 10)
  --drain-seconds N  longest wait for running exchanges at stop  (25)

SIGTERM or SIGINT: takes no new exchange, lets running ones end, writes every record, exits 0.
A second signal ends at once. SIGHUP, with --workers: a new process in each place, one after the other, without a failed
exchange. The policy needs no signal: an edit is in force within a second. SLUICE_LOG_LEVEL: debug, info, warn, error.
SLUICE_KEY_FILE: the installation's secret, for digests, stand-ins and what is kept sealed (made as sluice.key in --data);
hosts that are to agree on them get the same file.
`;

export const serveCommand: Command = { help: HELP, run: serve };

async function serve(args: readonly string[], io: CommandIo): Promise<number> {
  // How `--workers` starts this program again; not for people.
  if (args.includes("--as-worker")) return runWorker(io);
  const read = readOptions(args, io);
  if (!read.ok) {
    io.stderr.write(`sluice serve: ${read.error}; see sluice serve --help\n`);
    return 2;
  }
  const { workers, drainMs, ...options } = read.value;
  const { log, socket, admin } = options;
  const signals = watchSignals();
  const starting: Promise<Result<Running, string>> =
    workers === 1 ? startSluice(options) : startSupervisor({ ...options, workers, drainMs });
  const started = await Promise.race([starting, signals.second.then(() => undefined)]);
  if (started === undefined) return exitSoon();
  if (!started.ok) {
    signals.forget();
    for (const line of started.error.split("\n")) io.stderr.write(`sluice serve: ${line}\n`);
    return 1;
  }
  const { value: sluice } = started;
  const inForce = sluice.policy().loaded;
  log.info("serving", {
    socket,
    ...(workers === 1 ? {} : { workers }),
    admin: `${admin.host}:${sluice.adminPort}`,
    policy: `${inForce.name}@${inForce.version}`,
    recovered: sluice.recovered,
  });
  signals.onHangUp(() => {
    if (sluice.renew !== undefined) return void sluice.renew().catch((cause: unknown) => log.error("rolling_restart_fault", { cause }));
    log.warn("restart_needs_workers", {
      why: "this process serves alone",
      remedy: "serve with --workers 2 or more; policy edits need no signal",
    });
  });
  const signal = await signals.first;
  log.info("stopping", { signal, drainSeconds: drainMs / 1000 });
  const stopped = sluice.stop(drainMs).then((): "done" => "done");
  const how = await Promise.race([stopped, signals.second.then((): "forced" => "forced")]);
  signals.forget();
  log.info("stopped", { how });
  if (how === "done") return 0;
  sluice.kill?.();
  return exitSoon();
}

/** What still runs would keep the process for as long as it takes. */
function exitSoon(): number {
  setTimeout(() => process.exit(1), FORCED_EXIT_MS);
  return 1;
}

/** One process, or several under this one. */
interface Running extends Sluice {
  renew?(): Promise<boolean>;
  kill?(): void;
}

/** For the log's last lines. */
const FORCED_EXIT_MS = 50;

interface ServeOptions extends SluiceOptions {
  readonly workers: number;
  readonly drainMs: number;
  readonly ledgerWords: { readonly url?: string; readonly allowance?: string };
}

function readOptions(args: readonly string[], { env, stderr }: CommandIo): Result<ServeOptions, string> {
  let values: { [name: string]: string | undefined };
  try {
    ({ values } = parseArgs({ args: [...args], options: OPTIONS, strict: true }));
  } catch (cause) {
    return err(usageProblem(cause));
  }
  const policy = values["policy"] ?? env["SLUICE_POLICY"];
  const data = values["data"] ?? env["SLUICE_DATA"];
  const socket = values["socket"] ?? env["SLUICE_SOCKET"];
  if (policy === undefined || data === undefined || socket === undefined) return err("--policy, --data and --socket are needed");
  const admin = parseAddress(values["admin"] ?? env["SLUICE_ADMIN"] ?? "127.0.0.1:9901");
  if (admin === undefined) return err("--admin is HOST:PORT");
  const rotateMib = Number(values["rotate-mib"] ?? 256);
  const drainSeconds = Number(values["drain-seconds"] ?? 25);
  if (!(rotateMib > 0) || !(drainSeconds >= 0)) return err("--rotate-mib and --drain-seconds are numbers");
  const workers = parseWorkers(values["workers"] ?? env["SLUICE_WORKERS"] ?? "1");
  if (workers === undefined) return err(`--workers is a number from 1 to ${WORKERS_MAX}`);
  const dynamicDir = values["envoy-dir"] ?? env["SLUICE_ENVOY_DIR"];
  const envoyAdmin = values["envoy-admin"] ?? env["SLUICE_ENVOY_ADMIN"];
  if ((dynamicDir === undefined) !== (envoyAdmin === undefined)) return err("--envoy-dir and --envoy-admin go together");
  const [url, allowance] = [values["ledger"], values["ledger-allowance"]];
  const ledger = readLedgerSettings({ url, allowance }, env);
  if (!ledger.ok) return ledger;
  return ok({
    ...{ policy, data, socket, admin, workers, env },
    ledger: ledger.value,
    ledgerWords: { ...(url === undefined ? {} : { url }), ...(allowance === undefined ? {} : { allowance }) },
    writerId: values["name"] ?? env["SLUICE_NAME"] ?? "0",
    rotateBytes: rotateMib * MIB,
    drainMs: drainSeconds * 1000,
    ...(dynamicDir === undefined || envoyAdmin === undefined ? {} : { envoy: { dynamicDir, admin: envoyAdmin } }),
    log: openLog({ level: env["SLUICE_LOG_LEVEL"] ?? "info", stream: stderr, color: env["NO_COLOR"] === undefined }),
  });
}

const OPTIONS = {
  policy: { type: "string" },
  data: { type: "string" },
  socket: { type: "string" },
  admin: { type: "string" },
  name: { type: "string" },
  workers: { type: "string" },
  "envoy-dir": { type: "string" },
  "envoy-admin": { type: "string" },
  "rotate-mib": { type: "string" },
  ledger: { type: "string" },
  "ledger-allowance": { type: "string" },
  "drain-seconds": { type: "string" },
} as const;

function parseAddress(text: string): { readonly host: string; readonly port: number } | undefined {
  const found = /^(.+):(\d{1,5})$/.exec(text);
  const host = found?.[1]?.replace(/^\[|\]$/g, "");
  const port = Number(found?.[2]);
  return host === undefined || !(port <= 65_535) ? undefined : { host, port };
}

/** From now on: a signal while still starting must not leave half of it behind. */
function watchSignals() {
  const [first, second] = [Promise.withResolvers<NodeJS.Signals>(), Promise.withResolvers<NodeJS.Signals>()];
  let count = 0;
  const end = (signal: NodeJS.Signals): void => {
    count += 1;
    (count === 1 ? first : second).resolve(signal);
  };
  let hangUp = (): void => {};
  const hungUp = (): void => hangUp();
  process.on("SIGTERM", end).on("SIGINT", end).on("SIGHUP", hungUp);
  return {
    first: first.promise,
    second: second.promise,
    onHangUp: (act: () => void): void => {
      hangUp = act;
    },
    forget: (): void => void process.off("SIGTERM", end).off("SIGINT", end).off("SIGHUP", hungUp),
  };
}
