import { ok } from "../core/result.ts";
import type { ResolvedPolicy } from "../core/snapshot.ts";
import type { BoundStage } from "../core/stage.ts";
import type { Clock } from "../ports/clock.ts";
import type { LedgerDesk } from "../ports/ledger-desk.ts";
import { readBody, resolvePolicy } from "./decide.ts";
import { runStages } from "./run.ts";
import { REMEMBER_NOTHING, storesOf } from "./state.ts";
import type { PipelineDeps, Work } from "./work.ts";

/** Shadow twins of resolved policies, made once each. */
const twins = new WeakMap<ResolvedPolicy, ResolvedPolicy>();

/** The same rules with every stage that is not off in shadow: asked, recorded, without effect. */
export function inShadow(policy: ResolvedPolicy): ResolvedPolicy {
  const known = twins.get(policy);
  if (known !== undefined) return known;
  const stages = policy.stages.map((stage): BoundStage => ({ ...stage, mode: stage.mode === "off" ? "off" : "shadow" }));
  const made: ResolvedPolicy = { ...policy, mode: "shadow", stages };
  twins.set(policy, made);
  return made;
}

/** A ledger in which everything fits and nothing is written. */
const uncounted = ({ wallMs }: Clock): LedgerDesk => ({
  wallMs,
  enter: async () => ok({ kind: "admitted", levels: [] }),
  hold: async () => ok({ kind: "admitted", levels: [] }),
  settle: async () => {},
  release: async () => {},
  leave: async () => {},
});

/**
 * Tries the rules on a request that only passes by: reads it, resolves the policy of `observeAs`, asks every stage in shadow.
 * What is wrong with the request goes into the record's code; nobody is refused.
 */
export async function observe(work: Work, body: Buffer | undefined, deps: PipelineDeps): Promise<void> {
  work.requestBytes = body?.length ?? 0;
  work.forwarded = true;
  work.remembered = REMEMBER_NOTHING;
  const { codec } = work;
  const principal = work.snapshot.observeAs;
  if (codec === undefined || principal === undefined) {
    work.denial = { code: codec === undefined ? "unsupported_surface" : "unauthenticated" };
    return;
  }
  work.principal = principal;
  const problem = (await readBody(work, codec, body)) ?? resolvePolicy(work);
  if (problem !== undefined || work.policy === undefined) {
    work.denial = problem ?? { code: "internal" };
    return;
  }
  work.policy = inShadow(work.policy);
  // What passes by was paid for by its caller's own key.
  await runStages(work, deps.clock.monotonicMs, { ...storesOf(deps), ledger: uncounted(deps.clock) });
}
