import type { AnswerContext, AnswerReader, Codec, FormBody, ParsedRequest, ParseError, PathFacts, RequestChange } from "../core/codec.ts";
import type { JsonDoc, JsonEdit } from "../core/json.ts";
import type { Result } from "../core/result.ts";
import type { RequestView } from "../core/view.ts";
import { readAudioForm } from "./shared/audio-request.ts";
import { formEdits } from "./shared/form-request.ts";
import { readMultipart } from "./shared/multipart.ts";
import { openAiPath, withPathModel } from "./shared/openai-paths.ts";
import { openTranscript } from "./shared/transcript-answer.ts";

const TAIL = "/audio/translations";

/** Speech into English text, as a form. The audio itself passes unheard. */
export const openaiAudioTranslations: Codec = {
  surface: "openai.audio.translations",
  dialect: "openai",
  operation: "audio",
  title: `POST /v1${TAIL}`,
  treatment: "inspected",
  body: "multipart",
  match: (target): PathFacts | undefined => openAiPath(target, "POST", TAIL),
  readForm: readMultipart,
  readRequest: (doc: JsonDoc, facts: PathFacts, form?: FormBody): Result<RequestView, ParseError> =>
    withPathModel(readAudioForm(doc, form, { streams: false }), facts),
  editRequest: ({ doc }: ParsedRequest, change: RequestChange): readonly JsonEdit[] => formEdits(doc, change),
  upstreamPath: () => TAIL,
  openAnswer: (context: AnswerContext): AnswerReader => openTranscript(context),
};
