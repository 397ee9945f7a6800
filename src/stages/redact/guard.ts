import type { Finding } from "../../core/detector.ts";
import type { AnswerGuard, GuardEvidence, LaneReader, LaneStep, Stop, TextEdit } from "../../core/guard.ts";
import type { LaneId } from "../../core/view.ts";
import { StreamScan } from "../../detectors/index.ts";
import { detectorsFor, type Profile } from "./profile.ts";
import type { Replacer } from "./replace.ts";
import { type Restored, RestoreScan, StandIns } from "./restore.ts";
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
    openLane: (lane, _tool, repeats) =>
      new Reader({
        // What the caller said itself is no leak of the model's.
        scan: detectors.length === 0 || lane.channel === "echo" ? undefined : new StreamScan(detectors),
        restore: standIns.isEmpty ? undefined : new RestoreScan(standIns),
        profile,
        replacer,
        note: (entity, action, value) => {
          (repeats ? beside : tally).note(entity, lane.channel, action, value);
          if (action === "block") blocked ??= entity;
        },
        lane,
      }),
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

const denialOf = (entity: string) => ({ code: "content_blocked" as const, detail: `The policy does not allow ${entity} in answers.` });

interface ReaderParts {
  readonly scan: StreamScan | undefined;
  readonly restore: RestoreScan | undefined;
  readonly profile: Profile;
  readonly replacer: Replacer;
  readonly note: (entity: string, action: string, value: string) => void;
  readonly lane: LaneId;
}

const NO_EDITS: readonly TextEdit[] = [];

/** Reads one lane. Where a stand-in and a finding overlap, the stand-in counts, and what the finding has beside it is replaced. */
class Reader implements LaneReader {
  readonly #parts: ReaderParts;
  #restored: Restored[] = [];
  #findings: Finding[] = [];
  #decided = 0;
  /** Text from the first place that is not decided, for the values that are found in it. */
  #kept = "";
  #keptFrom = 0;

  constructor(parts: ReaderParts) {
    this.#parts = parts;
  }

  push(text: string): LaneStep {
    const { scan, restore } = this.#parts;
    if (scan !== undefined) this.#kept += text;
    if (restore !== undefined) this.#restored.push(...restore.push(text));
    let released = Number.POSITIVE_INFINITY;
    if (scan !== undefined) {
      const seen = scan.push(text);
      if (seen.findings.length > 0) this.#findings.push(...seen.findings);
      released = seen.released;
    }
    return this.#step(Math.min(released, restore?.decided ?? Number.POSITIVE_INFINITY));
  }

  end(): LaneStep {
    const { scan, restore } = this.#parts;
    if (restore !== undefined) this.#restored.push(...restore.end());
    if (scan !== undefined) this.#findings.push(...scan.end().findings);
    return this.#step(Number.POSITIVE_INFINITY);
  }

  #step(limit: number): LaneStep {
    if (this.#restored.length === 0 && this.#findings.length === 0) return this.#nothing(limit);
    let to = limit;
    for (let again = true; again; ) {
      again = false;
      for (const { start, end } of [...this.#restored, ...this.#findings])
        if (start < to && end > to) {
          to = start;
          again = true;
        }
    }
    const edits: TextEdit[] = [];
    const restored = this.#restored.filter(({ end }) => end <= to);
    for (const { start, end, text } of restored) edits.push({ start, end, text, ifFixed: "pass" });
    let stop: LaneStep["stop"];
    for (const finding of this.#findings) {
      if (finding.end > to || stop !== undefined) break;
      stop = this.#judge(finding, restored, edits);
    }
    for (const { text } of restored) this.#parts.note("stand_in", "restore", text);
    this.#restored = this.#restored.filter(({ end }) => end > to);
    this.#findings = this.#findings.filter(({ end }) => end > to);
    if (to !== Number.POSITIVE_INFINITY) this.#forget(to);
    this.#decided = Math.max(this.#decided, to);
    edits.sort((a, b) => a.start - b.start);
    const before = stop === undefined ? edits : edits.filter(({ end }) => end <= (stop?.at ?? 0));
    return stop === undefined ? { decided: this.#decided, edits: before } : { decided: this.#decided, edits: before, stop };
  }

  /** Most pieces of an answer bring nothing. */
  #nothing(to: number): LaneStep {
    if (to !== Number.POSITIVE_INFINITY) this.#forget(to);
    this.#decided = Math.max(this.#decided, to);
    return { decided: this.#decided, edits: NO_EDITS };
  }

  #judge(finding: Finding, restored: readonly Restored[], edits: TextEdit[]): LaneStep["stop"] {
    const { profile, replacer, note } = this.#parts;
    const { entity, start, end, score } = finding;
    const action = profile.answers.get(entity);
    if (action === undefined || score < profile.minScore) return undefined;
    if (restored.some((other) => other.start <= start && other.end >= end)) return undefined;
    const value = this.#kept.slice(start - this.#keptFrom, end - this.#keptFrom);
    // In shadow the provider saw the value itself: saying it again is no leak of the model's.
    if (replacer.pseudonyms.knows(entity, value)) {
      note(entity, "restore", value);
      return undefined;
    }
    note(entity, action === "pseudonymise" ? "mask" : action, value);
    if (action === "block") return { at: start, stop: BLOCKED(entity) };
    if (action === "watch") return undefined;
    const text = replacer.replacement(entity, value, action === "pseudonymise" ? "mask" : action);
    let said = false;
    let from = start;
    const put = (to: number): void => {
      if (from < to) edits.push({ start: from, end: to, text: said ? "" : text, ...replacer.numbers });
      said ||= from < to;
    };
    for (const other of restored) {
      if (other.end <= from || other.start >= end) continue;
      put(other.start);
      from = other.end;
    }
    put(end);
    return undefined;
  }

  #forget(before: number): void {
    if (before <= this.#keptFrom) return;
    this.#kept = this.#kept.slice(before - this.#keptFrom);
    this.#keptFrom = before;
  }
}

const BLOCKED = (entity: string): Stop => ({ kind: "refuse", denial: denialOf(entity) });
