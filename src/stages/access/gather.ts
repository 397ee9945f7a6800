import { err, ok, type Result } from "../../core/result.ts";
import type { PortError, StageContext, Verdict } from "../../core/stage.ts";
import type { AccessSection } from "./section.ts";
import { gatherState, type StateFacts } from "./state.ts";
import { asksForTaint, heldVerdict, mayApprove, taintsOf } from "./tools.ts";

/** What stores say of the request. */
export interface AccessFacts extends StateFacts {
  /** Untrusted content came into this conversation before. */
  readonly conversationTainted: boolean;
  /** What untrusted content the request brings; undefined: nobody asked yet. */
  readonly taints?: readonly string[];
  /** The answer that waited for approval, or that it still waits. */
  readonly held: Verdict | undefined;
}

/** Asks the stores, and only where the request or the policy gives cause. */
export function gather(context: StageContext, section: AccessSection): Promise<Result<AccessFacts, PortError>> | undefined {
  const state = gatherState(context, section);
  const tools = gatherTools(context, section);
  if (state === undefined && tools === undefined) return undefined;
  return Promise.resolve(state ?? ok({ places: [], kept: {} })).then((found) => {
    if (!found.ok) return found;
    if (tools !== undefined && !tools.ok) return tools;
    return ok({ ...found.value, ...(tools?.value ?? NOTHING) });
  });
}
const NOTHING = { conversationTainted: false, held: undefined };

function gatherTools(context: StageContext, { tools }: AccessSection): Result<Omit<AccessFacts, "places" | "kept">, PortError> | undefined {
  const { contract, principal, exchange, stores } = context;
  const { conversation } = contract.values;
  const asksConversation = conversation !== undefined && asksForTaint(tools);
  const asksHeld = exchange.idempotencyKey !== undefined && mayApprove(tools);
  const approvals = stores?.approvals;
  if (approvals === undefined || !(asksConversation || asksHeld)) return undefined;
  const held = asksHeld ? heldVerdict(context, approvals) : undefined;
  if (held === "fault") return err({ code: "unavailable" });
  if (!asksConversation) return ok({ conversationTainted: false, held });
  const before = approvals.isTainted(principal.tenant, conversation);
  if (!before.ok) return before;
  const taints = taintsOf(context, tools);
  if (taints.length > 0) {
    const noted = approvals.taint(principal.tenant, conversation);
    if (!noted.ok) return noted;
  }
  return ok({ conversationTainted: before.value, taints, held });
}
