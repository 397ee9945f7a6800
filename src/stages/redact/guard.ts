import type { AnswerGuard, GuardEvidence } from "../../core/guard.ts";
import { detectorsFor, type Profile } from "./profile.ts";
import { denialOf, Reader } from "./reader.ts";
import type { Replacer } from "./replace.ts";
import { StandIns } from "./restore.ts";
import { Tally } from "./tally.ts";

/** Puts values back in place of their stand-ins, and does with what the model brings up itself what the profile says. */
export function redactGuard(profile: Profile, replacer: Replacer): AnswerGuard | undefined {
  const standIns = new StandIns(replacer.pseudonyms.pairs);
  const detectors = detectorsFor(profile.answers, profile);
  if (standIns.isEmpty && detectors.length === 0) return undefined;
  const tally = new Tally();
  // Of texts that repeat others, or stand beside them.
  const beside = new Tally();
  let blocked: string | undefined;
  return {
    openLane: (lane, _tool, repeats, after) =>
      new Reader(
        {
          // What the caller said itself is no leak of the model's.
          detectors: lane.channel === "echo" ? [] : detectors,
          standIns,
          profile,
          replacer,
          note: (entity, action, value) => {
            (repeats ? beside : tally).note(entity, lane.channel, action, value);
            if (action === "block") blocked ??= entity;
          },
        },
        after instanceof Reader ? after : undefined,
      ),
    evidence: (): GuardEvidence | undefined => {
      tally.noteMissing(beside);
      if (tally.isEmpty) return undefined;
      const evidence = { found: tally.found(replacer.digest) };
      const brought = tally.entitiesBut("restore");
      const entities = brought.length === 0 ? {} : { entities: brought };
      return blocked === undefined
        ? { verdict: "allow", ...entities, evidence }
        : { verdict: "deny", denial: denialOf(blocked), ...entities, evidence };
    },
  };
}
