import { STATE_NOTE_BYTES_MAX } from "../core/limits.ts";
import type { StageStores } from "../core/stage.ts";
import { type CreatedState, KEPT_NOTE, type KeptNote } from "../core/state.ts";
import { historiesOf } from "../stages/shared/kept-state.ts";
import { dataClassOf } from "./run.ts";
import type { PipelineDeps, Work } from "./work.ts";

/** What stages may ask. */
export function storesOf(deps: PipelineDeps): StageStores {
  return deps.state === undefined ? (deps.stores ?? {}) : { ...deps.stores, state: deps.state };
}

/** What only passes by is nobody's: its callers' own keys made it, whoever it is recorded as. */
export const REMEMBER_NOTHING = Number.POSITIVE_INFINITY;

/**
 * Remembers what the answer so far made at the provider, as its caller's own. Called before the caller can have the id: at the
 * first piece of a stream that tells it, before a held answer is released, and at the end.
 */
export function rememberState(work: Work, deps: PipelineDeps): void {
  const { codec, principal, plan, request, reader } = work;
  const target = plan?.chain[0];
  if (deps.state === undefined || codec === undefined || principal === undefined || !work.forwarded) return;
  if (work.remembered === REMEMBER_NOTHING || work.localReply || work.status === undefined || work.status >= 400) return;
  const { tenant, app } = principal;
  if (codec.forgets !== undefined && work.facts.id !== undefined)
    deps.state.forget({ tenant, app }, { kind: codec.forgets, id: work.facts.id });
  if (plan === undefined || target === undefined || request === undefined || reader === undefined) return;
  const histories = historiesOf(request.view);
  if (codec.keeps === undefined && histories.length === 0) return;
  const summary = reader.summary();
  const made: CreatedState[] = [];
  const kept = request.view.providerState.some(({ kind }) => kind === "store" || kind === "background");
  if (kept && codec.keeps !== undefined && summary.responseId !== undefined) made.push({ kind: codec.keeps, id: summary.responseId });
  made.push(...(summary.created ?? []));
  // Where the answer is kept under an id of its own too, both are remembered as soon as that is known.
  if (made.length > 0 || !kept || summary.complete) made.push(...histories);
  const noted = `${isTainted(work)} ${dataClassOf(work)}`;
  if (made.length <= work.remembered && (made.length === 0 || work.noted === noted)) return;
  work.noted = noted;
  // An id that the caller brought along is not made by this answer.
  const brought = new Set(request.view.providerState.map(({ node, id }) => id ?? node?.value));
  const place = { tenant, app, provider: target.provider.name, model: plan.choice.model.name, providerModel: target.model };
  const note = noteOf(work, deps, tenant);
  const beside = (kind: CreatedState["kind"]) => (note !== undefined && (kind === codec.keeps || kind === "history") ? { note } : {});
  deps.state.remember(
    made.filter(({ kind, id }) => kind === "history" || !brought.has(id)).map((thing) => ({ ...thing, ...place, ...beside(thing.kind) })),
  );
  work.remembered = made.length;
}

const isTainted = ({ marks, guards }: Work): boolean =>
  (marks.tainted?.length ?? 0) > 0 || guards.some(({ guard }) => guard.taints?.() === true);

/** What later calls must know of this response; undefined: nothing. Of too many stand-ins the latest are noted. */
function noteOf(work: Work, deps: PipelineDeps, tenant: string): Uint8Array | undefined {
  const keyring = deps.stores?.keyring;
  const dataClass = dataClassOf(work);
  const { standIns } = work;
  const note: KeptNote = {
    ...(isTainted(work) ? { tainted: true } : {}),
    ...(dataClass === undefined ? {} : { dataClass }),
    ...(standIns === undefined ? {} : { standIns }),
  };
  if (keyring === undefined || Object.keys(note).length === 0) return undefined;
  let text = JSON.stringify(note);
  for (let pairs = standIns?.pairs ?? []; standIns !== undefined && Buffer.byteLength(text) > STATE_NOTE_BYTES_MAX; ) {
    pairs = pairs.slice(Math.ceil(pairs.length / 4));
    text = JSON.stringify({ ...note, standIns: { ...standIns, pairs } });
  }
  return keyring.seal(KEPT_NOTE, tenant, Buffer.from(text));
}
