import type { Codec } from "../core/codec.ts";
import type { Contract } from "../core/contract.ts";
import { memoized } from "../core/memo.ts";
import type { Principal } from "../core/policy.ts";
import { untouchedPlan } from "../core/selection.ts";
import type { ResolvedPolicy } from "../core/snapshot.ts";
import type { StageContext, StageStores } from "../core/stage.ts";
import type { Work } from "./work.ts";

/**
 * The work as stages see it: one for a round of stages. What stages decide shows at once, and guards that keep it see how it ended.
 */
export class WorkContext implements StageContext {
  readonly #work: Work;
  readonly principal: Principal;
  readonly contract: Contract;
  readonly surface: StageContext["surface"];
  readonly exchange: StageContext["exchange"];
  readonly stores: StageStores;
  readonly #policy: ResolvedPolicy;

  constructor(work: Work, stores: StageStores) {
    const { principal, contract, codec, policy } = work;
    if (principal === undefined || contract === undefined || codec === undefined || policy === undefined)
      throw new Error("stages run before the caller is known");
    this.#work = work;
    this.#policy = policy;
    this.principal = principal;
    this.contract = contract;
    this.surface = surfaceOf(codec);
    this.stores = stores;
    this.exchange = {
      id: work.id,
      arrivedWallMs: work.arrivedWallMs,
      policy: { name: policy.name, hash: work.snapshot.hash },
      replans: work.replans,
      requestDigest: work.requestDigest,
      idempotencyKey: idempotencyKeyOf(work),
    };
  }

  get useCase(): string | undefined {
    return this.#work.useCase;
  }
  get request(): StageContext["request"] {
    return this.#work.request;
  }
  get bodyBytes(): number {
    return this.#work.requestBytes;
  }
  get catalog(): StageContext["catalog"] {
    return this.#work.snapshot.catalog;
  }
  get tenantResidency(): string | undefined {
    return this.#work.snapshot.residencyOf(this.principal.tenant);
  }
  get candidates(): StageContext["candidates"] {
    return this.#work.candidates;
  }
  /** Where no rule in force chooses a target, the request goes where its own words lead, and is counted there. */
  get plan(): StageContext["plan"] {
    return this.#work.plan ?? freePlan(this.#work);
  }
  get change(): StageContext["change"] {
    return this.#work.change;
  }
  get outputCap(): number | undefined {
    return this.#work.outputCap;
  }
  get marks(): StageContext["marks"] {
    return this.#work.marks;
  }
  get calendar(): StageContext["calendar"] {
    return this.#work.snapshot.calendarOf(this.principal.tenant);
  }
  get wish(): StageContext["wish"] {
    return this.#work.wish;
  }
  get retry(): StageContext["retry"] {
    return this.#policy.retry;
  }
}

const surfaceOf = memoized(({ surface, dialect, operation }: Codec): StageContext["surface"] => ({ name: surface, dialect, operation }));

/** A key of another form counts as none: it cannot be kept as one. */
function idempotencyKeyOf({ head }: Work): string | undefined {
  const key = head.get("idempotency-key");
  return key !== undefined && /^[\x21-\x7e]{1,255}$/.test(key) ? key : undefined;
}

/** No rule in force chose a target: the request goes where its own words lead, unchanged. */
export function freePlan(work: Work): Work["plan"] {
  if (work.codec === undefined || work.request === undefined) return undefined;
  const { model } = work.request.view;
  const home = work.home?.model.targets[0];
  if (work.home === undefined || home === undefined) return untouchedPlan(model, work.codec.dialect, work.snapshot.catalog);
  if (model === undefined) return { choice: work.home, chain: [home] };
  const known = work.snapshot.catalog.models.get(model);
  const there = known?.targets.find(({ provider }) => provider.name === home.provider.name) ?? { ...home, model, price: undefined };
  return {
    choice: { model: known ?? { name: model, family: undefined, targets: [there] }, parameters: {}, tier: undefined },
    chain: [there],
  };
}
