import { randomUUID } from "node:crypto";
import type { ApprovalStep } from "../adapters/sqlite/approvals.ts";
import type { AuditEvent } from "../core/record.ts";

/** A step of an approval as evidence: who, which tool, whose, under which rules. Never its arguments. */
export function approvalEvent({ step, by, approval, reason }: ApprovalStep): AuditEvent {
  const { tenant, app, user, useCase, tool, exchange, policy, approvers, votes } = approval;
  return {
    v: 1,
    event: `approval.${step}`,
    id: randomUUID(),
    time: new Date().toISOString(),
    by,
    tenant,
    app,
    subject: approval.id,
    ...(reason === undefined ? {} : { reason: reason.slice(0, 500) }),
    details: {
      tool: tool.slice(0, 128),
      exchange,
      policy: policy.name,
      policyHash: policy.hash,
      approvers,
      votes: votes.length,
      ...(user === undefined ? {} : { user }),
      ...(useCase === undefined ? {} : { useCase }),
    },
  };
}
