import { hash, randomBytes, randomInt } from "node:crypto";
import { join } from "node:path";
import { err, ok, type Result } from "../core/result.ts";
import type { StageDefinition } from "../core/stage.ts";
import type { KeyFacts } from "./credentials/api-key.ts";
import type { LoadedPolicy } from "./load.ts";
import { editPolicy, type PolicyChange } from "./policy-edit.ts";
import { type Path, suggest } from "./problems.ts";

/** A key that was just made. `key` is shown once and kept nowhere. */
export interface IssuedKey {
  readonly id: string;
  readonly key: string;
  readonly prefix: string;
  readonly tenant: string;
  readonly app: string;
  readonly useCase?: string;
  readonly user?: string;
  readonly expires?: string;
  /** The file that holds its hash. */
  readonly file: string;
}

/** A key as the policy has it. */
export interface ListedKey {
  readonly id: string;
  readonly tenant: string;
  readonly app: string;
  readonly facts: KeyFacts;
  readonly status: "valid" | "not yet" | "expired" | "revoked";
  readonly file: string;
  readonly line: number;
  readonly path: Path;
}

export interface KeyOwner {
  readonly tenant: string;
  readonly app: string;
  readonly useCase: string | undefined;
  readonly user: string | undefined;
  readonly note: string | undefined;
  readonly expiresMs: number | undefined;
}

/** All keys of a policy, in the order of its files. */
export function listKeys(loaded: LoadedPolicy, nowMs: number): readonly ListedKey[] {
  const keys: ListedKey[] = [];
  const add = (id: string, tenant: string, app: string, facts: KeyFacts, path: Path): void => {
    const { file, line } = loaded.tree.place(path, "key");
    keys.push({ id, tenant, app, facts, status: statusOf(facts, nowMs), file, line, path });
  };
  for (const [id, { tenant, app, ...facts }] of Object.entries(loaded.document.keys)) add(id, tenant, app, facts, ["keys", id]);
  for (const [tenant, settings] of Object.entries(loaded.document.tenants)) {
    for (const [app, { credentials }] of Object.entries(settings.apps)) {
      for (const [index, { apiKey }] of credentials.entries())
        if (apiKey !== undefined) add(apiKey.id, tenant, app, apiKey, ["tenants", tenant, "apps", app, "credentials", index, "apiKey"]);
    }
  }
  return keys;
}

function statusOf(facts: KeyFacts, nowMs: number): ListedKey["status"] {
  if (facts.revoked !== undefined) return "revoked";
  if (facts.expires !== undefined && nowMs >= Date.parse(facts.expires)) return "expired";
  return facts.notBefore !== undefined && nowMs < Date.parse(facts.notBefore) ? "not yet" : "valid";
}

/** Makes a key of 256 random bits and stores its hash. Error: one line for the caller to show. */
export function issueKey(
  policy: string,
  stages: readonly StageDefinition[],
  owner: KeyOwner,
  nowMs: number,
): Promise<Result<IssuedKey, string>> {
  return editPolicy(policy, stages, (loaded) => {
    const problem = ownerProblem(loaded, owner);
    return problem === undefined ? ok(additionOf(loaded, policy, owner, nowMs)) : err(problem);
  });
}

/** Revokes a key: it is refused as soon as the policy is read again. Gives the file changed. */
export function revokeKey(
  policy: string,
  stages: readonly StageDefinition[],
  id: string,
  nowMs: number,
): Promise<Result<{ readonly file: string }, string>> {
  return editPolicy(policy, stages, (loaded) => {
    const found = findKey(loaded, id, nowMs);
    if (!found.ok) return found;
    if (found.value.status === "revoked") return err(`key ${id} is revoked already`);
    const { file, path } = found.value;
    return ok({ file, value: { file }, sets: [{ path, name: "revoked", value: timeText(nowMs) }] });
  });
}

