import type { FormBody, ParseError, RequestChange } from "../../core/codec.ts";
import { type JsonDoc, type JsonEdit, type JsonObject, type JsonString, member } from "../../core/json.ts";
import type { RequestTexts, TextPlace } from "../../core/view.ts";
import { FILE_NAMES, FILE_TEXTS } from "./multipart.ts";
import { topLevelEdits } from "./request-edits.ts";
import { CONTRACT_MEMBER_PREFIX } from "./request-fields.ts";
import { parameterTexts, Texts, walkAllTexts, walkNames } from "./text-walk.ts";

const EMPTY: JsonObject = { kind: "object", start: 0, end: 2, members: [] };

/**
 * Reads the fields of a form that policies must understand, and remembers the first that is not what the API documents. A form's
 * values are texts: `true`, `2`.
 */
export class FormFields {
  readonly root: JsonObject;
  #problem: ParseError | undefined;

  /** `read`: the fields that policies go by. They may be no files and no lists, which providers read in ways of their own. */
  constructor(doc: JsonDoc, form: FormBody | undefined, read: readonly string[]) {
    this.root = doc.root.kind === "object" ? doc.root : EMPTY;
    for (const name of [...(form?.files.keys() ?? []), ...this.root.members.map(({ key }) => key).filter((key) => key.includes("["))]) {
      const base = name.split("[", 1)[0] ?? name;
      if (read.includes(base) || base.startsWith(CONTRACT_MEMBER_PREFIX)) this.refuse(base, `${base} must be one text field.`);
    }
  }

  get problem(): ParseError | undefined {
    return this.#problem;
  }

  refuse(where: string, message: string): undefined {
    this.#problem ??= { code: "invalid_request", where, message };
    return undefined;
  }

  string(key: string): JsonString | undefined {
    const node = member(this.root, key);
    if (node === undefined || node.kind === "string") return node;
    return this.refuse(key, `${key} must be one text field.`);
  }

  boolean(key: string): boolean {
    const value = this.string(key)?.value.toLowerCase();
    if (value !== undefined && value !== "" && value !== "true" && value !== "false") this.refuse(key, `${key} must be true or false.`);
    return value === "true";
  }

  count(key: string): number | undefined {
    const value = this.string(key)?.value;
    if (value === undefined || value === "") return undefined;
    return /^[0-9]{1,9}$/.test(value) ? Number(value) : this.refuse(key, `${key} must be a whole number.`);
  }

  /** Fields `ai_…`, also as `metadata[ai_…]`, which is how SDKs write a `metadata` object into a form. */
  contractFields(): ReadonlyMap<string, string> {
    const fields = new Map<string, string>();
    for (const { key, value } of this.root.members) {
      const name = contractName(key);
      if (name === undefined) continue;
      if (value.kind !== "string" || fields.has(name)) this.refuse(name, `${name} must be one text field.`);
      else fields.set(name, value.value);
    }
    return fields;
  }
}

function contractName(key: string): string | undefined {
  const name = /^metadata\[(.*)\]$/.exec(key)?.[1] ?? key;
  return name.startsWith(CONTRACT_MEMBER_PREFIX) ? name : undefined;
}

/** Edits of a form's document: parameters and model as fields of their own, contract fields out. */
export function formEdits(doc: JsonDoc, change: RequestChange): readonly JsonEdit[] {
  const { root } = doc;
  if (root.kind !== "object") return [];
  const edits = topLevelEdits(root, change, { model: "model", outputTokensMax: undefined });
  if (change.dropContractFields === true)
    for (const { key } of root.members) if (contractName(key) !== undefined) edits.push({ kind: "remove", object: root, key });
  return edits;
}

/** Files, as the form's document has them. */
const PARTS: ReadonlyMap<string, TextPlace> = new Map([
  [FILE_NAMES, "file_name"],
  [FILE_TEXTS, "tool_result"],
]);

/** Texts of a form, file names too. What is neither placed nor plain is text of unknown meaning. */
export function formTexts(
  root: JsonObject,
  places: ReadonlyMap<string, TextPlace>,
  plain: ReadonlySet<string>,
  form: FormBody | undefined,
): RequestTexts {
  const out = new Texts();
  for (const entry of root.members) {
    const { key, value } = entry;
    if (plain.has(key)) walkNames(value, out);
    if (plain.has(key) || contractName(key) !== undefined || parameterTexts(entry, out)) continue;
    walkAllTexts(value, PARTS.get(key) ?? places.get(key) ?? "other", out);
  }
  for (const media of form?.media ?? []) out.add({ media });
  return out;
}
