import { isIP } from "node:net";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { Document, isCollection, visit } from "yaml";
import { type EnvoyPlacement, envoyPlan } from "../config/envoy-plan.ts";
import { loadPolicy } from "../config/load.ts";
import { formatProblem } from "../config/problems.ts";
import type { Json } from "../core/json.ts";
import { err, ok, type Result } from "../core/result.ts";
import type { EnvoyPlan } from "../core/upstream.ts";
import { envoyArguments, type RenderedEnvoy, renderEnvoy } from "../envoy/bootstrap/render.ts";
import { findSystemCa } from "../envoy/bootstrap/system-ca.ts";
import { writeJsonFile } from "../envoy/bootstrap/write.ts";
import { STAGES } from "../stages/index.ts";
import { type Command, type CommandIo, usageProblem } from "./command.ts";
import { writeEnvoyFolder } from "./envoy-folder.ts";
import { parseWorkers, WORKERS_MAX, workerSockets } from "./worker-names.ts";

const HELP = `sluice envoy: Envoy's configuration from the policy

  sluice envoy --policy PATH [--yaml | --json]   print it
  sluice envoy --policy PATH --out DIR           write DIR/bootstrap.json and DIR/dynamic/*.json

  --policy PATH      policy file, or folder of *.yaml files            (SLUICE_POLICY)
  --out DIR          folder to write to; what no longer applies goes
  --dynamic DIR      where Envoy will find dynamic/                    (DIR/dynamic; /run/sluice/envoy when printing)
  --socket PATH      Sluice's unix socket; once for each process       (SLUICE_SOCKET; /run/sluice/0.sock)
  --workers N        as given to sluice serve: s.sock stands for
                     s.0.sock, s.1.sock ...                            (SLUICE_WORKERS; 1)
  --listen ADDR:PORT where callers go                                  (the policy's listen)
  --admin ADDR:PORT  Envoy's own admin interface; keep it on loopback  (127.0.0.1:9902)
  --access-log PATH  JSON lines                                        (/dev/stdout)
  --node-id NAME     Envoy's name in its logs                          (sluice)
  --concurrency N    Envoy's worker threads                            (one a core)
  --ca FILE          PEM bundle of the authorities to trust            (the system's)
  --yaml, --json     how to print; files are always JSON

The files name the places of provider keys and hold none: Envoy itself reads them from its environment or from a file, and
takes a key whose file is replaced without a restart. Clusters and keys in dynamic/ may be rewritten while Envoy runs; a
change of listener, body limit or longest request needs a new start of Envoy.
`;

export const envoyCommand: Command = { help: HELP, run };

const OPTIONS = {
  policy: { type: "string" },
  out: { type: "string" },
  dynamic: { type: "string" },
  socket: { type: "string", multiple: true },
  workers: { type: "string" },
  listen: { type: "string" },
  admin: { type: "string" },
  "access-log": { type: "string" },
  "node-id": { type: "string" },
  concurrency: { type: "string" },
  ca: { type: "string" },
  yaml: { type: "boolean" },
  json: { type: "boolean" },
} as const;

interface Request {
  readonly policy: string;
  readonly out: string | undefined;
  readonly format: "yaml" | "json";
  readonly placement: EnvoyPlacement;
}

async function run(args: readonly string[], io: CommandIo): Promise<number> {
  const request = readArguments(args, io);
  if (!request.ok) {
    io.stderr.write(`sluice envoy: ${request.error}; see sluice envoy --help\n`);
    return 2;
  }
  const { policy, out, format, placement } = request.value;
  const loaded = await loadPolicy(policy, STAGES);
  if (!loaded.ok) {
    io.stderr.write(loaded.error.map((problem) => `${formatProblem(problem)}\n`).join(""));
    return 1;
  }
  const plan = envoyPlan(loaded.value, STAGES, placement);
  const rendered = renderEnvoy(plan);
  if (out === undefined) {
    io.stdout.write(printed(rendered, format));
    return 0;
  }
  return write(plan, rendered, out, io);
}

