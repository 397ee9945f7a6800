/** Any JSON value as plain data. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** Offsets are UTF-16 units into `JsonDoc.text`, `end` exclusive. Strings include their quotes. */
interface Placed {
  readonly start: number;
  readonly end: number;
}
export interface JsonString extends Placed {
  readonly kind: "string";
  /** Decoded value. */
  readonly value: string;
}
export interface JsonNumber extends Placed {
  readonly kind: "number";
  readonly value: number;
}
export interface JsonLiteral extends Placed {
  readonly kind: "literal";
  readonly value: null | boolean;
}
export interface JsonArray extends Placed {
  readonly kind: "array";
  readonly items: readonly JsonNode[];
}
export interface JsonMember {
  /** Where the key's opening quote stands. */
  readonly start: number;
  readonly key: string;
  readonly value: JsonNode;
}
export interface JsonObject extends Placed {
  readonly kind: "object";
  readonly members: readonly JsonMember[];
  /** By key; there where an object has many members, so that no look for one of them takes long. */
  readonly index?: ReadonlyMap<string, JsonMember>;
}
export type JsonNode = JsonString | JsonNumber | JsonLiteral | JsonArray | JsonObject;

/** A parsed body: its exact text and the tree of its values with their places. */
export interface JsonDoc {
  readonly text: string;
  readonly root: JsonNode;
}

export interface JsonError {
  readonly code: "not_utf8" | "not_json" | "duplicate_key" | "forbidden_key" | "too_deep" | "too_many_values";
  /** UTF-16 offset, or byte offset for `not_utf8` when known; -1 when unknown. Never content. */
  readonly at: number;
}

export interface JsonLimits {
  readonly depthMax: number;
  readonly valuesMax: number;
  /** Duplicate keys and `__proto__` are no errors; every member is in the tree. For text that `parseJsonValue` has taken already. */
  readonly anyKeys?: true;
}
