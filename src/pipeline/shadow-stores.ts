import { ok, type Result } from "../core/result.ts";
import type { PortError, StageStores } from "../core/stage.ts";
import type { ApprovalsPort } from "../ports/approvals.ts";

/**
 * The stores as stages see them that are not in force. What such a stage notes of conversations only others like it see, so that it
 * foretells later calls and takes no tool from anybody; nobody is asked, and nothing that waits or was granted is touched.
 */
export function shadowStores(stores: StageStores): StageStores {
  const { approvals } = stores;
  return approvals === undefined ? stores : { ...stores, approvals: shadowOf(approvals) };
}

/** No conversation of a caller is called so: its ids are printable. */
const SHADOW = "\0shadow\0";

function shadowOf(approvals: ApprovalsPort): ApprovalsPort {
  return {
    taint: (tenant, conversation) => approvals.taint(tenant, SHADOW + conversation),
    isTainted: (tenant, conversation): Result<boolean, PortError> => {
      const known = approvals.isTainted(tenant, conversation);
      return known.ok && !known.value ? approvals.isTainted(tenant, SHADOW + conversation) : known;
    },
    heldAnswer: () => ok({ kind: "none" }),
    claim: () => ok({ kind: "none" }),
    ask: () => ok({ kind: "full" }),
    giveBack: () => undefined,
    keepAnswer: () => false,
    list: (filter, limit) => approvals.list(filter, limit),
    show: (id) => approvals.show(id),
    vote: () => ({ ok: false, error: { code: "unknown" } }),
    takeUntold: () => ok([]),
    told: () => undefined,
    close: () => undefined,
  };
}