function readArguments(args: readonly string[], { env, cwd }: CommandIo): Result<Request, string> {
  let values: ReturnType<typeof parse>;
  try {
    values = parse(args);
  } catch (cause) {
    return err(usageProblem(cause));
  }
  const policy = values.policy ?? env["SLUICE_POLICY"];
  if (policy === undefined) return err("--policy is needed");
  if (values.yaml === true && values.json === true) return err("--yaml or --json, not both");
  const listen = values.listen === undefined ? undefined : parseAddress(values.listen);
  const admin = parseAddress(values.admin ?? "127.0.0.1:9902");
  if (admin === undefined || (values.listen !== undefined && listen === undefined))
    return err("--listen and --admin are ADDRESS:PORT, such as 127.0.0.1:8080 or [::1]:8080");
  const concurrency = values.concurrency === undefined ? undefined : Number(values.concurrency);
  if (concurrency !== undefined && !(Number.isInteger(concurrency) && concurrency > 0 && concurrency <= 1024))
    return err("--concurrency is a number of threads");
  const workers = parseWorkers(values.workers ?? env["SLUICE_WORKERS"] ?? "1");
  if (workers === undefined) return err(`--workers is a number from 1 to ${WORKERS_MAX}`);
  const sockets = (values.socket ?? [env["SLUICE_SOCKET"] ?? "/run/sluice/0.sock"]).flatMap((path) => workerSockets(path, workers));
  // sun_path of unix(7) holds 108 bytes, the last of them zero.
  if (sockets.some((path) => Buffer.byteLength(path) > 107)) return err("a socket's path may have 107 bytes at most");
  const out = values.out === undefined ? undefined : resolve(cwd, values.out);
  const systemCaFile = values.ca ?? findSystemCa(env);
  return ok({
    policy,
    out,
    format: values.json === true ? "json" : "yaml",
    placement: {
      nodeId: values["node-id"] ?? "sluice",
      admin,
      sockets: sockets.map((path) => resolve(cwd, path)),
      dynamicDir: values.dynamic ?? (out === undefined ? "/run/sluice/envoy" : join(out, "dynamic")),
      accessLog: values["access-log"] ?? "/dev/stdout",
      ...(listen === undefined ? {} : { listen }),
      ...(concurrency === undefined ? {} : { concurrency }),
      ...(systemCaFile === undefined ? {} : { systemCaFile }),
    },
  });
}
const parse = (args: readonly string[]) => parseArgs({ args: [...args], options: OPTIONS, strict: true }).values;

/** Envoy takes addresses only, no names. */
function parseAddress(text: string): { readonly address: string; readonly port: number } | undefined {
  const found = /^(?:\[(.+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text);
  const address = found?.[1] ?? found?.[2]?.replace(/^localhost$/, "127.0.0.1");
  const port = Number(found?.[3]);
  return address === undefined || isIP(address) === 0 || port > 65_535 ? undefined : { address, port };
}

/** One document a file, named in a comment; as JSON, one object with a member a file. */
function printed(rendered: RenderedEnvoy, format: "yaml" | "json"): string {
  const files: (readonly [string, Json])[] = [["bootstrap.json", rendered.bootstrap], ...dynamicFiles(rendered)];
  if (format === "json") return `${JSON.stringify(Object.fromEntries(files), undefined, 2)}\n`;
  return files.map(([path, value]) => `---\n# ${path}\n${yamlText(value)}`).join("");
}
/** Small maps and lists on one line, so that a page shows something. */
function yamlText(value: Json): string {
  const document = new Document(value, { aliasDuplicateObjects: false });
  visit(document, {
    Collection: (_key, node) => {
      if (isCollection(node) && JSON.stringify(node).length <= YAML_FLOW_CHARS) node.flow = true;
    },
  });
  return document.toString({ lineWidth: 0, flowCollectionPadding: true });
}
const YAML_FLOW_CHARS = 150;
const dynamicFiles = (rendered: RenderedEnvoy): readonly (readonly [string, Json])[] => [
  ["dynamic/cds.json", rendered.cds],
  ...[...rendered.sds].map(([name, value]) => [`dynamic/${name}`, value] as const),
];

async function write(plan: EnvoyPlan, rendered: RenderedEnvoy, out: string, io: CommandIo): Promise<number> {
  const bootstrap = join(out, "bootstrap.json");
  const dynamic = join(out, "dynamic");
  const written = await writeEnvoyFolder(rendered, dynamic);
  const done = written.ok ? await writeJsonFile(bootstrap, rendered.bootstrap) : written;
  if (!done.ok) {
    io.stderr.write(`sluice envoy: ${done.error.path} cannot be written: ${done.error.reason}\n`);
    return 1;
  }
  const variables = plan.clusters.flatMap(({ credential }) => (credential?.secret.kind === "env" ? [credential.secret.name] : []));
  io.stdout.write(`${bootstrap}\n`);
  io.stderr.write(`start: envoy ${envoyArguments(plan, bootstrap).join(" ")}\n`);
  if (variables.length > 0) io.stderr.write(`Envoy's environment must hold: ${[...new Set(variables)].sort().join(", ")}\n`);
  return 0;
}
