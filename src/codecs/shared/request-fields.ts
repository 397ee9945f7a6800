import type { ParseError } from "../../core/codec.ts";
import { type JsonNode, type JsonObject, type JsonString, member } from "../../core/json.ts";

/**
 * Reads the top-level members of a request that policies must understand, and remembers the first one that has another
 * shape than the API documents. `null` reads as absent, as the providers read it. Everything else of the body is not its business.
 */
export class RequestFields {
  readonly root: JsonObject;
  #problem: ParseError | undefined;

  constructor(root: JsonObject) {
    this.root = root;
  }

  get problem(): ParseError | undefined {
    return this.#problem;
  }

  /** Notes what policies cannot read; the first one is what the caller is told. `where` is a JSON pointer. */
  refuse(where: string, message: string): undefined {
    this.#problem ??= { code: "invalid_request", where, message };
    return undefined;
  }

  /** The member's node; undefined when absent or null. */
  node(key: string): JsonNode | undefined {
    return present(member(this.root, key));
  }

  string(key: string): JsonString | undefined {
    const node = this.node(key);
    if (node === undefined || node.kind === "string") return node;
    return this.refuse(`/${key}`, `${key} must be a string.`);
  }

  boolean(key: string): boolean | undefined {
    const node = this.node(key);
    if (node === undefined) return undefined;
    if (node.kind === "literal" && typeof node.value === "boolean") return node.value;
    return this.refuse(`/${key}`, `${key} must be true or false.`);
  }

  /** A count of tokens: a whole number, at least 0. */
  count(key: string): number | undefined {
    const node = this.node(key);
    if (node === undefined) return undefined;
    if (node.kind === "number" && Number.isSafeInteger(node.value) && node.value >= 0) return node.value;
    return this.refuse(`/${key}`, `${key} must be a whole number.`);
  }

  /**
   * Lists of further models (OpenRouter's `models`, Anthropic's `fallbacks`) would let a request leave for a model that no
   * policy saw.
   */
  refuseFurtherModels(): void {
    for (const key of ["models", "fallbacks"]) {
      const list = this.node(key);
      if (list === undefined || (list.kind === "array" && list.items.length === 0)) continue;
      this.refuse(`/${key}`, `${key} is not supported: name one model; the gateway's policy holds its fallbacks.`);
    }
  }

  /** Objects of a top-level array; none when absent. */
  objects(key: string): readonly JsonObject[] {
    const node = this.node(key);
    if (node === undefined) return [];
    return this.objectsOf(node, `/${key}`) ?? [];
  }

  /** Objects of an array that stands at `where`. */
  objectsOf(node: JsonNode, where: string): readonly JsonObject[] | undefined {
    if (node.kind !== "array") return this.refuse(where, "This must be an array of objects.");
    const { items } = node;
    if (items.every((item) => item.kind === "object")) return items;
    return this.refuse(`${where}/${items.findIndex((item) => item.kind !== "object")}`, "This must be an object.");
  }

  /**
   * The `ai_*` members of `metadata`, by member name. Their values must be strings: a limit that cannot be read must not be
   * passed over.
   */
  contractFields(): ReadonlyMap<string, string> {
    const fields = new Map<string, string>();
    const metadata = this.node("metadata");
    if (metadata === undefined) return fields;
    if (metadata.kind !== "object") {
      this.refuse("/metadata", "metadata must be an object.");
      return fields;
    }
    for (const { key, value } of metadata.members) {
      if (!key.startsWith(CONTRACT_MEMBER_PREFIX)) continue;
      if (fields.size >= CONTRACT_MEMBERS_MAX) return this.#tooMany(fields);
      if (value.kind === "string") fields.set(key, value.value);
      else this.refuse("/metadata", "Contract fields in metadata must be strings.");
    }
    return fields;
  }

  #tooMany(fields: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
    this.refuse("/metadata", `metadata may hold ${CONTRACT_MEMBERS_MAX} contract fields.`);
    return fields;
  }
}

/** Contract fields in one body; the contract knows fewer than half of that. */
const CONTRACT_MEMBERS_MAX = 64;

/** Members of the body's `metadata` object that are the caller's contract with Sluice. */
export const CONTRACT_MEMBER_PREFIX = "ai_";

/** `null` reads as absent. */
export function present(node: JsonNode | undefined): JsonNode | undefined {
  return node === undefined || (node.kind === "literal" && node.value === null) ? undefined : node;
}

/** Value of a string member of any node; undefined when absent or of another kind. */
export function stringMember(node: JsonNode | undefined, key: string): JsonString | undefined {
  const found = member(node, key);
  return found?.kind === "string" ? found : undefined;
}

/** Where a remote tool server is, as the member says. */
export function urlOf(node: JsonNode, key: string): { readonly url?: string } {
  const url = stringMember(node, key)?.value;
  return url === undefined ? {} : { url };
}
