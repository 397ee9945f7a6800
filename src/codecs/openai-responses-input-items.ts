import type { AnswerContext, AnswerReader, Codec, PathFacts } from "../core/codec.ts";
import type { RequestView } from "../core/view.ts";
import { keptQuery, thingPath } from "./shared/openai-paths.ts";
import { keptResponseView, openNotice, withFactsQuery } from "./shared/responses-kept.ts";

const matches = thingPath("/responses", "/input_items");

/** What the caller sent for a response, listed page by page. */
export const openaiResponsesInputItems: Codec = {
  surface: "openai.responses.input_items",
  dialect: "openai",
  operation: "other",
  title: "GET /v1/responses/{id}/input_items",
  treatment: "metered",
  body: "none",
  billed: false,
  match(target): PathFacts | undefined {
    const facts = matches(target, "GET");
    const query = keptQuery(target.query, ["after", "before", "limit", "order", "include"]);
    return facts === undefined || query === undefined ? facts : { ...facts, query };
  },
  readPath: (facts: PathFacts): RequestView => keptResponseView(facts, { streaming: false }),
  upstreamPath: (facts) => withFactsQuery(`/responses/${facts.id ?? ""}/input_items`, facts),
  openAnswer: (context: AnswerContext): AnswerReader => openNotice(context),
};
