import { ok, type Result } from "../core/result.ts";
import type { Claimant, HoldAnswer, LedgerError, StepAnswer } from "./ledger.ts";

/** One partition's step, and whose it is. */
export interface OrderedStep<T> {
  readonly claimant: Claimant;
  claim(): Promise<Result<T, LedgerError>>;
}

/**
 * Claims in several partitions, one after the other: the provider account first, then the tenant. The first that does not admit
 * ends it, and what was claimed before it is given back. Since a release closes an exchange for good, a further try needs
 * another id in the partitions that were claimed.
 */
export async function claimInOrder<T extends StepAnswer | HoldAnswer>(
  ledger: { release(claimant: Claimant): Promise<unknown> },
  steps: readonly OrderedStep<T>[],
): Promise<Result<{ readonly answers: readonly T[]; readonly admitted: boolean }, LedgerError>> {
  const answers: T[] = [];
  const claimed: Claimant[] = [];
  const giveBack = async (): Promise<void> => {
    for (const claimant of claimed) await ledger.release(claimant);
  };
  for (const { claimant, claim } of steps) {
    const answer = await claim();
    if (!answer.ok) {
      await giveBack();
      return answer;
    }
    answers.push(answer.value);
    if (answer.value.kind !== "admitted") {
      await giveBack();
      return ok({ answers, admitted: false });
    }
    claimed.push(claimant);
  }
  return ok({ answers, admitted: true });
}
