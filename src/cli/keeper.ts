/**
 * Keeps a running process at the policy on disk. One edit moves both processes: Envoy's clusters and Sluice's rules.
 *
 * Steps: notice (poll, because watches miss renames, symlink swaps and network file systems) -> read and check all of it ->
 * write clusters old and new together, wait until Envoy has them -> swap the rules -> when the last exchange under the old
 * rules is over, write the new clusters alone. A policy that does not check keeps the last good one in force, and says so in
 * log, metrics and status until the next good one.
 *
 * Known miss: what is static in Envoy (listener address, body limit, longest request) needs its restart; that is said, too.
 */
import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { envoyPlan } from "../config/envoy-plan.ts";
import { checkPolicy, type LoadedPolicy, type PolicyFile, policyFolder, readPolicyFiles } from "../config/load.ts";
import { formatProblem } from "../config/problems.ts";
import { err, ok, type Result } from "../core/result.ts";
import type { EnvoyPlan, UpstreamCluster } from "../core/upstream.ts";
import { renderEnvoy } from "../envoy/bootstrap/render.ts";
import type { Log } from "../ports/log.ts";
import { STAGES } from "../stages/index.ts";
import { writeEnvoyFolder } from "./envoy-folder.ts";

/** How often the policy's files are looked at, milliseconds: an edit is in force within a second. */
const POLL_MS = 250;
/** Longest wait for Envoy to take new clusters; past it the swap goes on only if it needs none of them. */
const ENVOY_WAIT_MS = 15_000;
/** The same at the start, which then goes on: whoever serves at last serves better than nobody. */
const ENVOY_START_WAIT_MS = 5_000;
/** Longest wait for exchanges of an old version before its clusters go anyway, beyond the longest request. */
const RETIRE_SLACK_MS = 30_000;

/** Where Envoy's watched files are, and where it says what it took. */
export interface EnvoyAttachment {
  readonly dynamicDir: string;
  /** `HOST:PORT` of Envoy's admin interface. */
  readonly admin: string;
}

/** What the status shows of the policy. */
export interface PolicyState {
  readonly loaded: LoadedPolicy;
  readonly loadedAtMs: number;
  readonly reloads: number;
  readonly rejected: number;
  /** The problems of the edit that was not taken; undefined once a good one is in force. */
  readonly lastError: string | undefined;
}

/** A policy that is valid, and the very bytes it was read from. */
export interface CheckedPolicy {
  readonly loaded: LoadedPolicy;
  readonly files: readonly PolicyFile[];
}

/** Neither promise fails. */
export interface PolicySwap {
  /** Every process decides by the new policy. */
  readonly inForce: Promise<void>;
  /** The last exchange under the policy before is over. */
  readonly over: Promise<void>;
}

export interface KeeperOptions {
  readonly path: string;
  readonly first: LoadedPolicy;
  readonly envoy: EnvoyAttachment | undefined;
  readonly log: Log;
  /** Puts the policy in force everywhere. */
  swap(next: CheckedPolicy): PolicySwap;
}

export class Keeper {
  readonly #options: KeeperOptions;
  readonly #stop = new AbortController();
  #state: PolicyState;
  /** Digest of the files last looked at, good or bad. */
  #seen: string;
  #running: Promise<void> = Promise.resolve();
  /** All versions before the one in force are over. */
  #older: Promise<unknown> = Promise.resolve();
  /** Clusters that exchanges may still name, by name. */
  #clusters: ReadonlyMap<string, UpstreamCluster>;

  constructor(options: KeeperOptions) {
    this.#options = options;
    this.#state = { loaded: options.first, loadedAtMs: Date.now(), reloads: 0, rejected: 0, lastError: undefined };
    this.#seen = options.first.hash;
    this.#clusters = byName(this.#plan(options.first).clusters);
  }

  get state(): PolicyState {
    return this.#state;
  }

