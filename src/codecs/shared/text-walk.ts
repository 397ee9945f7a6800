import type { JsonMember, JsonNode, JsonObject, JsonString } from "../../core/json.ts";
import type { MediaKind } from "../../core/media-kind.ts";
import { fileKindOf, isDataUrl, mediaOf } from "../../core/text-file.ts";
import type { RequestTexts, TextPlace, TextSpan } from "../../core/view.ts";
import { BASE64_DATA_URL, isMediaText } from "./media-text.ts";
import { isName } from "./names.ts";
import { CONTRACT_MEMBER_PREFIX } from "./request-fields.ts";

/** What the value under a key is, wherever the key stands in a part of the body that the provider's schema describes. */
export type KeyRule =
  /** Names: ids, enum values, ciphertext. What is none by its signs, a caller has written there, and it is read as such. */
  | { readonly do: "skip" }
  /** Never text, whatever it is: what a tool's server must be told as it is. */
  | { readonly do: "opaque" }
  /** Its strings stand at this place; its objects still follow the rules. */
  | { readonly do: "place"; readonly place: TextPlace; readonly holds?: "json" }
  /** A string stands at this place; anything else is as if there were no rule. */
  | { readonly do: "placeString"; readonly place: TextPlace }
  /** A file's bytes, in base64 or a data URL, or a list of such: its words count where it is text. Anything else is as if there were no rule. */
  | { readonly do: "file" }
  /** Data of the caller's own shape (schemas, tool input): every string in it counts, whatever its key is called. */
  | { readonly do: "free"; readonly place: TextPlace };

export interface WalkRules {
  readonly keys: ReadonlyMap<string, KeyRule>;
  /** Place of an object's texts by its own members; undefined leaves the whole object out. */
  placeOf(object: JsonObject, inherited: TextPlace): TextPlace | undefined;
  /** What every string is that has no rule: a name, or a file. Absent: text. */
  readonly strings?: "names" | "files";
  /** What they find belongs to a block that the provider encrypted. */
  readonly sealed?: true;
  /** Rules for an object's own members in place of these. */
  rulesOf?(object: JsonObject): WalkRules | undefined;
}

/**
 * Texts of a body in document order, found as they are asked for: a body of very many values is gone through at the pace of
 * whoever reads them, who may stop between any two. Each iteration begins anew.
 */
export class Texts implements RequestTexts {
  readonly #entries: (Found | Walk | List)[] = [];

  add(entry: Found | Walk): void {
    this.#entries.push(entry);
  }

  /** Items of a list, each read by `read` when its turn comes. */
  addEach(items: readonly JsonNode[], read: (item: JsonNode, out: Texts) => void): void {
    this.#entries.push({ items, read });
  }

  *[Symbol.iterator](): Generator<TextSpan> {
    for (const entry of this.#all()) if (!("media" in entry)) yield entry;
  }

  *media(): Generator<MediaKind> {
    for (const entry of this.#all()) if ("media" in entry) yield entry.media;
  }

  *#all(): Generator<Found> {
    for (const entry of this.#entries) {
      if ("node" in entry || "media" in entry) yield entry;
      else if ("members" in entry) yield* textsOf(entry);
      else
        for (const item of entry.items) {
          const texts = new Texts();
          entry.read(item, texts);
          yield* texts.#all();
        }
    }
  }
}

/** Bytes that are no text. */
interface Media {
  readonly media: MediaKind;
}
type Found = TextSpan | Media;

interface List {
  readonly items: readonly JsonNode[];
  read(item: JsonNode, out: Texts): void;
}

/** A container to go through: its items or members, from the first on. */
interface Walk {
  readonly items: readonly JsonNode[];
  readonly members: readonly JsonMember[];
  readonly place: TextPlace;
  /** Where the items' own members say their place. */
  readonly placeOfItem: ((item: JsonNode) => TextPlace) | undefined;
  /** undefined: every string counts. */
  readonly rules: WalkRules | undefined;
}
const ofStrings = (strings: "names" | "files"): WalkRules => ({ keys: new Map(), placeOf: (_object, inherited) => inherited, strings });
const NAMES = ofStrings("names");
const FILES = ofStrings("files");
const NO_ITEMS: readonly JsonNode[] = [];
const NO_MEMBERS: readonly JsonMember[] = [];

function* textsOf(first: Walk): Generator<Found> {
  const stack: { readonly walk: Walk; at: number }[] = [{ walk: first, at: 0 }];
  for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
    const { walk } = top;
    const at = top.at++;
    const item = walk.items[at];
    const member = walk.members[at];
    let found: Found | Walk | undefined;
    if (item !== undefined) found = entryOf(item, walk.placeOfItem?.(item) ?? walk.place, walk.rules);
    else if (member !== undefined) found = memberOf(member, walk.place, walk.rules);
    else stack.pop();
    if (found === undefined) continue;
    if ("node" in found || "media" in found) yield found;
    else stack.push({ walk: found, at: 0 });
  }
}

