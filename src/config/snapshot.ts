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
  const utc = new Calendar("UTC");
  const calendars = new Map<string, TenantCalendar>();
  const calendarIn = (timeZone: string, weekStart: keyof typeof WEEKDAYS): TenantCalendar => {
    const name = `${timeZone} ${weekStart}`;
    const known = calendars.get(name);
    if (known !== undefined) return known;
    const made = { windows: new Calendar(timeZone), utc, weekStartsOn: WEEKDAYS[weekStart] };
    calendars.set(name, made);
    return made;
  };
  /** What each call asks several times; names come from callers, and only those of the policy are remembered. */
  const tenants = new Map<string, TenantPlace>();
  const tenantOf = (name: string): TenantPlace => {
    const known = tenants.get(name);
    if (known !== undefined) return known;
    const tenant = own(document.tenants, name);
    const { timeZone = "UTC", weekStart = "monday", residency } = tenant ?? {};
    const made = { calendar: calendarIn(timeZone, weekStart), residency, apps: new Map<string, AppPlace>() };
    if (tenant !== undefined) tenants.set(name, made);
    return made;
  };
  const appOf = ({ tenant, app: name }: Principal): AppPlace => {
    const { apps } = tenantOf(tenant);
    const known = apps.get(name);
    if (known !== undefined) return known;
    const app = own(own(document.tenants, tenant)?.apps, name);
    const made: AppPlace = { useCases: app?.useCases ?? [], resolved: new Map() };
    if (app !== undefined) apps.set(name, made);
    return made;
  };
  const resolve = (principal: Principal, useCase: string | undefined): ResolvedPolicy => {
    const { resolved } = appOf(principal);
    const known = resolved.get(useCase);
    if (known !== undefined) return known;
    const named = useCase !== undefined && Object.hasOwn(document.useCases, useCase) ? useCase : undefined;
    const { tenant, app } = principal;
    const made = resolved.get(named) ?? resolvedPolicy([tenant, app, named ?? "-"].join("/"), settingsOf({ tenant, app, useCase: named }));
    resolved.set(named, made);
    return made;
  };

  return {
    version: loaded.version,
    hash: loaded.hash,
    catalog: compileCatalog(document, loaded.prices, loaded.folder),
    limits: document.limits,
    keySources: credentials.keySources,
    authenticate: credentials.authenticate,
    defaultUseCase(principal: Principal): string | undefined {
      if (principal.useCase !== undefined) return principal.useCase;
      const [only, ...others] = appOf(principal).useCases;
      if (only === undefined || others.length > 0) return undefined;
      return mustName(resolve(principal, only).stages) ? undefined : only;
    },
    allowsUseCase(principal: Principal, useCase: string): boolean {
      if (principal.useCase !== undefined && principal.useCase !== useCase) return false;
      return appOf(principal).useCases.includes(useCase);
    },
    resolve,
    observeAs: observer(document),
    residencyOf: (tenant: string): string | undefined => tenantOf(tenant).residency,
    calendarOf: (tenant: string): TenantCalendar => tenantOf(tenant).calendar,
  };
}

interface TenantPlace {
  readonly calendar: TenantCalendar;
  readonly residency: string | undefined;
  readonly apps: Map<string, AppPlace>;
}
interface AppPlace {
  readonly useCases: readonly string[];
  /** By use case; undefined: none of the policy's. */
  readonly resolved: Map<string | undefined, ResolvedPolicy>;
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
