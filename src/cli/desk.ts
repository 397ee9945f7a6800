/**
 * The desk: where people decide on tool calls, one for all the processes of a `sluice serve`. It has its own hold of the store, its own
 * file of events, and tells the policy's webhook of calls that wait.
 */
import { readFile } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import { resolve } from "node:path";
import { openJsonlAudit } from "../adapters/audit/jsonl.ts";
import { openWebhook, type Webhook } from "../adapters/http/webhook.ts";
import { openKeySets } from "../adapters/jwks/store.ts";
import { openFileKeyring } from "../adapters/keyring/file.ts";
import { openSqliteApprovals } from "../adapters/sqlite/approvals.ts";
import { type Approvers, compileApprovers } from "../config/approvers.ts";
import type { LoadedPolicy } from "../config/load.ts";
import { AUDIT_PENDING_BYTES_MAX, MIB } from "../core/limits.ts";
import { err, ok, type Result } from "../core/result.ts";
import type { Approval, ApprovalsPort } from "../ports/approvals.ts";
import type { AuditPort } from "../ports/audit.ts";
import { systemClock } from "../ports/clock.ts";
import type { Log } from "../ports/log.ts";
import { type ApprovalsApi, answerApprovals } from "../server/approvals-api.ts";
import { approvalEvent } from "./approval-event.ts";
import { describeAudit, keyFileOf } from "./stores.ts";

export interface DeskOptions {
  readonly data: string;
  readonly writerId: string;
  /** The policy in force, asked at each use. */
  readonly policy: () => LoadedPolicy;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly log: Log;
}
export interface Desk {
  /** Answers requests below /approvals; false: it is another path. */
  answer(request: IncomingMessage, response: ServerResponse): Promise<boolean>;
  /** Where the desk records what people do. */
  readonly audit: AuditPort;
  close(): Promise<void>;
}

/** How often the store is asked for calls that nobody was told of, milliseconds. */
const TELL_MS = 500;
const TOLD_AT_ONCE = 100;

/** Opens the desk; an error is one clear line. */
export async function openDesk(options: DeskOptions): Promise<Result<Desk, string>> {
  const { data, env, log } = options;
  const keyring = await openFileKeyring(keyFileOf(data, env));
  if (!keyring.ok) return keyring;
  const audit = await openJsonlAudit({
    dir: data,
    writerId: `${options.writerId}-desk`,
    rotateBytes: 64 * MIB,
    pendingBytesMax: AUDIT_PENDING_BYTES_MAX,
    clock: systemClock,
    onError: (fault) => log.error("audit_fault", { doing: fault.doing, lost: fault.lost, cause: fault.cause }),
  });
  if (!audit.ok) return err(describeAudit(audit.error.cause, data));
  const approvals = await openSqliteApprovals({
    dir: data,
    clock: systemClock,
    keyring: keyring.value,
    onStep: (step) => void audit.value.event(approvalEvent(step)),
  });
  if (!approvals.ok) {
    await audit.value.close();
    return err(
      `approvals cannot be kept in ${data}: ${approvals.error.cause instanceof Error ? approvals.error.cause.message : "unusable"}`,
    );
  }
  const people = new People(options);
  const api: ApprovalsApi = { approvals: approvals.value, identify: (token, peer) => people.identify(token, peer) };
  const answer = (request: IncomingMessage, response: ServerResponse): Promise<boolean> => answerApprovals(request, response, api);
  const listener = await listen(options, answer);
  const teller = new Teller(options, approvals.value);
  const close = async (): Promise<void> => {
    teller.close();
    people.close();
    if (listener.ok) listener.value?.close();
    approvals.value.close();
    await audit.value.close();
  };
  if (!listener.ok) {
    await close();
    return listener;
  }
  return ok({ answer, audit: audit.value, close });
}

/** Approvers of the policy in force. */
class People {
  readonly #options: DeskOptions;
  readonly #keySets;
  #compiled: { readonly of: LoadedPolicy; readonly approvers: Approvers } | undefined;

  constructor(options: DeskOptions) {
    this.#options = options;
    this.#keySets = openKeySets({ clock: systemClock, log: options.log, env: options.env });
    this.#current();
  }

  identify(token: string | undefined, peer: Parameters<ApprovalsApi["identify"]>[1]): ReturnType<ApprovalsApi["identify"]> {
    const shown = { head: NO_HEADERS, query: NO_QUERY, secrets: token === undefined ? [] : [token], peer };
    return this.#current().identify(shown, { now: () => systemClock.wallMs(), keySets: this.#keySets });
  }
  close(): void {
    this.#keySets.close();
  }

