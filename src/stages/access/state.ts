import { STATE_REFS_MAX } from "../../core/limits.ts";
import type { Catalog, ModelChoice, Target } from "../../core/policy.ts";
import { err, ok, type Result } from "../../core/result.ts";
import type { Effect, PortError, StageContext, Verdict } from "../../core/stage.ts";
import type { KeptNote, StatePlace } from "../../core/state.ts";
import type { ProviderStateRef, RequestView } from "../../core/view.ts";
import { lookUp, notesOf, referencesOf } from "../shared/kept-state.ts";
import type { AccessSection } from "./section.ts";

/** Where each reference of the request is kept, in their order, then histories; undefined: not made by this tenant and app. */
export interface StateFacts {
  readonly places: readonly (StatePlace | undefined)[];
  /** What is noted of them. */
  readonly kept: KeptNote;
}

/** Asks the store where references are, and only then. */
export function gatherState(context: StageContext, section: AccessSection): Promise<Result<StateFacts, PortError>> | undefined {
  const references = context.request === undefined ? [] : referencesOf(context.request.view);
  if (references.length === 0 || references.length > STATE_REFS_MAX || section.providerState === "deny") return undefined;
  const lenient = section.providerState === "allow";
  const asked = lookUp(context);
  if (asked === undefined) return lenient ? undefined : Promise.resolve(err({ code: "unavailable" }));
  return asked.then((found) => {
    if (found.ok) return ok({ places: found.value, kept: notesOf(context, found.value) });
    // Where any reference is allowed, the store only helps to find the way.
    return lenient ? ok({ places: [], kept: {} }) : found;
  });
}

/** The same words for what another made and what nobody made: ids are not for probing. */
export function stateProblem(section: AccessSection, view: RequestView, facts: StateFacts | undefined): Verdict | undefined {
  if (section.providerState === "allow" || view.providerState.length === 0) return undefined;
  const forbidden = (detail: string): Verdict => ({ kind: "deny", code: "forbidden", detail });
  const name = ({ kind }: ProviderStateRef): string => kind.replaceAll("_", " ");
  const [first] = view.providerState;
  if (section.providerState === "deny" && first !== undefined) {
    if (first.kind === "store") return forbidden("Answers may not be kept at the provider. Send store: false.");
    return forbidden(`The request refers to state kept at the provider (${name(first)}), which is not allowed. Send the content itself.`);
  }
  const references = referencesOf(view);
  if (references.length > STATE_REFS_MAX)
    return forbidden(`The request refers to more than ${STATE_REFS_MAX} things kept at the provider.`);
  const stranger = references.find((_reference, index) => facts?.places[index] === undefined);
  if (stranger !== undefined)
    return forbidden(
      `The request refers to state kept at the provider (${name(stranger)}) that this app did not make through the gateway.`,
    );
  const homes = new Set(references.map((_reference, index) => facts?.places[index]?.provider));
  return homes.size > 1 ? forbidden("The request refers to state that is kept at different providers.") : undefined;
}

/** The verdict with its candidates narrowed to the provider that keeps what the request refers to. */
export function atHome(verdict: Verdict, home: StatePlace, catalog: Catalog): Verdict {
  if (verdict.kind !== "allow") return verdict;
  const effects = verdict.effects.map((effect): Effect => {
    if (effect.kind !== "candidates") return effect;
    const candidates = effect.candidates.flatMap((choice) => {
      const targets = choice.model.targets.filter(({ provider }) => provider.name === home.provider);
      return targets.length === 0 ? [] : [{ ...choice, model: { ...choice.model, targets } }];
    });
    return { ...effect, candidates };
  });
  const none = effects.some((effect) => effect.kind === "candidates" && effect.candidates.length === 0);
  if (none)
    return { kind: "deny", code: "no_target", detail: "What the request refers to is kept at a provider that does not serve this model." };
  const choice = subjectChoice(catalog, home);
  return { ...verdict, effects: choice === undefined ? effects : [...effects, { kind: "home", choice }] };
}

/** The way to a kept thing: its provider, under the model that made it, which the policy may not have any more. */
export function subjectChoice(catalog: Catalog, { provider, model, providerModel }: StatePlace): ModelChoice | undefined {
  const account = catalog.providers.get(provider);
  if (account === undefined) return undefined;
  const known = catalog.models.get(model);
  const served = known?.targets.find((target) => target.provider.name === provider && target.model === providerModel);
  const target: Target = served ?? { provider: account, model: providerModel, region: account.regions[0], price: undefined };
  return { model: { name: model, family: known?.family, targets: [target] }, parameters: {}, tier: undefined };
}
