import type { Codec } from "../core/codec.ts";
import { countSteps, editCountRequest, openCountAnswer } from "./shared/gemini-count.ts";
import { geminiPath, matchGeminiPath } from "./shared/gemini-paths.ts";
import { inSteps } from "./shared/in-steps.ts";

/** Gemini's token counter. It takes a whole request, so the same is inspected; it answers with a number and costs nothing. */
export const geminiCountTokens: Codec = {
  surface: "gemini.count_tokens",
  dialect: "gemini",
  operation: "other",
  billed: false,
  title: "POST /v1beta/models/{model}:countTokens",
  treatment: "inspected",
  match: (target) => matchGeminiPath(target, "countTokens", { stream: false }),
  ...inSteps((doc, facts) => countSteps(doc.root, facts)),
  editRequest: ({ doc }, change) => editCountRequest(doc.root, change),
  upstreamPath: (facts, model) => geminiPath(facts, model, "countTokens"),
  openAnswer: openCountAnswer,
};
