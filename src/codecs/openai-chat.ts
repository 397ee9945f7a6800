import type { AnswerContext, AnswerReader, Codec, ParsedRequest, PathFacts, RequestChange } from "../core/codec.ts";
import type { JsonEdit } from "../core/json.ts";
import { openReader } from "./shared/answer-reader.ts";
import { textCallRemover } from "./shared/call-removal.ts";
import { chatCalls } from "./shared/call-removal-shapes.ts";
import { ChatAnswer } from "./shared/chat-answer.ts";
import { chatSteps, editChatRequest } from "./shared/chat-request.ts";
import { inSteps, then } from "./shared/in-steps.ts";
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
  ...inSteps((doc, facts) => then(chatSteps(doc.root), (view) => withPathModel(view, facts))),
  editRequest: (request: ParsedRequest, change: RequestChange): readonly JsonEdit[] =>
    editChatRequest(request.doc.root, request.view, change),
  /** A provider's base path holds its own `/v1`. */
  upstreamPath: () => TAIL,
  openAnswer: (context: AnswerContext): AnswerReader =>
    new SniffingReader(context, (sniffed) => openReader(sniffed, new ChatAnswer(sniffed), openAiErrorBody)),
  removeCalls: () => textCallRemover(chatCalls),
  renderAnswer: sayChat,
};