/** Makes a new key for the owner of an old one, which stays valid for `overlapMs`. The new one lives as long as the old one was meant to. */
export function rotateKey(
  policy: string,
  stages: readonly StageDefinition[],
  id: string,
  options: { readonly overlapMs: number; readonly expiresMs: number | undefined; readonly nowMs: number },
): Promise<Result<IssuedKey & { readonly oldExpires: string }, string>> {
  const { overlapMs, nowMs } = options;
  return editPolicy(policy, stages, (loaded) => {
    const found = findKey(loaded, id, nowMs);
    if (!found.ok) return found;
    const { tenant, app, facts, status, file, path } = found.value;
    if (status !== "valid") return err(`key ${id} is ${status}: make a new one with \`sluice keys new\``);
    const endsMs = facts.expires === undefined ? Number.POSITIVE_INFINITY : Date.parse(facts.expires);
    const oldExpires = timeText(Math.min(endsMs, nowMs + overlapMs));
    const lifetimeMs = facts.created === undefined ? undefined : endsMs - Date.parse(facts.created);
    const expiresMs = options.expiresMs ?? (Number.isFinite(endsMs) ? nowMs + Math.max(lifetimeMs ?? 0, endsMs - nowMs) : undefined);
    const addition = additionOf(
      loaded,
      policy,
      { tenant, app, useCase: facts.useCase, user: facts.user, note: facts.note, expiresMs },
      nowMs,
    );
    // Both ends of the rotation in one write, so that none of them can stand alone: the new key goes where the old one is.
    const sets = [{ path, name: "expires", value: oldExpires }, ...addition.sets];
    return ok({ file, value: { ...addition.value, file, oldExpires }, sets });
  });
}

function findKey(loaded: LoadedPolicy, id: string, nowMs: number): Result<ListedKey, string> {
  const keys = listKeys(loaded, nowMs);
  const found = keys.find((key) => key.id === id);
  if (found !== undefined) return ok(found);
  return err(
    `there is no key ${JSON.stringify(id.slice(0, 64))}: ${suggest(
      id,
      keys.map((key) => key.id),
      "see `sluice keys list`",
    )}`,
  );
}

function ownerProblem({ document }: LoadedPolicy, { tenant, app, useCase }: KeyOwner): string | undefined {
  const tenants = Object.keys(document.tenants);
  const settings = Object.hasOwn(document.tenants, tenant) ? document.tenants[tenant] : undefined;
  if (settings === undefined)
    return `the policy has no tenant ${JSON.stringify(tenant.slice(0, 64))}: ${suggest(tenant, tenants, "add it first")}`;
  const rules = Object.hasOwn(settings.apps, app) ? settings.apps[app] : undefined;
  if (rules === undefined)
    return `tenant ${tenant} has no app ${JSON.stringify(app.slice(0, 64))}: ${suggest(app, Object.keys(settings.apps), "add it first")}`;
  if (useCase === undefined || rules.useCases.includes(useCase)) return undefined;
  return `app ${app} may not declare the use case ${JSON.stringify(useCase.slice(0, 64))}: ${suggest(useCase, rules.useCases, "add it to the app's useCases first")}`;
}

function additionOf(loaded: LoadedPolicy, policy: string, owner: KeyOwner, nowMs: number): PolicyChange<IssuedKey> {
  const taken = new Set(listKeys(loaded, nowMs).map((key) => key.id));
  let id = newId();
  while (taken.has(id)) id = newId();
  const prefix = `slk_${id}_`;
  const key = prefix + randomBytes(32).toString("base64url");
  const single = loaded.files.length === 1 && loaded.files[0] === policy;
  const file = single ? policy : join(policy, "keys.yaml");
  const { tenant, app, useCase, user, note } = owner;
  const expires = owner.expiresMs === undefined ? undefined : timeText(owner.expiresMs);
  const bound = {
    ...(useCase === undefined ? {} : { useCase }),
    ...(user === undefined ? {} : { user }),
    ...(expires === undefined ? {} : { expires }),
  };
  const entry = {
    tenant,
    app,
    sha256: hash("sha256", key, "hex"),
    prefix,
    created: timeText(nowMs),
    ...bound,
    ...(note === undefined ? {} : { note }),
  };
  return {
    file,
    value: { id, key, prefix, tenant, app, ...bound, file },
    sets: [{ path: ["keys"], name: id, value: entry }],
  };
}

/** Letters and digits that are not taken for each other; 31^7 * 23 ids. */
const LETTERS = "abcdefghjkmnpqrstuvwxyz";
const ID_CHARACTERS = `${LETTERS}23456789`;
function newId(): string {
  let id = LETTERS.charAt(randomInt(LETTERS.length));
  while (id.length < 8) id += ID_CHARACTERS.charAt(randomInt(ID_CHARACTERS.length));
  return id;
}

/** RFC 3339 in UTC, whole seconds. */
export function timeText(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d{3}Z$/, "Z");
}

/** `30m`, `24h`, `90d`, `1y` in milliseconds; undefined for anything else. */
export function parseLifetimeMs(text: string): number | undefined {
  const match = /^([1-9][0-9]{0,5})(m|h|d|y)$/.exec(text);
  const unit = { m: 60_000, h: 3_600_000, d: 86_400_000, y: 365 * 86_400_000 }[match?.[2] ?? ""];
  return unit === undefined ? undefined : Number(match?.[1]) * unit;
}
