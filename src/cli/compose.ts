import { checkPolicy, type LoadedPolicy, policyFolder, readPolicyFiles } from "../config/load.ts";
import { formatProblem, type PolicyProblem } from "../config/problems.ts";
import { err, ok, type Result } from "../core/result.ts";
import type { Log } from "../ports/log.ts";
import { serveAdmin } from "../server/admin.ts";
import { statusOf } from "../server/status.ts";
import { STAGES } from "../stages/index.ts";
import { openDesk } from "./desk.ts";
import { type Engine, startEngine } from "./engine.ts";
import { type CheckedPolicy, type EnvoyAttachment, Keeper, type PolicyState } from "./keeper.ts";
import type { LedgerSettings } from "./ledger-settings.ts";

export interface SluiceOptions {
  /** Policy file or folder. */
  readonly policy: string;
  /** Unix socket for Envoy. */
  readonly socket: string;
  /** Folder for records and journals. */
  readonly data: string;
  /** Names this process's files. */
  readonly writerId: string;
  readonly admin: { readonly host: string; readonly port: number };
  /** A records file is rotated at this size. */
  readonly rotateBytes?: number;
  /** Where limits and budgets are kept; in `data` where absent. */
  readonly ledger?: LedgerSettings;
  /** Envoy's watched files, which then follow the policy's providers. Absent: someone else renders them. */
  readonly envoy?: EnvoyAttachment;
  /** OpenTelemetry's standard variables; absent: nothing is exported. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly log: Log;
}

export interface Sluice {
  readonly adminPort: number;
  /** The policy in force now. */
  readonly policy: () => PolicyState;
  /** Records that end `crashed`, made from what a previous process left open. */
  readonly recovered: number;
  /** No new exchange; running ones go on; then everything is written. `deadlineMs` bounds the wait for running ones. */
  stop(deadlineMs: number): Promise<void>;
}

/** Reads and checks the policy as it stands. Warnings go to the log; an error is its problems, one a line. */
export async function readPolicy(path: string, log: Log): Promise<Result<CheckedPolicy, string>> {
  const files = await readPolicyFiles(path);
  const folder = await policyFolder(path);
  const checked = files.ok ? checkPolicy(files.value, STAGES, { folder }) : err([files.error]);
  if (!checked.ok || !files.ok) return err(checked.ok ? "" : describe(checked.error));
  for (const warning of checked.value.warnings) log.warn("policy_warning", { problem: formatProblem(warning) });
  return ok({ loaded: checked.value, files: files.value });
}

/** Puts one process together: policy, evidence, gRPC, admin. An error is one clear line, or the problems of the policy. */
export async function startSluice(options: SluiceOptions): Promise<Result<Sluice, string>> {
  const { log, data, socket, writerId, rotateBytes } = options;
  const first = await readPolicy(options.policy, log);
  if (!first.ok) return first;
  // Used from `keeper.start` on, when there is one.
  let engine: Engine | undefined;
  const keeper = new Keeper({
    path: options.policy,
    first: first.value.loaded,
    envoy: options.envoy,
    log,
    swap: ({ loaded }) => ({ inForce: Promise.resolve(), over: engine?.swap(loaded) ?? Promise.resolve() }),
  });
  const { loaded } = first.value;
  const started = await startEngine({
    ...{ loaded, data, socket, writerId, rotateBytes, log, env: options.env, ledger: options.ledger },
    state: () => keeper.state,
    beforeServing: () => keeper.publish(),
  });
  if (!started.ok) return started;
  engine = started.value;
  const { observation, draining, recovered } = engine;
  const desk = await openDesk({ data, writerId, policy: () => keeper.state.loaded, env: options.env ?? {}, log });
  if (!desk.ok) {
    await engine.stop(0);
    return desk;
  }
  const admin = await serveAdmin(options.admin, {
    desk: desk.value.answer,
    ready: () => !draining(),
    policy: () => effectivePolicy(keeper.state.loaded),
    metrics: (format) => observation.metrics.text(format),
    status: () => statusOf(observation.sources),
  });
  if (!admin.ok) {
    await desk.value.close();
    await engine.stop(0);
    return admin;
  }
  keeper.start();
  const serving = engine;
  return ok({
    adminPort: admin.value.port,
    policy: () => keeper.state,
    recovered,
    stop: async (deadlineMs) => {
      await keeper.stop();
      await serving.stop(deadlineMs);
      await admin.value.close();
      await desk.value.close();
    },
  });
}

/** The document in force; it names secrets' places and keys' hashes only, and the hashes are left out too. */
export function effectivePolicy(loaded: LoadedPolicy): unknown {
  const document: unknown = JSON.parse(JSON.stringify(loaded.document, (key, value: unknown) => (key === "sha256" ? undefined : value)));
  return { name: loaded.name, version: loaded.version, hash: loaded.hash, files: loaded.files, document };
}

const describe = (problems: readonly PolicyProblem[]): string => problems.map(formatProblem).join("\n");
