/**
 * Puts other texts into JSON that was parsed without places. A text is remembered by the parsed object or list that holds it and the
 * key it has there; only when it is to change is the JSON parsed once more, with places, and both trees walked side by side. So an
 * answer that nobody changes pays nothing, and one that is changed keeps every byte outside the changed strings.
 */
import {
  applyEdits,
  encodeEditsSteps,
  type Json,
  type JsonDoc,
  type JsonEdit,
  type JsonNode,
  placeJson,
  placeSteps,
} from "../../core/json.ts";
import { finish, isStepDone, type Steps } from "../../core/slice.ts";

/** Where a string stands: a member of a parsed object, or an item of a parsed list. */
export interface TextPlace {
  readonly holder: Json;
  readonly key: string | number;
}

/** A value that goes when a text changes. */
export interface Erasure extends TextPlace {
  readonly to: "null" | "[]" | "nothing";
}

/** JSON as it was read: the parsed value and its text. The text may hold more than the value where that was cut out (media). */
export interface ReadJson {
  readonly root: Json;
  readonly source: string;
}

/** A new value at a place: `json` is JSON text. */
export interface Replacement {
  readonly place: TextPlace;
  readonly json: string;
}

/** The text with values replaced and erased. What stands in an erased value is not replaced as well. */
export function editPlaces({ root, source }: ReadJson, replacements: readonly Replacement[], erasures: readonly Erasure[]): string {
  const doc = placeJson(source);
  return applyEdits(doc, editsOf(finish(nodesOf(root, doc, holdersOf(replacements, erasures))), replacements, erasures));
}

/** The same in steps, as UTF-8; undefined where the text has more values than can be placed. */
export function* editSteps(
  { root, source }: ReadJson,
  replacements: readonly Replacement[],
  erasures: readonly Erasure[],
): Steps<Buffer | undefined> {
  const doc = yield* placeSteps(source);
  if (doc === undefined) return undefined;
  const nodes = yield* nodesOf(root, doc, holdersOf(replacements, erasures));
  return yield* encodeEditsSteps(doc, editsOf(nodes, replacements, erasures));
}

const holdersOf = (replacements: readonly Replacement[], erasures: readonly Erasure[]): ReadonlySet<Json> =>
  new Set([...replacements.map(({ place }) => place.holder), ...erasures.map(({ holder }) => holder)]);

function editsOf(
  nodes: ReadonlyMap<Json, JsonNode>,
  replacements: readonly Replacement[],
  erasures: readonly Erasure[],
): readonly JsonEdit[] {
  const edits: JsonEdit[] = [];
  const gone: JsonNode[] = [];
  for (const { holder, key, to } of erasures) {
    const object = nodes.get(holder);
    const [node] = valuesAt(object, key);
    if (node === undefined || gone.some((other) => within(node, other))) continue;
    gone.push(node);
    if (to === "nothing" && object?.kind === "object") edits.push({ kind: "remove", object, key: String(key) });
    else edits.push({ kind: "replace", node, text: to === "nothing" ? "null" : to });
  }
  for (const { place, json } of replacements)
    for (const node of valuesAt(nodes.get(place.holder), place.key))
      if (!gone.some((other) => within(node, other))) edits.push({ kind: "replace", node, text: json });
  return edits;
}

/** The exact JSON texts of values, in the order of their places; undefined for one that is not there. */
export function sourcesOf(read: ReadJson, places: readonly TextPlace[]): readonly (string | undefined)[] {
  return finish(sourcesIn(read, placeJson(read.source), places));
}

/** The same in steps; undefined where the text has more values than can be placed. */
export function* sourceSteps(read: ReadJson, places: readonly TextPlace[]): Steps<readonly (string | undefined)[] | undefined> {
  const doc = yield* placeSteps(read.source);
  return doc === undefined ? undefined : yield* sourcesIn(read, doc, places);
}

function* sourcesIn({ root, source }: ReadJson, doc: JsonDoc, places: readonly TextPlace[]): Steps<readonly (string | undefined)[]> {
  const nodes = yield* nodesOf(root, doc, new Set(places.map(({ holder }) => holder)));
  return places.map(({ holder, key }) => {
    const node = valuesAt(nodes.get(holder), key).at(-1);
    return node === undefined ? undefined : source.slice(node.start, node.end);
  });
}

/** Where strings stand in the text, their quotes included, in the order of their places; undefined for what is no string, or not there exactly once. */
export function stretchesOf(
  { root, source }: ReadJson,
  places: readonly TextPlace[],
): readonly ({ readonly start: number; readonly end: number } | undefined)[] {
  const doc = placeJson(source);
  const nodes = finish(nodesOf(root, doc, new Set(places.map(({ holder }) => holder))));
  return places.map(({ holder, key }) => {
    const [node, second] = valuesAt(nodes.get(holder), key);
    return node?.kind === "string" && second === undefined ? { start: node.start, end: node.end } : undefined;
  });
}

const within = (node: JsonNode, other: JsonNode): boolean => other.start <= node.start && node.end <= other.end;

/** The values under a key; more than one where the key is there several times: parsers disagree about which of them counts. */
function valuesAt(node: JsonNode | undefined, key: string | number): readonly JsonNode[] {
  if (node?.kind === "object") return node.members.flatMap((member) => (member.key === key ? [member.value] : []));
  if (node?.kind !== "array" || typeof key !== "number") return [];
  const item = node.items[key];
  return item === undefined ? [] : [item];
}

/** The nodes of the wanted objects and lists. Both trees are of one text, so they have the same shape. */
function* nodesOf(root: Json, doc: JsonDoc, wanted: ReadonlySet<Json>): Steps<ReadonlyMap<Json, JsonNode>> {
  const found = new Map<Json, JsonNode>();
  const work: [Json, JsonNode][] = [[root, doc.root]];
  let count = 0;
  for (let pair = work.pop(); pair !== undefined && found.size < wanted.size; pair = work.pop()) {
    if (isStepDone(++count)) yield;
    const [json, node] = pair;
    if (typeof json !== "object" || json === null) continue;
    if (wanted.has(json)) found.set(json, node);
    if (node.kind === "array" && Array.isArray(json)) {
      for (const [index, item] of node.items.entries()) work.push([json[index] ?? null, item]);
    } else if (node.kind === "object") {
      // Of a key that is there several times the last value was parsed.
      const values = new Map(Object.entries(json));
      const last = new Map(node.members.map(({ key, value }) => [key, value]));
      for (const [key, value] of last) work.push([values.get(key) ?? null, value]);
    }
  }
  return found;
}
