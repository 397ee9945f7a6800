import { parseArgs } from "node:util";
import { openLog } from "../adapters/log/pino.ts";
import type { Command, CommandIo } from "./command.ts";
import { startSluice } from "./compose.ts";

const HELP = `sluice serve: the ext_proc server that Envoy calls

  sluice serve --policy PATH --data DIR --socket PATH [--admin HOST:PORT]

  --policy PATH      policy file, or folder of *.yaml files      (SLUICE_POLICY)
  --data DIR         folder for records and journals             (SLUICE_DATA)
  --socket PATH      unix socket for Envoy, at most 107 bytes    (SLUICE_SOCKET)
  --admin HOST:PORT  health, readiness, metrics, policy          (SLUICE_ADMIN; 127.0.0.1:9901)
  --envoy-dir DIR    folder of CDS and SDS files that Envoy watches: providers then
                     follow the policy without a restart         (SLUICE_ENVOY_DIR)
  --envoy-admin H:P  Envoy's admin address, needed with it       (SLUICE_ENVOY_ADMIN)
  --name NAME        names this process's record files           (SLUICE_NAME; 0)
  --rotate-mib N     size at which a record file is rotated      (256)
  --drain-seconds N  longest wait for running exchanges at stop  (25)

SIGTERM or SIGINT: takes no new exchange, lets running ones end, writes every record, exits 0.
A second signal ends at once. SLUICE_LOG_LEVEL: debug, info, warn, error.
`;

export const serveCommand: Command = {
  name: "serve",
  summary: "run the ext_proc server that Envoy calls",
  help: HELP,
  run: serve,
};

async function serve(args: readonly string[], io: CommandIo): Promise<number> {
  const usage = (problem: string): number => {
    io.stderr.write(`sluice serve: ${problem}; see sluice serve --help\n`);
    return 2;
  };
  let values: { [name: string]: string | undefined };
  try {
    ({ values } = parseArgs({ args: [...args], options: OPTIONS, strict: true }));
  } catch (cause) {
    return usage(cause instanceof Error ? cause.message : "unusable arguments");
  }
  const { env } = io;
  const policy = values["policy"] ?? env["SLUICE_POLICY"];
  const data = values["data"] ?? env["SLUICE_DATA"];
  const socket = values["socket"] ?? env["SLUICE_SOCKET"];
  if (policy === undefined || data === undefined || socket === undefined) return usage("--policy, --data and --socket are needed");
  const admin = parseAddress(values["admin"] ?? env["SLUICE_ADMIN"] ?? "127.0.0.1:9901");
  if (admin === undefined) return usage("--admin is HOST:PORT");
  const rotateMib = Number(values["rotate-mib"] ?? 256);
  const drainSeconds = Number(values["drain-seconds"] ?? 25);
  if (!(rotateMib > 0) || !(drainSeconds >= 0)) return usage("--rotate-mib and --drain-seconds are numbers");
  const log = openLog({ level: env["SLUICE_LOG_LEVEL"] ?? "info", stream: io.stderr, color: env["NO_COLOR"] === undefined });
  const writerId = values["name"] ?? env["SLUICE_NAME"] ?? "0";
  const dynamicDir = values["envoy-dir"] ?? env["SLUICE_ENVOY_DIR"];
  const envoyAdmin = values["envoy-admin"] ?? env["SLUICE_ENVOY_ADMIN"];
  if ((dynamicDir === undefined) !== (envoyAdmin === undefined)) return usage("--envoy-dir and --envoy-admin go together");
  const envoy = dynamicDir === undefined || envoyAdmin === undefined ? {} : { envoy: { dynamicDir, admin: envoyAdmin } };
  const started = await startSluice({ policy, data, socket, admin, writerId, rotateBytes: rotateMib * 1024 * 1024, env, log, ...envoy });
  if (!started.ok) {
    io.stderr.write(`sluice serve: ${started.error}\n`);
    return 1;
  }
  const { value: sluice } = started;
  const inForce = sluice.policy().loaded;
  log.info("serving", {
    socket,
    admin: `${admin.host}:${sluice.adminPort}`,
    policy: `${inForce.name}@${inForce.version}`,
    recovered: sluice.recovered,
  });
  const signal = await nextSignal();
  log.info("stopping", { signal, drainSeconds });
  const forced = nextSignal().then((): "forced" => "forced");
  const done = await Promise.race([sluice.stop(drainSeconds * 1000).then((): "done" => "done"), forced]);
  log.info("stopped", { how: done });
  return done === "done" ? 0 : 1;
}

const OPTIONS = {
  policy: { type: "string" },
  data: { type: "string" },
  socket: { type: "string" },
  admin: { type: "string" },
  name: { type: "string" },
  "envoy-dir": { type: "string" },
  "envoy-admin": { type: "string" },
  "rotate-mib": { type: "string" },
  "drain-seconds": { type: "string" },
} as const;

function parseAddress(text: string): { readonly host: string; readonly port: number } | undefined {
  const found = /^(.+):(\d{1,5})$/.exec(text);
  const host = found?.[1]?.replace(/^\[|\]$/g, "");
  const port = Number(found?.[2]);
  return host === undefined || !(port <= 65_535) ? undefined : { host, port };
}

const nextSignal = (): Promise<NodeJS.Signals> =>
  new Promise((resolve) => {
    const take = (signal: NodeJS.Signals): void => {
      process.off("SIGTERM", take);
      process.off("SIGINT", take);
      resolve(signal);
    };
    process.on("SIGTERM", take);
    process.on("SIGINT", take);
  });
