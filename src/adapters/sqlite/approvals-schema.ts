import { randomBytes } from "node:crypto";

/** Tables of `approvals.db`. `told`: 0 nobody was told, 1 somebody was, else until when a telling is under way, milliseconds. */
export const APPROVALS_SCHEMA = `
CREATE TABLE approval (
  id TEXT PRIMARY KEY, tenant TEXT NOT NULL, app TEXT NOT NULL, user TEXT, use_case TEXT, tool TEXT NOT NULL,
  call BLOB NOT NULL, arguments BLOB NOT NULL, exchange TEXT NOT NULL, policy_name TEXT NOT NULL, policy_hash TEXT NOT NULL,
  status TEXT NOT NULL, approvers INTEGER NOT NULL, life_ms INTEGER NOT NULL, created_ms INTEGER NOT NULL, expires_ms INTEGER NOT NULL,
  told INTEGER NOT NULL DEFAULT 0, held_for BLOB, held_type TEXT, held_body BLOB
) WITHOUT ROWID;
CREATE INDEX approval_call ON approval (tenant, call, status);
CREATE INDEX approval_held ON approval (tenant, held_for);
CREATE INDEX approval_untold ON approval (created_ms) WHERE told = 0;
CREATE INDEX approval_created ON approval (created_ms);
CREATE INDEX approval_expires ON approval (status, expires_ms);
CREATE TABLE vote (approval TEXT NOT NULL, by TEXT NOT NULL, vote TEXT NOT NULL, at_ms INTEGER NOT NULL, PRIMARY KEY (approval, by)) WITHOUT ROWID;
CREATE TABLE tainted (tenant TEXT NOT NULL, conversation BLOB NOT NULL, at_ms INTEGER NOT NULL, PRIMARY KEY (tenant, conversation)) WITHOUT ROWID;
CREATE INDEX tainted_at ON tainted (tenant, at_ms);
PRAGMA user_version = 1;
`;

/** A call that begins to wait. */
export const NEW_APPROVAL = `
INSERT INTO approval (id, tenant, app, user, use_case, tool, call, arguments, exchange, policy_name, policy_hash, status, approvers, life_ms, created_ms, expires_ms)
VALUES ($id, $tenant, $app, $user, $useCase, $tool, $key, $arguments, $exchange, $policyName, $policyHash, 'pending', $approvers, $lifeMs, $nowMs, $nowMs + $lifeMs)
`;

const LETTERS = "0123456789abcdefghjkmnpqrstvwxyz";
/** 130 bits of chance in Crockford's base 32: not to be guessed, and easy to read out. */
export function newApprovalId(): string {
  let id = "apr_";
  for (const byte of randomBytes(26)) id += LETTERS[byte & 31];
  return id;
}
