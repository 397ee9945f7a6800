import type { AnswerContext, AnswerReader, Codec, PathFacts } from "../core/codec.ts";
import type { RequestView } from "../core/view.ts";
import { textCallRemover } from "./shared/call-removal.ts";
import { responsesCalls } from "./shared/call-removal-shapes.ts";
import { keptQuery, thingPath } from "./shared/openai-paths.ts";
import { keptResponseView, openKeptResponse, withFactsQuery } from "./shared/responses-kept.ts";

const matches = thingPath("/responses", "");

/** A kept response once more, whole or as its stream (`?stream=true&starting_after=…`). */
export const openaiResponsesGet: Codec = {
  surface: "openai.responses.get",
  dialect: "openai",
  operation: "other",
  title: "GET /v1/responses/{id}",
  treatment: "inspected",
  body: "none",
  billed: false,
  match(target): PathFacts | undefined {
    const facts = matches(target, "GET");
    const query = keptQuery(target.query, ["stream", "starting_after", "include", "include_obfuscation"]);
    return facts === undefined || query === undefined ? facts : { ...facts, query };
  },
  readPath(facts: PathFacts): RequestView {
    const streaming = new URLSearchParams(facts.query).get("stream")?.toLowerCase() === "true";
    return keptResponseView(facts, { streaming });
  },
  upstreamPath: (facts) => withFactsQuery(`/responses/${facts.id ?? ""}`, facts),
  removeCalls: () => textCallRemover(responsesCalls()),
  openAnswer: (context: AnswerContext): AnswerReader => openKeptResponse(context),
};
