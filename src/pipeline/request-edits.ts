/** Edits of a request that are the same in every dialect: texts said otherwise, and tools no longer offered. */
import type { RequestChange } from "../core/codec.ts";
import { type JsonDoc, type JsonEdit, type JsonNode, type JsonObject, member } from "../core/json.ts";

/** Members that speak of tools and mean nothing, or are refused, without any. */
const ORPHANS = new Set([
  ...["tool_choice", "toolChoice", "parallel_tool_calls", "function_call"],
  ...["toolConfig", "tool_config", "strict_tools"],
]);

/** Lists without which their object says nothing: a namespace, an entry of a tool choice. */
const LISTS = new Set(["tools", "allowed_tools"]);

/** What `change` says of texts and tools, as edits of the document. */
export function sharedEdits(doc: JsonDoc, { texts, dropTools }: RequestChange): readonly JsonEdit[] {
  const { root } = doc;
  if (dropTools === undefined || dropTools.length === 0 || root.kind !== "object") return textEdits(texts, []);
  const edits: JsonEdit[] = [];
  const holders = root.members.filter(({ value }) => dropTools.some((tool) => within(tool, value)));
  const rest = new Rest(doc, new Set(dropTools), texts);
  let left = false;
  for (const { key, value } of holders) {
    const text = rest.of(value);
    if (text === undefined) edits.push({ kind: "remove", object: root, key });
    else {
      left = true;
      edits.push({ kind: "replace", node: value, text });
    }
  }
  if (!left) edits.push(...orphans(root, new Set(holders.map(({ key }) => key))));
  return [
    ...edits,
    ...textEdits(
      texts,
      holders.map(({ value }) => value),
    ),
  ];
}

function orphans(root: JsonObject, gone: ReadonlySet<string>): readonly JsonEdit[] {
  return root.members
    .filter(({ key }) => ORPHANS.has(key) && !gone.has(key))
    .map(({ key }) => ({ kind: "remove" as const, object: root, key }));
}

function textEdits(texts: RequestChange["texts"], written: readonly JsonNode[]): readonly JsonEdit[] {
  if (texts === undefined) return [];
  return [...texts]
    .filter(([node]) => !written.some((whole) => within(node, whole)))
    .map(([node, text]) => ({ kind: "replace", node, text: asJson(node, text) }));
}

const NUMBER = /^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?$/;
/** What stood as a number stays one where the new text is one. */
const asJson = (node: JsonNode, text: string): string => (node.kind === "number" && NUMBER.test(text) ? text : JSON.stringify(text));

const within = (inner: JsonNode, outer: JsonNode): boolean => outer.start <= inner.start && inner.end <= outer.end;

/** A value without the tools that were dropped: lists that lose their last item go, and objects that lose what they were for. */
class Rest {
  readonly #doc: JsonDoc;
  readonly #dropped: ReadonlySet<JsonNode>;
  readonly #texts: ReadonlyMap<JsonNode, string>;

  constructor(doc: JsonDoc, dropped: ReadonlySet<JsonNode>, texts: ReadonlyMap<JsonNode, string> = new Map()) {
    this.#doc = doc;
    this.#dropped = dropped;
    this.#texts = texts;
  }

  /** JSON text; undefined: nothing is left of it. `parseJson` bounds the depth. */
  of(node: JsonNode): string | undefined {
    if (this.#dropped.has(node)) return undefined;
    if (node.kind === "array") {
      const texts = node.items.map((item) => this.of(item));
      const left = texts.filter((text) => text !== undefined);
      // Bedrock's marks for its cache stand among the tools, and mean nothing without any.
      if (left.length < node.items.length && node.items.every((item, at) => texts[at] === undefined || isCachePoint(item)))
        return undefined;
      return left.length === node.items.length && !this.#touches(node) ? this.#slice(node) : `[${left.join(",")}]`;
    }
    if (node.kind === "object") return this.#objectOf(node);
    const text = this.#texts.get(node);
    return text === undefined ? this.#slice(node) : asJson(node, text);
  }

  #objectOf(node: JsonObject): string | undefined {
    if (!this.#touches(node)) return this.#slice(node);
    const members: string[] = [];
    let lost = false;
    let kept = false;
    for (const { key, value } of node.members) {
      const text = this.of(value);
      if (text === undefined) {
        // What a client's own search found belongs to its call: it found nothing.
        if (isSearchOutput(node)) members.push(`${JSON.stringify(key)}:[]`);
        else if (LISTS.has(key)) return undefined;
        else lost = true;
      } else {
        if (!ORPHANS.has(key)) kept = true;
        members.push(`${JSON.stringify(key)}:${text}`);
      }
    }
    return lost && !kept ? undefined : `{${members.join(",")}}`;
  }

  #touches(node: JsonNode): boolean {
    for (const tool of this.#dropped) if (within(tool, node)) return true;
    for (const [text] of this.#texts) if (within(text, node)) return true;
    return false;
  }
  #slice(node: JsonNode): string {
    return this.#doc.text.slice(node.start, node.end);
  }
}

const isCachePoint = (node: JsonNode): boolean => node.kind === "object" && node.members.every(({ key }) => key === "cachePoint");
const isSearchOutput = (node: JsonObject): boolean => {
  const type = member(node, "type");
  return type?.kind === "string" && type.value === "tool_search_output";
};
