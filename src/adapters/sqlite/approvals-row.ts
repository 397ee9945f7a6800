import type { SQLOutputValue } from "node:sqlite";
import type { Approval, ApprovalStatus, ApprovalVote } from "../../ports/approvals.ts";

/** A row of a table of `approvals.db`. */
export type Row = Record<string, SQLOutputValue>;

const STATUSES: readonly ApprovalStatus[] = ["pending", "approved", "rejected", "used", "expired"];

/** The approval that a row and those of its votes say. */
export function approvalOf(row: Row, votes: readonly Row[]): Approval {
  const text = (name: string): string | undefined => (typeof row[name] === "string" ? row[name] : undefined);
  return {
    id: String(row["id"]),
    status: STATUSES.find((status) => status === row["status"]) ?? "expired",
    tenant: String(row["tenant"]),
    app: String(row["app"]),
    user: text("user"),
    useCase: text("use_case"),
    tool: String(row["tool"]),
    exchange: String(row["exchange"]),
    policy: { name: String(row["policy_name"]), hash: String(row["policy_hash"]) },
    createdMs: Number(row["created_ms"]),
    expiresMs: Number(row["expires_ms"]),
    approvers: row["approvers"] === 2 ? 2 : 1,
    votes: votes.map(
      (vote): ApprovalVote => ({
        by: String(vote["by"]),
        vote: vote["vote"] === "approve" ? "approve" : "reject",
        atMs: Number(vote["at_ms"]),
      }),
    ),
    keepsAnswer: row["held_body"] !== null,
  };
}
