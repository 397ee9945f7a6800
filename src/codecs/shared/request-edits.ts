import type { RequestChange } from "../../core/codec.ts";
import { type JsonEdit, type JsonObject, member } from "../../core/json.ts";
import { CONTRACT_MEMBER_PREFIX } from "./request-fields.ts";

/** What the changes are called in the body of one dialect. */
export interface EditNames {
  readonly model: string;
  /** Name of the output cap; undefined where the surface has none (the change is then without effect). */
  readonly outputTokensMax: string | undefined;
}

/**
 * Edits of a body whose parameters are members of its root. A value that is already the wanted one is left alone, so that an
 * empty plan changes no byte. Model and cap win over parameters of the same name; parameters win over `metadata`'s clean-up.
 */
export function topLevelEdits(root: JsonObject, change: RequestChange, names: EditNames): JsonEdit[] {
  const wanted = new Map<string, string>();
  for (const [key, value] of Object.entries(change.parameters ?? {})) wanted.set(key, JSON.stringify(value));
  if (change.model !== undefined) wanted.set(names.model, JSON.stringify(change.model));
  if (change.outputTokensMax !== undefined && names.outputTokensMax !== undefined) {
    wanted.set(names.outputTokensMax, String(change.outputTokensMax));
  }
  const edits: JsonEdit[] = [];
  for (const [key, text] of wanted) {
    const node = member(root, key);
    if (node === undefined) edits.push({ kind: "insert", object: root, key, text });
    else if ((node.kind === "object" || node.kind === "array" ? undefined : JSON.stringify(node.value)) !== text) {
      edits.push({ kind: "replace", node, text });
    }
  }
  if (change.dropContractFields === true && !wanted.has("metadata")) edits.push(...contractFieldEdits(root));
  return edits;
}

/** Takes the `ai_*` members out of `metadata`, and the object too when nothing else is in it. */
function contractFieldEdits(root: JsonObject): JsonEdit[] {
  const metadata = member(root, "metadata");
  if (metadata?.kind !== "object") return [];
  const ours = metadata.members.filter(({ key }) => key.startsWith(CONTRACT_MEMBER_PREFIX));
  if (ours.length === 0) return [];
  if (ours.length === metadata.members.length) return [{ kind: "remove", object: root, key: "metadata" }];
  return ours.map(({ key }) => ({ kind: "remove", object: metadata, key }));
}
