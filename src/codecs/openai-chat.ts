import type { AnswerContext, AnswerReader, Codec, ParsedRequest, ParseError, PathFacts, RequestChange } from "../core/codec.ts";
import type { JsonDoc, JsonEdit } from "../core/json.ts";
import type { Result } from "../core/result.ts";
import type { RequestView } from "../core/view.ts";
import { openReader } from "./shared/answer-reader.ts";
import { ChatAnswer } from "./shared/chat-answer.ts";
import { editChatRequest, readChatRequest } from "./shared/chat-request.ts";
import { openAiErrorBody } from "./shared/openai-error.ts";
import { SniffingReader } from "./shared/sniffing-reader.ts";

const PATH = "/v1/chat/completions";

/** OpenAI's Chat Completions, as OpenAI and the compatible providers speak it. */
export const openaiChat: Codec = {
  surface: "openai.chat",
  dialect: "openai",
  operation: "chat",
  title: `POST ${PATH}`,
  treatment: "inspected",
  match: ({ method, path }): PathFacts | undefined => (method === "POST" && path === PATH ? {} : undefined),
  readRequest: (doc: JsonDoc): Result<RequestView, ParseError> => readChatRequest(doc.root),
  editRequest: (request: ParsedRequest, change: RequestChange): readonly JsonEdit[] =>
    editChatRequest(request.doc.root, request.view, change),
  /** A provider's base path holds its own `/v1`. */
  upstreamPath: () => "/chat/completions",
  openAnswer: (context: AnswerContext): AnswerReader =>
    new SniffingReader(context, (sniffed) => openReader(sniffed, new ChatAnswer(sniffed), openAiErrorBody)),
};
