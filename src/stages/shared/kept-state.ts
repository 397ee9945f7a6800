import { DATA_CLASSES, higherClass } from "../../core/contract.ts";
import { field, type Json, parseJsonValue } from "../../core/json.ts";
import { STATE_REFS_MAX } from "../../core/limits.ts";
import { ok, type Result } from "../../core/result.ts";
import type { PortError, StageContext } from "../../core/stage.ts";
import {
  type CreatedState,
  KEPT_NOTE,
  type KeptNote,
  type KeptPair,
  type KeptStandIns,
  type StateKind,
  type StatePlace,
} from "../../core/state.ts";
import type { ProviderStateRef, RequestView } from "../../core/view.ts";

/** What the request refers to. Asking for state to be kept is no reference. */
export const referencesOf = (view: RequestView): readonly ProviderStateRef[] =>
  view.providerState.filter(({ kind }) => kind !== "store" && kind !== "background");

/** The thing that a reference means. */
export function thingOf({ kind, id, node }: ProviderStateRef): CreatedState {
  return { kind: THINGS[kind], id: id ?? node?.value ?? "" };
}
const THINGS: Readonly<Record<ProviderStateRef["kind"], StateKind>> = {
  previous_response: "response",
  conversation: "conversation",
  prompt: "prompt",
  file: "file",
  vector_store: "vector_store",
  container: "container",
  cached_content: "cached_content",
  item: "item",
  store: "other",
  background: "other",
  other: "other",
};

type Places = readonly (StatePlace | undefined)[];

/** Conversations that the provider adds the exchange to, as what is noted of them. */
export const historiesOf = (view: RequestView): readonly CreatedState[] =>
  view.providerState.flatMap(({ kind, node }): CreatedState[] =>
    kind === "conversation" && node !== undefined ? [{ kind: "history", id: node.value }] : [],
  );

/**
 * Where the references are kept that this tenant and app made, in their order, and behind them what is noted of conversations; undefined:
 * there are none, more than are looked up, or no store.
 */
export function lookUp({ request, principal, stores }: StageContext): Promise<Result<Places, PortError>> | undefined {
  if (request === undefined) return undefined;
  const references = referencesOf(request.view);
  if (references.length === 0 || references.length > STATE_REFS_MAX) return undefined;
  const things = [...references.map(thingOf), ...historiesOf(request.view)];
  return stores?.state?.find({ tenant: principal.tenant, app: principal.app }, things);
}

/** What is noted of all that the request refers to. A note that cannot be opened (another secret of the installation) says nothing. */
export function notesOf({ principal, stores }: StageContext, places: Places): KeptNote {
  let all: KeptNote = {};
  for (const place of places) {
    if (place?.note === undefined) continue;
    const opened = stores?.keyring?.open(KEPT_NOTE, principal.tenant, place.note);
    if (opened?.ok === true) all = merged(all, readNote(Buffer.from(opened.value).toString("utf8")));
  }
  return all;
}

/** What the request's references bring along, for a stage that needs nothing else of them. */
export function lookUpNotes(context: StageContext): Promise<Result<KeptNote, PortError>> | undefined {
  return lookUp(context)?.then((found) => (found.ok ? ok(notesOf(context, found.value)) : found));
}

function merged(one: KeptNote, other: KeptNote): KeptNote {
  const dataClass = higherClass(one.dataClass, other.dataClass);
  const standIns = one.standIns ?? other.standIns;
  const pairs = [...(one.standIns?.pairs ?? []), ...(other.standIns?.pairs ?? [])];
  return {
    ...(one.tainted === true || other.tainted === true ? { tainted: true } : {}),
    ...(dataClass === undefined ? {} : { dataClass }),
    ...(standIns === undefined ? {} : { standIns: { ...standIns, pairs } }),
  };
}

function readNote(text: string): KeptNote {
  const json = parseJsonValue(text);
  const dataClass = DATA_CLASSES.find((known) => known === field(json, "dataClass"));
  const standIns = readStandIns(field(json, "standIns"));
  return {
    ...(field(json, "tainted") === true ? { tainted: true } : {}),
    ...(dataClass === undefined ? {} : { dataClass }),
    ...(standIns === undefined ? {} : { standIns }),
  };
}

function readStandIns(json: Json | undefined): KeptStandIns | undefined {
  const conversation = field(json, "conversation");
  const list = field(json, "pairs");
  if (typeof conversation !== "string" || !Array.isArray(list)) return undefined;
  return { conversation, pairs: list.flatMap(readPair) };
}

function readPair(json: Json): readonly KeptPair[] {
  const [entity, value, standIn] = ["entity", "value", "standIn"].map((key) => field(json, key));
  const spelling = field(json, "spelling") === "exact" ? "exact" : "code";
  if (typeof entity !== "string" || typeof value !== "string" || typeof standIn !== "string") return [];
  return [{ entity, value, standIn, spelling }];
}
