import type { MediaKind } from "../../core/media-kind.ts";
import type { FoundCount } from "../../core/record.ts";
import { isStepDone, type Steps } from "../../core/slice.ts";
import type { StageContext } from "../../core/stage.ts";
import type { RedactSection } from "./section.ts";

/** What of a request cannot be looked into, and how often. */
export type Unread = ReadonlyMap<MediaKind, number>;

/** Does the policy say anything about it? */
export const asksUnread = ({ unread }: RedactSection): boolean => Object.keys(unread).length > 0;

export function* unreadSteps({ request }: StageContext): Steps<Unread> {
  const found = new Map<MediaKind, number>();
  let count = 0;
  for (const kind of request?.view.texts().media?.() ?? []) {
    found.set(kind, (found.get(kind) ?? 0) + 1);
    if (isStepDone(++count)) yield;
  }
  return found;
}

/** What the record says of it, and the kinds for which the call is refused. */
export function judgeUnread(
  unread: Unread,
  { unread: rules }: RedactSection,
): { readonly found: readonly FoundCount[]; readonly refused: readonly MediaKind[] } {
  const actionOf = (kind: MediaKind): "allow" | "refuse" => rules[kind] ?? rules["*"] ?? "allow";
  return {
    found: [...unread].map(([kind, count]) => ({ entity: `unread_${kind}`, place: "file", action: actionOf(kind), count })),
    refused: [...unread.keys()].filter((kind) => actionOf(kind) === "refuse"),
  };
}
