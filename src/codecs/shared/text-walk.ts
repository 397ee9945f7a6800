import type { JsonNode, JsonObject } from "../../core/json.ts";
import type { TextPlace, TextSpan } from "../../core/view.ts";
import { CONTRACT_MEMBER_PREFIX } from "./request-fields.ts";

/** What the value under a key is, wherever the key stands in a part of the body that the provider's schema describes. */
export type KeyRule =
  /** Never text: ids, enum values, ciphertext, media bytes. */
  | { readonly do: "skip" }
  /** Its strings stand at this place; its objects still follow the rules. */
  | { readonly do: "place"; readonly place: TextPlace; readonly holds?: "json" }
  /** Data of the caller's own shape (schemas, tool input): every string in it counts, whatever its key is called. */
  | { readonly do: "free"; readonly place: TextPlace };

export interface WalkRules {
  readonly keys: ReadonlyMap<string, KeyRule>;
  /** Place of an object's texts by its own members; undefined leaves the whole object out. */
  placeOf(object: JsonObject, inherited: TextPlace): TextPlace | undefined;
}

/**
 * Collects the texts below a node, in document order. What no rule knows is text: a new field of a provider is inspected
 * before Sluice learns its name. Linear; recursion is bounded by `JSON_DEPTH_MAX`. Keys of objects are not texts.
 */
export function walkTexts(node: JsonNode, place: TextPlace, rules: WalkRules, out: TextSpan[]): void {
  if (node.kind === "string") {
    pushText(out, node, place);
  } else if (node.kind === "array") {
    for (const item of node.items) walkTexts(item, place, rules, out);
  } else if (node.kind === "object") {
    const own = rules.placeOf(node, place);
    if (own === undefined) return;
    for (const { key, value } of node.members) {
      const rule = rules.keys.get(key);
      if (rule === undefined) walkTexts(value, own, rules, out);
      else if (rule.do === "free") walkAllTexts(value, rule.place, out);
      else if (rule.do === "place" && value.kind === "string") pushText(out, value, rule.place, rule.holds);
      else if (rule.do === "place") walkTexts(value, rule.place, rules, out);
    }
  }
}

/** Every string below a node. */
export function walkAllTexts(node: JsonNode, place: TextPlace, out: TextSpan[]): void {
  if (node.kind === "string") pushText(out, node, place);
  else if (node.kind === "array") for (const item of node.items) walkAllTexts(item, place, out);
  else if (node.kind === "object") for (const { value } of node.members) walkAllTexts(value, place, out);
}

/** Texts of the body's `metadata`: the provider keeps them, so they are inspected. Contract fields never leave. */
export function metadataTexts(metadata: JsonObject, out: TextSpan[]): void {
  for (const { key, value } of metadata.members) if (!key.startsWith(CONTRACT_MEMBER_PREFIX)) walkAllTexts(value, "other", out);
}

/** Base64 in a data URL (RFC 2397): media, not text. Parameters before it are short. */
const BASE64_DATA_URL = /^data:[^,]{0,200};base64,/i;

export function pushText(out: TextSpan[], node: JsonNode, place: TextPlace, holds?: "json"): void {
  if (node.kind !== "string" || node.value === "" || BASE64_DATA_URL.test(node.value)) return;
  out.push(holds === undefined ? { place, node } : { place, node, holds });
}

export const SKIP: KeyRule = { do: "skip" };
export const placed = (place: TextPlace, holds?: "json"): KeyRule =>
  holds === undefined ? { do: "place", place } : { do: "place", place, holds };
export const free = (place: TextPlace): KeyRule => ({ do: "free", place });
export const ruleTable = (rules: Readonly<Record<string, KeyRule>>): ReadonlyMap<string, KeyRule> => new Map(Object.entries(rules));
