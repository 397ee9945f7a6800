import { member } from "../../core/json.ts";
import { itemsOf, type Removal, type ShapeRemover, wordOf } from "./call-removal.ts";
import { anthropicCalls, chatCalls, cohereV1Calls, converseCalls } from "./call-removal-shapes.ts";

/** Events of Converse, as Nova's own stream names them. */
const CONVERSE_EVENTS = ["messageStart", "contentBlockStart", "contentBlockDelta", "contentBlockStop", "messageStop", "metadata"];

/** Answers and events of InvokeModel, by whose shape they have. */
export const invokeCalls: ShapeRemover = (edits, name): Removal => {
  const { root } = edits;
  const type = wordOf(root, "type");
  if (type === "message" || type.startsWith("message_") || type.startsWith("content_block_")) return anthropicCalls(edits, name);
  if (member(member(root, "output"), "message") !== undefined) return converseCalls(edits, undefined);
  const named = CONVERSE_EVENTS.find((event) => member(root, event) !== undefined);
  if (named !== undefined) return converseCalls(edits.within(member(root, named)), named);
  if (itemsOf(root, "choices") !== undefined) return chatCalls(edits, name);
  return cohereV1Calls(edits, name);
};
