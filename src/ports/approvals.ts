/**
 * Tool calls that people must approve, and conversations that untrusted content has touched.
 *
 * A grant is for one call: this principal, this tool, these very arguments (canonical JSON), this policy. It is used once, expires,
 * and survives a restart. The calls of a guard are synchronous, because a stream waits: the store is on this host.
 */
import type { Result } from "../core/result.ts";
import type { PortError } from "../core/stage.ts";

/** Who calls: the parts of an exchange that a grant is bound to. */
export interface ApprovalOwner {
  readonly tenant: string;
  readonly app: string;
  readonly user: string | undefined;
}
export interface ApprovalCall extends ApprovalOwner {
  readonly useCase: string | undefined;
  readonly tool: string;
  /** Canonical JSON of at most `APPROVAL_ARGUMENTS_BYTES_MAX`: equal calls have equal text. Content, so it is kept sealed and shown to approvers alone. */
  readonly arguments: string;
  /** Hash of the policy under which it is asked. */
  readonly policyHash: string;
}
export interface ApprovalTerms {
  /** Different people that must approve. */
  readonly approvers: 1 | 2;
  /** How long it waits for them, and how long the grant then holds, milliseconds. */
  readonly lifeMs: number;
}
export type ApprovalStatus = "pending" | "approved" | "rejected" | "used" | "expired";

export interface Approval {
  /** `apr_` and 26 letters and digits. */
  readonly id: string;
  readonly status: ApprovalStatus;
  readonly tenant: string;
  readonly app: string;
  readonly user: string | undefined;
  readonly useCase: string | undefined;
  readonly tool: string;
  /** The exchange that asked first. */
  readonly exchange: string;
  readonly policy: { readonly name: string; readonly hash: string };
  readonly createdMs: number;
  readonly expiresMs: number;
  readonly approvers: 1 | 2;
  readonly votes: readonly ApprovalVote[];
  /** The caller's answer is kept, and is given for the same idempotency key once it is approved. */
  readonly keepsAnswer: boolean;
}
export interface ApprovalVote {
  /** Name of the approver, as the credential proves it. */
  readonly by: string;
  readonly vote: "approve" | "reject";
  readonly atMs: number;
}

export type ClaimAnswer =
  /** A grant for this call was there and is used now. */
  | { readonly kind: "granted"; readonly id: string }
  | { readonly kind: "rejected"; readonly id: string }
  /** People must be asked (`ask`), or were and have not decided. */
  | { readonly kind: "none" };
export type AskAnswer =
  /** In the order of the calls: each waits for approvers, or was approved meanwhile. Equal calls have one id. */
  | { readonly kind: "asked"; readonly ids: readonly string[] }
  | { readonly kind: "rejected"; readonly id: string }
  /** Too many calls of this tenant wait. */
  | { readonly kind: "full" };

/** What a caller with an idempotency key gets for its second try. */
export interface HeldAnswer {
  readonly contentType: string;
  readonly body: Uint8Array;
}
/** One try of one caller under one policy: its idempotency key and the digest of its body. */
export interface HeldFor extends ApprovalOwner {
  readonly useCase: string | undefined;
  readonly policyHash: string;
  readonly idempotencyKey: string;
  readonly requestDigest: string;
}
export type HeldState =
  | { readonly kind: "none" }
  /** Of its calls these still wait. */
  | { readonly kind: "pending"; readonly ids: readonly string[] }
  | { readonly kind: "rejected"; readonly id: string }
  /** Given once; the grants are used by it. */
  | { readonly kind: "answer"; readonly id: string; readonly answer: HeldAnswer };

export type VoteProblem = "unknown" | "not_pending" | "requester" | "voted_before";

export interface ApprovalsPort {
  /** Uses a grant, where there is one. */
  claim(call: ApprovalCall): Result<ClaimAnswer, PortError>;
  /** Asks for grants for all of these calls of one tenant, or for none; asking twice for the same call is one request. */
  ask(
    calls: readonly ApprovalCall[],
    terms: ApprovalTerms & { readonly exchange: string; readonly policyName: string },
  ): Result<AskAnswer, PortError>;
  /** A grant that `claim` used holds again: the call did not reach the caller. A store that cannot be written leaves it used. */
  giveBack(tenant: string, id: string): void;
  /**
   * Keeps the answer of an exchange whose calls wait, for as long as all of these do or are approved; at most `WITHHELD_BYTES_MAX`. False:
   * it is not kept, as one of them does not wait or keeps another.
   */
  keepAnswer(ids: readonly string[], of: HeldFor, answer: HeldAnswer): boolean;
  heldAnswer(of: HeldFor): Result<HeldState, PortError>;
  /** Newest first; `tenants` undefined: all. */
  list(
    filter: { readonly tenants: readonly string[] | undefined; readonly status: ApprovalStatus | undefined },
    limit: number,
  ): Result<readonly Approval[], PortError>;
  /** With the arguments; undefined: no such approval. */
  show(id: string): Result<(Approval & { readonly arguments: string }) | undefined, PortError>;
  vote(
    id: string,
    vote: { readonly by: string; readonly vote: "approve" | "reject"; readonly reason?: string | undefined },
  ): Result<Approval, PortError | { readonly code: VoteProblem }>;
  /**
   * Calls that wait and of which nobody was told yet; each is given to one process, which says what came of it within `APPROVAL_TELLING_MS`
   * (`told`), or it is given again. What is over by now ends with it.
   */
  takeUntold(limit: number): Result<readonly Approval[], PortError>;
  /** Somebody was told; or nobody was, and it is to be given again at once. */
  told(id: string, by: "somebody" | "nobody"): void;
  /** Marks a conversation as touched by untrusted content. */
  taint(tenant: string, conversation: string): Result<void, PortError>;
  isTainted(tenant: string, conversation: string): Result<boolean, PortError>;
  close(): void;
}

declare module "../core/stage.ts" {
  interface StageStores {
    readonly approvals?: ApprovalsPort;
  }
}
