import type { Stop } from "../../core/guard.ts";

const refuse = (detail: string): Stop => ({ kind: "refuse", denial: { code: "content_blocked", detail } });

/** How an answer ends that the guards, or the pipeline between them, cannot go on with. */
export const UNCHANGEABLE = refuse("A part of the answer that the policy changes cannot be changed.");
export const TOO_MUCH = refuse("More of the answer would have to be held for inspection than may be.");
export const TOO_MANY = refuse("The answer has more parts than can be inspected.");
export const RENAMED = refuse("A tool call of the answer goes on under another name.");
export const AMBIGUOUS = refuse("A tool call of the answer can be read in two ways.");
/** A guard failed whose stage fails closed. */
export const INTERNAL: Stop = {
  kind: "refuse",
  denial: { code: "internal", detail: "A rule on the answer failed, and nothing passes without it." },
};
