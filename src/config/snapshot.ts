import type { Json } from "../core/json.ts";
import type { Principal, RetryPolicy } from "../core/policy.ts";
import type { PolicySnapshot, ResolvedPolicy } from "../core/snapshot.ts";
import type { BoundStage, StageDefinition, TenantCalendar } from "../core/stage.ts";
import { Calendar } from "../core/windows.ts";
import { routeSection } from "../stages/route/section.ts";
import { compileCatalog } from "./catalog.ts";
import { compileCredentials } from "./credentials/authenticate.ts";
import type { LoadedPolicy } from "./load.ts";
import { bindSettings, layersOf, mergeLayers, type ResolvedSettings, type Subject } from "./resolve.ts";
import type { PolicyDocument } from "./schema.ts";
import { memberOf } from "./tree.ts";

/**
 * Compiles a loaded policy: catalogue, keys by hash, rules by (tenant, app, use case). Immutable, but for the memory of rules
 * resolved so far, which the policy's own names bound, and of tokens verified so far.
 */
export function compileSnapshot(loaded: LoadedPolicy, stages: readonly StageDefinition[]): PolicySnapshot {
  const { document, tree } = loaded;
  const credentials = compileCredentials(document, loaded.folder);
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
  const calendars = new Map<string, TenantCalendar>();
  const utc = new Calendar("UTC");
  const calendarOf = (tenant: string): TenantCalendar => {
    const { timeZone = "UTC", weekStart = "monday" } = own(document.tenants, tenant) ?? {};
    const name = `${timeZone} ${weekStart}`;
    const known = calendars.get(name);
    if (known !== undefined) return known;
    const made = { windows: new Calendar(timeZone), utc, weekStartsOn: WEEKDAYS[weekStart] };
    calendars.set(name, made);
    return made;
  };
  const appOf = (principal: Principal) => own(own(document.tenants, principal.tenant)?.apps, principal.app);

  return {
    version: loaded.version,
    hash: loaded.hash,
    catalog: compileCatalog(document, loaded.prices, loaded.folder),
    limits: document.limits,
    keySources: credentials.keySources,
    authenticate: credentials.authenticate,
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
    observeAs: observer(document),
    residencyOf: (tenant: string): string | undefined => own(document.tenants, tenant)?.residency,
    calendarOf,
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
    propagateTrace: common.telemetry.propagate,
    stages,
  };
}

const WEEKDAYS = { monday: 1, tuesday: 2, wednesday: 3, thursday: 4, friday: 5, saturday: 6, sunday: 7 } as const;

function observer({ observe }: PolicyDocument): Principal | undefined {
  if (observe === undefined) return undefined;
  const { tenant, app, useCase } = observe;
  return Object.freeze({ tenant, app, useCase, user: undefined, credentialId: "observe", credentialKind: "observe" });
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

/** A member that is the map's own: names such as `constructor` must not find what every object has. */
function own<T>(map: Readonly<Record<string, T>> | undefined, name: string): T | undefined {
  return map !== undefined && Object.hasOwn(map, name) ? map[name] : undefined;
}