  #current(): Approvers {
    const loaded = this.#options.policy();
    if (this.#compiled?.of !== loaded) {
      this.#compiled = { of: loaded, approvers: compileApprovers(loaded.document, loaded.folder) };
      this.#keySets.keep(this.#compiled.approvers.keySources);
    }
    return this.#compiled.approvers;
  }
}
const NO_HEADERS = { get: () => undefined };
const NO_QUERY = new URLSearchParams();

/** Tells the policy's webhook. */
class Teller {
  readonly #options: DeskOptions;
  readonly #approvals: ApprovalsPort;
  readonly #timer: NodeJS.Timeout;
  readonly #underWay = new Set<string>();
  #webhook: { readonly of: LoadedPolicy; readonly webhook: Webhook | undefined } | undefined;

  constructor(options: DeskOptions, approvals: ApprovalsPort) {
    this.#options = options;
    this.#approvals = approvals;
    this.#timer = setInterval(() => this.#look(), TELL_MS);
  }
  close(): void {
    clearInterval(this.#timer);
    this.#webhook?.webhook?.close();
  }

  #look(): void {
    const webhook = this.#current();
    // One that the receiver does not take holds up those behind it: what is under way is not taken again.
    const untold = this.#approvals.takeUntold(webhook === undefined ? 0 : TOLD_AT_ONCE);
    if (webhook === undefined) return;
    for (const approval of untold.ok ? untold.value : []) {
      const { id } = approval;
      if (this.#underWay.has(id)) continue;
      this.#underWay.add(id);
      webhook.send(messageOf(approval), (outcome) => {
        this.#underWay.delete(id);
        // What was given up is tried anew when its time is over, for as long as the call waits.
        if (outcome !== "given_up") this.#approvals.told(id, outcome === "taken" ? "somebody" : "nobody");
      });
    }
  }
  #current(): Webhook | undefined {
    const { policy, env, log } = this.#options;
    const loaded = policy();
    if (this.#webhook?.of === loaded) return this.#webhook.webhook;
    this.#webhook?.webhook?.close();
    const setting = loaded.document.approvals.webhook;
    const place = (file: string | undefined): string | undefined => (file === undefined ? undefined : resolve(loaded.folder, file));
    const secret = setting?.secret === undefined ? undefined : { env: setting.secret.env, file: place(setting.secret.file) };
    const webhook = setting === undefined ? undefined : openWebhook({ url: setting.url, secret, caFile: place(setting.caFile), env, log });
    this.#webhook = { of: loaded, webhook };
    return webhook;
  }
}

function messageOf({ id, tenant, app, user, useCase, tool, exchange, policy, approvers, createdMs, expiresMs }: Approval) {
  return {
    type: "approval.requested",
    id,
    tool,
    tenant,
    app,
    user: user ?? null,
    useCase: useCase ?? null,
    exchange,
    policy: policy.name,
    approvers,
    createdAt: new Date(createdMs).toISOString(),
    expiresAt: new Date(expiresMs).toISOString(),
  };
}

/** The port with TLS that the policy names at the start; undefined: it names none. */
async function listen(
  { policy, log }: DeskOptions,
  answer: (request: IncomingMessage, response: ServerResponse) => Promise<boolean>,
): Promise<Result<Server | undefined, string>> {
  const { document, folder } = policy();
  const setting = document.approvals.listen;
  if (setting === undefined) return ok(undefined);
  const where = `${setting.address}:${setting.port}`;
  let server: Server;
  try {
    const read = (file: string): Promise<string> => readFile(resolve(folder, file), "utf8");
    server = createServer({
      cert: await read(setting.cert),
      key: await read(setting.key),
      minVersion: "TLSv1.2",
      // Tokens come without a certificate: a connection that shows none is let in, and proves nobody by it.
      ...(setting.clientCa === undefined ? {} : { ca: await read(setting.clientCa), requestCert: true, rejectUnauthorized: false }),
      requestTimeout: 10_000,
      headersTimeout: 5_000,
    });
  } catch (cause) {
    return err(
      `approvals.listen: its certificate, key or authority cannot be used: ${cause instanceof Error ? cause.message : "unknown error"}`,
    );
  }
  server.on("request", (request, response) => {
    answer(request, response)
      .then((known) => void (known || response.writeHead(404).end()))
      .catch((cause: unknown) => {
        log.error("approvals_fault", { cause });
        response.destroy();
      });
  });
  return new Promise((done) => {
    server.once("error", (cause: NodeJS.ErrnoException) =>
      done(
        err(
          cause.code === "EADDRINUSE" ? `approvals.listen: ${where} is taken; choose another port` : `approvals.listen: ${cause.message}`,
        ),
      ),
    );
    server.listen(setting.port, setting.address, () => done(ok(server)));
  });
}
