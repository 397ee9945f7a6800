import { hash } from "node:crypto";
import { LRUCache } from "lru-cache";
import { INJECTION_KEPT_CHARS_MIN, INJECTION_SCORES_KEPT } from "../../core/limits.ts";
import type { InjectionScore, InjectionScorer, Position } from "../../detectors/injection/score.ts";

/** A scorer that scores a tenant's text once: each turn of a conversation brings all of the turns before it along. */
export interface KeptScores {
  /** As `InjectionScorer.steps`. */
  steps(text: string, position: Position, tenant: string): Generator<undefined, InjectionScore>;
}

/** Scores are kept by a digest, never by text. Each tenant has its own, so that no time taken tells what another has sent. */
export function keepScores(scorer: InjectionScorer): KeptScores {
  const kept = new LRUCache<string, InjectionScore>({ max: INJECTION_SCORES_KEPT });
  function* steps(text: string, position: Position, tenant: string): Generator<undefined, InjectionScore> {
    if (text.length < INJECTION_KEPT_CHARS_MIN) return yield* scorer.steps(text, position);
    const key = hash("sha256", `${position} ${tenant.length} ${tenant} ${text}`, "base64url");
    const known = kept.get(key);
    if (known !== undefined) return known;
    const score = yield* scorer.steps(text, position);
    kept.set(key, score);
    return score;
  }
  return { steps };
}
