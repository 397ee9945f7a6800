import { type JsonMember, type JsonNode, type JsonObject, member } from "../../core/json.ts";
import { present, type RequestFields } from "./request-fields.ts";

/** Google's JSON parser takes a field as `lowerCamelCase` and as `snake_case` (protobuf's JSON mapping). */
export const snakeOf = (camel: string): string => camel.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
export const camelOf = (name: string): string =>
  !name.includes("_") ? name : name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());

/** A member in whichever spelling, `null` included. The camel one where both are there (then `refuseBoth` has said no). */
export function eitherMember(object: JsonObject, camel: string): JsonMember | undefined {
  const snake = snakeOf(camel);
  if (object.index !== undefined) return object.index.get(camel) ?? object.index.get(snake);
  let found: JsonMember | undefined;
  for (const candidate of object.members) {
    if (candidate.key === camel) return candidate;
    if (candidate.key === snake) found = candidate;
  }
  return found;
}

/** The value of a member in whichever spelling; undefined where it is absent or `null`. */
export function either(node: JsonNode | undefined, camel: string): JsonNode | undefined {
  return node?.kind === "object" ? present(eitherMember(node, camel)?.value) : undefined;
}

/**
 * Refuses a field that stands there in both spellings: which of the two Google reads is not ours to guess, and policies must see the
 * one that counts.
 */
export function refuseBoth(fields: RequestFields, object: JsonObject, where: string): void {
  if (!object.members.some(({ key }) => key.includes("_"))) return;
  for (const { key } of object.members) {
    const camel = camelOf(key);
    if (camel !== key && member(object, camel) !== undefined) fields.refuse(`${where}/${key}`, `${camel} is there in two spellings.`);
  }
}

/** The items of a repeated field; Google takes a single value in place of a list. */
export function itemsOf(node: JsonNode | undefined): readonly JsonNode[] {
  if (node === undefined) return [];
  return node.kind === "array" ? node.items : [node];
}

/** A whole number of at least 0, also as a decimal string, as protobuf's JSON mapping allows; undefined when absent. */
export function countOf(fields: RequestFields, node: JsonNode | undefined, where: string): number | undefined {
  if (node === undefined) return undefined;
  const value = node.kind === "number" ? node.value : node.kind === "string" && /^[0-9]{1,15}$/.test(node.value) ? Number(node.value) : -1;
  if (Number.isSafeInteger(value) && value >= 0) return value;
  return fields.refuse(where, "This must be a whole number.");
}
