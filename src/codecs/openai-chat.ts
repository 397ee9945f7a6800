import type { AnswerContext, AnswerReader, Codec, ParsedRequest, ParseError, PathFacts, RequestChange } from "../core/codec.ts";
import type { JsonDoc, JsonEdit } from "../core/json.ts";
import type { Result } from "../core/result.ts";
import type { RequestView } from "../core/view.ts";
import { openReader } from "./shared/answer-reader.ts";
import { ChatAnswer } from "./shared/chat-answer.ts";
import { editChatRequest, readChatRequest } from "./shared/chat-request.ts";
import { openAiErrorBody } from "./shared/openai-error.ts";
import { openAiPath, withPathModel } from "./shared/openai-paths.ts";
import { sayChat } from "./shared/said-chat.ts";
import { SniffingReader } from "./shared/sniffing-reader.ts";

const TAIL = "/chat/completions";

/** OpenAI's Chat Completions, as OpenAI and the compatible providers speak it. */
export const openaiChat: Codec = {
  surface: "openai.chat",
  dialect: "openai",
  operation: "chat",
  title: `POST /v1${TAIL}`,
  treatment: "inspected",
  keeps: "completion",
  match: (target): PathFacts | undefined => openAiPath(target, "POST", TAIL),
  readRequest: (doc: JsonDoc, facts: PathFacts): Result<RequestView, ParseError> => withPathModel(readChatRequest(doc.root), facts),
  editRequest: (request: ParsedRequest, change: RequestChange): readonly JsonEdit[] =>
    editChatRequest(request.doc.root, request.view, change),
  /** A provider's base path holds its own `/v1`. */
  upstreamPath: () => TAIL,
  openAnswer: (context: AnswerContext): AnswerReader =>
    new SniffingReader(context, (sniffed) => openReader(sniffed, new ChatAnswer(sniffed), openAiErrorBody)),
  renderAnswer: sayChat,
};
