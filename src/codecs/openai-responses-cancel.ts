import type { AnswerContext, AnswerReader, Codec, PathFacts } from "../core/codec.ts";
import type { RequestView } from "../core/view.ts";
import { thingPath } from "./shared/openai-paths.ts";
import { keptResponseView, openKeptResponse } from "./shared/responses-kept.ts";

const matches = thingPath("/responses", "/cancel");

/** Ends a background response; the answer is the response so far. */
export const openaiResponsesCancel: Codec = {
  surface: "openai.responses.cancel",
  dialect: "openai",
  operation: "other",
  title: "POST /v1/responses/{id}/cancel",
  treatment: "inspected",
  body: "none",
  billed: false,
  match: (target): PathFacts | undefined => matches(target, "POST"),
  readPath: (facts: PathFacts): RequestView => keptResponseView(facts, { streaming: false }),
  upstreamPath: (facts) => `/responses/${facts.id ?? ""}/cancel`,
  openAnswer: (context: AnswerContext): AnswerReader => openKeptResponse(context),
};
