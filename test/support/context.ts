import { parseJson } from "../../src/core/json.ts";
import type { Model, Provider, Target, TierName } from "../../src/core/policy.ts";
import type { Result } from "../../src/core/result.ts";
import type { PortError, StageContext, StageDefinition, Verdict } from "../../src/core/stage.ts";
import type { Dialect, RequestView } from "../../src/core/view.ts";
import { Calendar } from "../../src/core/windows.ts";

/** Pieces of a stage's context for tables of cases: a small catalogue, a view, and defaults for the rest. */
export function provider(name: string, format: Dialect, more: Partial<Provider> = {}): Provider {
  return {
    name,
    format,
    scheme: "https",
    host: `${name}.example`,
    port: 443,
    basePath: "",
    regions: ["us"],
    residency: ["us"],
    private: false,
    cluster: `p.${name}`,
    tenantClusters: new Map(),
    ...more,
  };
}

export const target = (of: Provider, model: string, region = of.regions[0]): Target => ({ provider: of, model, region, price: undefined });
export const model = (name: string, targets: readonly Target[], family?: string): Model => ({ name, family, targets });

export function view(more: Partial<RequestView> = {}): RequestView {
  return {
    model: "gpt",
    streaming: false,
    framing: "json",
    outputTokensMax: undefined,
    choices: 1,
    tools: [],
    providerState: [],
    contractFields: new Map(),
    texts: () => [],
    ...more,
  };
}

export function context(
  more: Omit<Partial<StageContext>, "catalog" | "request"> & {
    readonly models?: readonly Model[];
    readonly tiers?: Partial<Record<TierName, readonly string[]>>;
    readonly view?: RequestView | undefined;
  } = {},
): StageContext {
  const doc = parseJson(Buffer.from("{}"));
  if (!doc.ok) throw new Error("{} is JSON");
  const models = new Map((more.models ?? []).map((entry) => [entry.name, entry]));
  const tiers = new Map<TierName, StageContext["catalog"]["tiers"] extends ReadonlyMap<TierName, infer C> ? C : never>();
  for (const tier of ["high", "standard", "cheap"] as const) {
    const names = more.tiers?.[tier];
    if (names !== undefined)
      tiers.set(
        tier,
        names.flatMap((name) => (models.has(name) ? [{ model: models.get(name) ?? model(name, []), parameters: {}, tier }] : [])),
      );
  }
  const { models: _models, tiers: _tiers, view: given, ...rest } = more;
  const shown = "view" in more ? given : view();
  return {
    principal: { tenant: "acme", app: "bot", useCase: undefined, user: undefined, credentialId: "k1", credentialKind: "api_key" },
    contract: { values: {}, unknown: [], problems: [] },
    useCase: "chat",
    surface: { name: "openai.chat", dialect: "openai", operation: "chat" },
    request: shown === undefined ? undefined : { doc: doc.value, facts: {}, view: shown },
    bodyBytes: 100,
    catalog: { providers: new Map(), models, tiers },
    tenantResidency: undefined,
    candidates: undefined,
    plan: undefined,
    change: {},
    marks: {},
    calendar: { windows: new Calendar("UTC"), utc: new Calendar("UTC"), weekStartsOn: 1 },
    exchange: { id: "e1", arrivedWallMs: 1_700_000_000_000, policy: { name: "acme/bot/chat", hash: "0".repeat(64) }, replans: 0 },
    retry: { on: [], attempts: 1 },
    ...rest,
  };
}

/** Runs a stage of the list with a section as the policy would hold it: its verdict, or a promise of a result with it where it gathers. */
export function decideWith(stage: StageDefinition, section: unknown, of: StageContext): Verdict | Promise<Result<Verdict, PortError>> {
  const said = stage.bind(section, { mode: "enforce", onFault: "closed" }).evaluate(of, new AbortController().signal);
  if (!(said instanceof Promise)) return said;
  return said.then((result) => (result.ok ? { ok: true, value: result.value.verdict } : result));
}