function entryOf(node: JsonNode, place: TextPlace, rules: WalkRules | undefined): Found | Walk | undefined {
  switch (node.kind) {
    case "string": {
      if (rules?.strings === "names" && isName(node.value)) return undefined;
      const text = rules?.strings === "files" ? fileOf(node, place) : textOf(node, place);
      return text === undefined || "media" in text || rules?.sealed !== true ? text : { ...text, sealed: true };
    }
    case "array":
      return { items: node.items, members: NO_MEMBERS, place, placeOfItem: undefined, rules };
    case "object": {
      const own = rules === undefined ? place : rules.placeOf(node, place);
      if (own === undefined) return undefined;
      return { items: NO_ITEMS, members: node.members, place: own, placeOfItem: undefined, rules: rules?.rulesOf?.(node) ?? rules };
    }
    default:
      return undefined;
  }
}

function memberOf({ key, value }: JsonMember, place: TextPlace, rules: WalkRules | undefined): Found | Walk | undefined {
  const rule = rules?.keys.get(key);
  if (rule?.do === "file" && value.kind === "array") return entryOf(value, place, FILES);
  if (rule === undefined || ((rule.do === "placeString" || rule.do === "file") && value.kind !== "string"))
    return entryOf(value, place, rules);
  if (rule.do === "free") return entryOf(value, rule.place, undefined);
  if (rule.do === "opaque") return undefined;
  if (rule.do === "skip") return entryOf(value, "parameter", NAMES);
  if (rule.do === "file") return value.kind === "string" ? fileOf(value, place) : undefined;
  if (rule.do === "placeString") return entryOf(value, rule.place, undefined);
  return value.kind === "string" ? textOf(value, rule.place, rule.holds) : entryOf(value, rule.place, rules);
}

/**
 * Adds the texts below a node. What no rule knows is text: a new field of a provider is inspected before Sluice learns its
 * name. Linear. Keys of objects are not texts.
 */
export function walkTexts(node: JsonNode, place: TextPlace, rules: WalkRules, out: Texts): void {
  const entry = entryOf(node, place, rules);
  if (entry !== undefined) out.add(entry);
}

/** The same for items of a list that say their own place: messages by their role. */
export function walkItems(items: readonly JsonNode[], placeOfItem: (item: JsonNode) => TextPlace, rules: WalkRules, out: Texts): void {
  out.add({ items, members: NO_MEMBERS, place: "other", placeOfItem, rules });
}

/** What no caller writes words into, where it is what it should be: names, modes and ids of an API. */
export function walkNames(node: JsonNode, out: Texts): void {
  walkTexts(node, "parameter", NAMES, out);
}
/** Files in base64 or data URLs. */
export function walkFiles(node: JsonNode, place: TextPlace, out: Texts): void {
  walkTexts(node, place, FILES, out);
}

/** Every string below a node. */
export function walkAllTexts(node: JsonNode, place: TextPlace, out: Texts): void {
  const entry = entryOf(node, place, undefined);
  if (entry !== undefined) out.add(entry);
}

/** Members of the root that the provider keeps or compares, and no model reads. People write addresses into them, and they leave. */
const PARAMETERS: ReadonlySet<string> = new Set([
  ...["user", "safety_identifier", "prompt_cache_key", "stop", "stop_sequences", "labels", "requestMetadata"],
]);

/** Texts of a member of the root that is one of them, or the body's `metadata`, whose contract fields never leave. False: it is none. */
export function parameterTexts({ key, value }: JsonMember, out: Texts): boolean {
  if (key === "metadata" && value.kind === "object") {
    for (const entry of value.members) if (!entry.key.startsWith(CONTRACT_MEMBER_PREFIX)) walkAllTexts(entry.value, "parameter", out);
    return true;
  }
  if (!PARAMETERS.has(key)) return false;
  walkAllTexts(value, "parameter", out);
  return true;
}

function textOf(node: JsonString, place: TextPlace, holds?: "json"): Found | undefined {
  if (node.value === "") return undefined;
  if (place === "url" && isDataUrl(node.value)) return fileOf(node, place);
  if (isMediaText(node.value, place === "url")) return fileOf(node, place);
  return holds === undefined ? { place, node } : { place, node, holds };
}

/** The words of a file were written elsewhere, whoever brings it along: as a document's own text is. */
function fileOf(node: JsonString, place: TextPlace): Found | undefined {
  if (node.value === "") return undefined;
  const kind = fileKindOf(node.value);
  // Some servers take an address there, and fetch it (OpenRouter's `file_data`).
  if (kind === "plain" && ADDRESS.test(node.value)) return { place: "url", node };
  // Where decoders stop at a sign that base64 does not have, what stands behind it would be hidden from every rule.
  if (kind === "plain" || (BASE64_DATA_URL.test(node.value) && !isMediaText(node.value, true))) return { place, node };
  return kind === "file" ? { place: "tool_result", node, holds: "file" } : { media: mediaOf(node.value) };
}
const ADDRESS = /^\s*[a-z][a-z0-9+.-]*:\/\//i;

export const FILE: KeyRule = { do: "file" };
export const SKIP: KeyRule = { do: "skip" };
export const OPAQUE: KeyRule = { do: "opaque" };
export const placed = (place: TextPlace, holds?: "json"): KeyRule =>
  holds === undefined ? { do: "place", place } : { do: "place", place, holds };
export const placedString = (place: TextPlace): KeyRule => ({ do: "placeString", place });
export const free = (place: TextPlace): KeyRule => ({ do: "free", place });
export const ruleTable = (rules: Readonly<Record<string, KeyRule>>): ReadonlyMap<string, KeyRule> => new Map(Object.entries(rules));
