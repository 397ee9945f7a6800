import type { AnswerContext, AnswerReader, Codec, ParsedRequest, ParseError, PathFacts, RequestChange } from "../core/codec.ts";
import type { JsonDoc, JsonEdit } from "../core/json.ts";
import type { Result } from "../core/result.ts";
import type { RequestView } from "../core/view.ts";
import { openReader } from "./shared/answer-reader.ts";
import { textCallRemover } from "./shared/call-removal.ts";
import { cohereCalls, cohereV1Calls } from "./shared/call-removal-shapes.ts";
import { CohereAnswer } from "./shared/cohere-answer.ts";
import { cohereErrorBody } from "./shared/cohere-error.ts";
import { cohereEdits, readCohereChat } from "./shared/cohere-request.ts";
import { CohereV1Answer } from "./shared/cohere-v1-answer.ts";
import { LineReader } from "./shared/line-reader.ts";
import { sayCohere, sayCohereV1 } from "./shared/said-cohere.ts";
import { SniffingReader } from "./shared/sniffing-reader.ts";

/** Cohere's chat, version 2: a JSON body, or server-sent events. */
export const cohereChat: Codec = chatCodec(2, "cohere.chat", (context) => {
  return new SniffingReader(context, (found) => openReader(found, new CohereAnswer(found), cohereErrorBody));
});

/** Version 1: a JSON body, or one JSON object a line; server-sent events where the caller accepts those. */
export const cohereChatV1: Codec = chatCodec(1, "cohere.chat_v1", (context) => {
  const isEvents = context.contentType.toLowerCase().includes("text/event-stream");
  if (context.view.streaming && context.status < 400 && !isEvents) return new LineReader(new CohereV1Answer(context, { sse: false }));
  return new SniffingReader(context, (found) => openReader(found, new CohereV1Answer(found, { sse: true }), cohereErrorBody));
});

function chatCodec(version: 1 | 2, surface: string, openAnswer: (context: AnswerContext) => AnswerReader): Codec {
  const path = `/v${version}/chat`;
  return {
    surface,
    dialect: "cohere",
    operation: "chat",
    title: `POST ${path}`,
    treatment: "inspected",
    match: (target): PathFacts | undefined => (target.method === "POST" && target.path === path ? {} : undefined),
    readRequest: (doc: JsonDoc): Result<RequestView, ParseError> => readCohereChat(doc.root, version),
    /** `reportUsage` changes nothing: a stream always ends with its usage. */
    editRequest: (request: ParsedRequest, change: RequestChange): readonly JsonEdit[] =>
      cohereEdits(request.doc.root, change, "max_tokens"),
    upstreamPath: () => path,
    openAnswer,
    removeCalls: () => textCallRemover(version === 2 ? cohereCalls : cohereV1Calls),
    renderAnswer: version === 2 ? sayCohere : sayCohereV1,
  };
}
