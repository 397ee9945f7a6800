import { hash } from "node:crypto";
import type { DenialCode } from "../core/denials.ts";
import type { Json } from "../core/json.ts";
import type { Principal, RetryPolicy } from "../core/policy.ts";
import type { PolicySnapshot, ResolvedPolicy } from "../core/snapshot.ts";
import type { BoundStage, StageDefinition } from "../core/stage.ts";
import { routeSection } from "../stages/route/section.ts";
import { compileCatalog } from "./catalog.ts";
import type { LoadedPolicy } from "./load.ts";
import { bindSettings, layersOf, mergeLayers, type ResolvedSettings, type Subject } from "./resolve.ts";
import type { KeyFacts, PolicyDocument } from "./schema.ts";
import { memberOf } from "./tree.ts";

/** Longest API key looked at, in characters; Sluice's own have about sixty. */
const API_KEY_CHARS_MAX = 512;

/** A key as it is looked up: who it stands for, and from when to when. Times in milliseconds since 1970. */
interface KeyEntry {
  readonly principal: Principal;
  readonly revoked: boolean;
  readonly notBeforeMs: number;
  readonly expiresMs: number;
}

/**
 * Compiles a loaded policy: catalogue, keys by hash, rules by (tenant, app, use case). Immutable, but for the memory of rules
 * resolved so far, which the policy's own names bound.
 */
export function compileSnapshot(loaded: LoadedPolicy, stages: readonly StageDefinition[]): PolicySnapshot {
  const { document, tree } = loaded;
  const keys = keysByHash(document);
  const settings = new Map<string, ResolvedSettings>();
  const resolved = new Map<string, ResolvedPolicy>();

  /** Subjects whose layers are the same share one set of bound stages. */
  const settingsOf = (subject: Subject): ResolvedSettings => {
    const layers = layersOf(tree, stages, subject);
    const same = JSON.stringify(layers.map((layer) => layer.path));
    const known = settings.get(same);
    if (known !== undefined) return known;
    const made = bindSettings(mergeLayers(layers).value, stages);
    settings.set(same, made);
    return made;
  };
  const resolve = (principal: Principal, useCase: string | undefined): ResolvedPolicy => {
    const { tenant, app } = principal;
    // Names come from callers: only those of the policy may become entries.
    const named = useCase !== undefined && Object.hasOwn(document.useCases, useCase) ? useCase : undefined;
    const name = [tenant, app, named ?? "-"].join("/");
    const known = resolved.get(name);
    if (known !== undefined) return known;
    const made = resolvedPolicy(name, settingsOf({ tenant, app, useCase: named }));
    resolved.set(name, made);
    return made;
  };
  const appOf = (principal: Principal) => own(own(document.tenants, principal.tenant)?.apps, principal.app);

  return {
    version: loaded.version,
    hash: loaded.hash,
    catalog: compileCatalog(document, loaded.prices, loaded.folder),
    limits: document.limits,
    authenticate(apiKey: string, nowMs: number): Principal | DenialCode {
      if (apiKey.length === 0 || apiKey.length > API_KEY_CHARS_MAX) return "unauthenticated";
      const entry = keys.get(hash("sha256", apiKey, "hex"));
      if (entry === undefined || entry.revoked || nowMs < entry.notBeforeMs || nowMs >= entry.expiresMs) return "unauthenticated";
      return entry.principal;
    },
    defaultUseCase(principal: Principal): string | undefined {
      if (principal.useCase !== undefined) return principal.useCase;
      const [only, ...others] = appOf(principal)?.useCases ?? [];
      if (only === undefined || others.length > 0) return undefined;
      return mustName(resolve(principal, only).stages) ? undefined : only;
    },
    allowsUseCase(principal: Principal, useCase: string): boolean {
      if (principal.useCase !== undefined && principal.useCase !== useCase) return false;
      return appOf(principal)?.useCases.includes(useCase) ?? false;
    },
    resolve,
    residencyOf: (tenant: string): string | undefined => own(document.tenants, tenant)?.residency,
  };
}

function resolvedPolicy(name: string, { common, stages }: ResolvedSettings): ResolvedPolicy {
  return {
    name,
    mode: common.mode,
    timeouts: common.timeouts,
    retry: retryOf(stages),
    errors: common.errors,
    evidenceFault: common.evidence.onFault,
    stages,
  };
}

/** Retries are written in the `route` section, and are Envoy's to make: the plan needs them beside the timeouts. */
function retryOf(stages: readonly BoundStage[]): RetryPolicy {
  return routeSection.shape.retry.parse(memberOf(settingsOfStage(stages, "route"), "retry"));
}
/** Does the contract, where it is enforced, make the caller name the use case itself? */
function mustName(stages: readonly BoundStage[]): boolean {
  const contract = stages.find((stage) => stage.name === "contract");
  return contract?.mode === "enforce" && memberOf(contract.settings, "useCase") === "required";
}
function settingsOfStage(stages: readonly BoundStage[], name: string): Json | undefined {
  return stages.find((stage) => stage.name === name)?.settings;
}

function keysByHash(document: PolicyDocument): ReadonlyMap<string, KeyEntry> {
  const keys = new Map<string, KeyEntry>();
  const add = (id: string, tenant: string, app: string, facts: KeyFacts): void => {
    keys.set(facts.sha256, {
      principal: Object.freeze({ tenant, app, useCase: facts.useCase, user: facts.user, credentialId: id, credentialKind: "api_key" }),
      revoked: facts.revoked !== undefined,
      notBeforeMs: facts.notBefore === undefined ? Number.NEGATIVE_INFINITY : Date.parse(facts.notBefore),
      expiresMs: facts.expires === undefined ? Number.POSITIVE_INFINITY : Date.parse(facts.expires),
    });
  };
  for (const [id, { tenant, app, ...facts }] of Object.entries(document.keys)) add(id, tenant, app, facts);
  for (const [tenant, settings] of Object.entries(document.tenants)) {
    for (const [app, { credentials }] of Object.entries(settings.apps)) {
      for (const { apiKey } of credentials) add(apiKey.id, tenant, app, apiKey);
    }
  }
  return keys;
}

/** A member that is the map's own: names such as `constructor` must not find what every object has. */
function own<T>(map: Readonly<Record<string, T>> | undefined, name: string): T | undefined {
  return map !== undefined && Object.hasOwn(map, name) ? map[name] : undefined;
}
