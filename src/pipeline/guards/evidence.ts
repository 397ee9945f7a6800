import type { Stop } from "../../core/guard.ts";
import { raiseClass } from "../run.ts";
import type { Work } from "../work.ts";

/** A guard's word ended the answer: the record and the headers say so. */
export function noteStop(work: Work, { kind, denial }: Stop): void {
  work.denial = denial;
  work.decision = kind === "refuse" ? "refused" : "degraded";
}

/** Takes the evidence of all guards, once: entries of the record that are said of the answer. Warnings are noted as for requests. */
export function finishGuards(work: Work): void {
  const { gate } = work;
  if (gate === undefined) return;
  work.gate = undefined;
  if (gate.hasRemoved && (work.decision === "allowed" || work.decision === "warned")) work.decision = "degraded";
  for (const seat of gate.seats) {
    const { stage, mode } = seat;
    const said = seat.evidence();
    if (seat.fault !== undefined) {
      work.entries.push({ stage, mode, verdict: "fault", on: "answer", code: "internal", reason: `${seat.fault}; ${seat.onFault}` });
      continue;
    }
    if (said === undefined) continue;
    const { verdict, denial, reason, evidence, entities } = said;
    if (entities !== undefined) raiseClass(work, entities);
    const why = reason ?? denial?.detail;
    work.entries.push({
      ...{ stage, mode, verdict, on: "answer" },
      ...(denial === undefined ? {} : { code: denial.code }),
      ...(why === undefined ? {} : { reason: why }),
      ...(evidence === undefined ? {} : { evidence }),
    });
    if (mode !== "warn" || verdict !== "deny") continue;
    if (work.decision === "allowed") work.decision = "warned";
    if (denial !== undefined) work.warnings.push(denial.code);
  }
}
