import type { CallsOut } from "../../core/codec.ts";
import { type JsonArray, type JsonNode, type JsonObject, member } from "../../core/json.ts";
import { type CallEdits, itemsOf, type Removal, type ShapeRemover, wordOf } from "./call-removal.ts";

type Begun = CallsOut["begins"][number];

/** One candidate, over the chunks of a stream. */
interface Candidate {
  /** The call that a part without a name goes on with went. */
  isGoing: boolean;
  /** Signature of a call that went. The first call of a turn must have one, or Gemini refuses the next turn. */
  signature: string | undefined;
}

/**
 * Chunks or bodies of Gemini's. Its calls have no numbers: those that begin in a frame are told by their order. A signature moves to the
 * next call that stays (it is of the thinking before, not of its part).
 */
export function geminiCalls(): ShapeRemover {
  const candidates = new Map<number, Candidate>();
  return (edits): Removal => {
    const list = itemsOf(edits.root, "candidates")?.items ?? [];
    for (const [position, candidate] of list.entries()) {
      const index = member(candidate, "index");
      const choice = index?.kind === "number" && Number.isSafeInteger(index.value) && index.value >= 0 ? index.value : position;
      const state = candidates.get(choice) ?? { isGoing: false, signature: undefined };
      candidates.set(choice, state);
      const begins = edits.calls.begins.filter((begun) => begun.choice === choice);
      const parts = itemsOf(member(candidate, "content"), "parts");
      if (parts !== undefined && !takeParts(edits, parts, begins, state)) return "end";
      const reason = member(candidate, "finishReason");
      const isAlone = edits.calls.gone(choice).size > 0 && edits.calls.left(choice) === 0;
      if (isAlone && reason?.kind === "string" && reason.value === "STOP") edits.replace(reason, '"SAFETY"');
    }
    return "edited";
  };
}

/** False: one of them cannot go. */
function takeParts(edits: CallEdits, parts: JsonArray, begins: readonly Begun[], state: Candidate): boolean {
  const left = [...begins];
  const going = new Set<JsonNode>();
  for (const part of parts.items) {
    if (part.kind !== "object") continue;
    const call = member(part, "functionCall");
    if (call !== undefined) {
      const begun = wordOf(call, "name") === "" ? undefined : left.shift();
      if (wordOf(call, "name") !== "") state.isGoing = begun?.goes === true;
      if (state.isGoing) {
        if (member(part, "text") !== undefined) return false;
        if (begun !== undefined) edits.took(begun.choice, begun.block);
        going.add(part);
        state.signature ??= wordOf(part, "thoughtSignature") || undefined;
      } else moveSignature(edits, part, state);
    }
    // What Google ran has its result within the answer.
    if (member(part, "executableCode") !== undefined && left.shift()?.goes === true) return false;
    const other = member(part, "toolCall");
    if (other !== undefined && wordOf(other, "toolType") !== "" && left.shift()?.goes === true) return false;
  }
  edits.removeItems(parts, (part) => going.has(part), EMPTY_TEXT);
  return true;
}
/** What stands where a candidate would have no parts, which SDKs do not expect. */
const EMPTY_TEXT = '{"text":""}';

function moveSignature(edits: CallEdits, part: JsonObject, state: Candidate): void {
  const { signature } = state;
  if (signature === undefined) return;
  state.signature = undefined;
  if (member(part, "thoughtSignature") === undefined) edits.insert(part, "thoughtSignature", JSON.stringify(signature));
}
