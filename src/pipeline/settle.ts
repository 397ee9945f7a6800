import type { Ending } from "../core/record.ts";
import type { Outcome } from "../core/stage.ts";
import type { Work } from "./work.ts";

/**
 * Tells every stage that claimed something how the exchange ended, once; after `makeRecord`, which fixes usage and cost. What a
 * stage cannot bring to its store now is its own to keep and try again; `failed` hears of those that throw.
 */
export function settleClaims(work: Work, ending: Ending, failed: (stage: string, cause: unknown) => void): void {
  if (work.claims.size === 0) return;
  const outcome: Outcome = {
    ending,
    forwarded: work.forwarded,
    usage: work.usage,
    estimated: work.estimated,
    costNanoUsd: work.costNanoUsd,
    target: work.forwarded ? work.plan?.chain[0] : undefined,
    attempts: work.attempts,
    unanswered: work.unanswered,
    lostTokens: work.lostTokens,
  };
  for (const [stage, settle] of work.claims) settle(outcome).catch((cause: unknown) => failed(stage, cause));
  work.claims.clear();
}
