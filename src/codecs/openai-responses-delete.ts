import type { AnswerContext, AnswerReader, Codec, PathFacts } from "../core/codec.ts";
import type { RequestView } from "../core/view.ts";
import { thingPath } from "./shared/openai-paths.ts";
import { keptResponseView, openNotice } from "./shared/responses-kept.ts";

const matches = thingPath("/responses", "");

/** Has the provider forget a response. */
export const openaiResponsesDelete: Codec = {
  surface: "openai.responses.delete",
  dialect: "openai",
  operation: "other",
  title: "DELETE /v1/responses/{id}",
  treatment: "metered",
  body: "none",
  billed: false,
  forgets: "response",
  match: (target): PathFacts | undefined => matches(target, "DELETE"),
  readPath: (facts: PathFacts): RequestView => keptResponseView(facts, { streaming: false }),
  upstreamPath: (facts) => `/responses/${facts.id ?? ""}`,
  openAnswer: (context: AnswerContext): AnswerReader => openNotice(context),
};