  /** Writes Envoy's files for the first policy and, where an Envoy runs already, waits until it has them. */
  async publish(): Promise<Result<void, string>> {
    if (this.#options.envoy === undefined) return ok(undefined);
    const plan = this.#plan(this.#options.first);
    const written = await this.#write(plan);
    if (!written.ok || (await this.#stats("version_text")) === "") return written;
    if (!(await this.#waitForEnvoy(plan, ENVOY_START_WAIT_MS))) this.#options.log.warn("envoy_slow", { waitedMs: ENVOY_START_WAIT_MS });
    return written;
  }

  /** Begins to watch the policy's files. */
  start(): void {
    this.#running = this.#watch();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #watch(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      await sleep(POLL_MS, undefined, { signal: this.#stop.signal, ref: false }).catch(() => {});
      if (this.#stop.signal.aborted) return;
      try {
        await this.#look();
      } catch (cause) {
        this.#options.log.error("policy_reload_fault", { cause });
      }
    }
  }

  async #look(): Promise<void> {
    const files = await readPolicyFiles(this.#options.path);
    const digest = files.ok ? digestOf(files.value) : `unreadable: ${files.error.message}`;
    if (digest === this.#seen) return;
    this.#seen = digest;
    // An editor may be half-way through several files: taken only once they rest.
    const folder = await policyFolder(this.#options.path);
    const checked = files.ok ? checkPolicy(files.value, STAGES, { folder }) : err([files.error]);
    if (!checked.ok) return this.#reject(checked.error.map(formatProblem).join("\n"));
    if (checked.value.hash === this.#state.loaded.hash) {
      this.#state = { ...this.#state, lastError: undefined };
      return;
    }
    if (files.ok) await this.#take({ loaded: checked.value, files: files.value });
  }

  #reject(problems: string): void {
    const { rejected } = this.#state;
    this.#state = { ...this.#state, rejected: rejected + 1, lastError: problems };
    this.#options.log.error("policy_rejected", { inForce: this.#state.loaded.version, problems: problems.slice(0, 4_000) });
  }

  async #take(checked: CheckedPolicy): Promise<void> {
    const { log, envoy } = this.#options;
    const next = checked.loaded;
    const before = this.#state.loaded;
    const plan = this.#plan(next);
    this.#sayStatic(before, next);
    if (envoy !== undefined) {
      const both = new Map([...this.#clusters, ...byName(plan.clusters)]);
      const written = await this.#write({ ...plan, clusters: [...both.values()] });
      if (!written.ok) return this.#reject(written.error);
      this.#clusters = both;
      if (!(await this.#waitForEnvoy(plan, ENVOY_WAIT_MS)))
        return this.#reject("Envoy did not take the new clusters; the policy before stays in force");
    }
    const { inForce, over } = this.#options.swap(checked);
    await inForce;
    this.#state = {
      loaded: next,
      loadedAtMs: Date.now(),
      reloads: this.#state.reloads + 1,
      rejected: this.#state.rejected,
      lastError: undefined,
    };
    log.info("policy_in_force", { version: next.version, hash: next.hash.slice(0, 12), before: before.version });
    for (const warning of next.warnings) log.warn("policy_warning", { problem: formatProblem(warning) });
    // A long exchange may outlive several versions.
    this.#older = Promise.all([this.#older, over]);
    if (envoy !== undefined) this.#retire(this.#older, plan);
  }

  /** Takes away the clusters that only older versions name, when no exchange can name them any more. */
  #retire(over: Promise<unknown>, plan: EnvoyPlan): void {
    const patience = sleep(plan.requestMsMax + RETIRE_SLACK_MS, undefined, { ref: false, signal: this.#stop.signal }).catch(() => {});
    Promise.race([over, patience])
      .then(async () => {
        // A newer version took over meanwhile: its own retirement cleans up.
        if (this.#stop.signal.aborted || this.#state.loaded.hash !== plan.policyHash) return;
        const written = await this.#write(plan);
        if (written.ok) this.#clusters = byName(plan.clusters);
        else this.#options.log.error("envoy_files_fault", { problem: written.error });
      })
      .catch((cause: unknown) => this.#options.log.error("envoy_files_fault", { cause }));
  }

  #plan(loaded: LoadedPolicy): EnvoyPlan {
    const admin = parseAdmin(this.#options.envoy?.admin ?? "127.0.0.1:0");
    return envoyPlan(loaded, STAGES, {
      nodeId: "sluice",
      admin,
      sockets: [],
      dynamicDir: this.#options.envoy?.dynamicDir ?? "",
      accessLog: "",
    });
  }

  async #write(plan: EnvoyPlan): Promise<Result<void, string>> {
    const written = await writeEnvoyFolder(renderEnvoy(plan), plan.dynamicDir);
    return written.ok ? ok(undefined) : err(`Envoy's files in ${written.error.path} cannot be written: ${written.error.reason}`);
  }

  /** `cds.version_text` equals the policy's hash, and no cluster is warming. False when Envoy does not get there in time. */
  async #waitForEnvoy(plan: EnvoyPlan, waitMs: number): Promise<boolean> {
    const deadline = performance.now() + waitMs;
    while (performance.now() < deadline && !this.#stop.signal.aborted) {
      const text = await this.#stats("version_text|warming_clusters");
      const version = text.includes(`cluster_manager.cds.version_text: "${plan.policyHash}"`);
      if (version && /cluster_manager\.warming_clusters: 0/.test(text)) return true;
      await sleep(50);
    }
    return false;
  }

  async #stats(filter: string): Promise<string> {
    try {
      const answer = await fetch(`http://${this.#options.envoy?.admin}/stats?filter=${encodeURIComponent(filter)}`, {
        signal: AbortSignal.timeout(2_000),
      });
      return await answer.text();
    } catch {
      return "";
    }
  }

  #sayStatic(before: LoadedPolicy, next: LoadedPolicy): void {
    const [old, now] = [this.#plan(before), this.#plan(next)];
    for (const [what, changed] of [
      ["listen", JSON.stringify(old.listen) !== JSON.stringify(now.listen)],
      ["limits.bodyBytesMax", old.bodyBytesMax !== now.bodyBytesMax],
      ["the longest timeouts.requestMs", old.requestMsMax < now.requestMsMax],
    ] as const)
      if (changed)
        this.#options.log.warn("envoy_restart_needed", {
          changed: what,
          remedy: "render the bootstrap anew (sluice envoy) and restart Envoy",
        });
  }
}

const byName = (clusters: readonly UpstreamCluster[]): ReadonlyMap<string, UpstreamCluster> =>
  new Map(clusters.map((cluster) => [cluster.name, cluster]));

/** The same digest as a loaded policy's hash: SHA-256 over the files' bytes in name order. */
function digestOf(files: readonly { readonly bytes: Uint8Array }[]): string {
  const hash = createHash("sha256");
  for (const { bytes } of files) hash.update(bytes);
  return hash.digest("hex");
}

function parseAdmin(text: string): { readonly address: string; readonly port: number } {
  const at = text.lastIndexOf(":");
  return { address: text.slice(0, at).replace(/^\[|\]$/g, ""), port: Number(text.slice(at + 1)) };
}
