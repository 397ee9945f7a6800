import type { AnswerContext, AnswerReader, Codec, ParsedRequest, ParseError, PathFacts, RequestChange } from "../core/codec.ts";
import type { JsonDoc, JsonEdit } from "../core/json.ts";
import type { Result } from "../core/result.ts";
import type { RequestView } from "../core/view.ts";
import { openReader } from "./shared/answer-reader.ts";
import { CohereAnswer } from "./shared/cohere-answer.ts";
import { cohereErrorBody } from "./shared/cohere-error.ts";
import { cohereEdits, readCohereInputs } from "./shared/cohere-request.ts";
import { openEdgeReader } from "./shared/edge-reader.ts";

/** Cohere's embeddings, both versions. Their vectors pass unread. */
export const cohereEmbed = inputsCodec("embed");
/** Cohere's rerank: scores of documents, billed by the search. */
export const cohereRerank = inputsCodec("rerank");

/** `/v1` and `/v2` take the same, but for names. */
function inputsCodec(what: "embed" | "rerank"): Codec {
  const paths = [`/v1/${what}`, `/v2/${what}`];
  return {
    surface: `cohere.${what}`,
    dialect: "cohere",
    operation: "embed",
    title: `POST /v2/${what}, /v1/${what}`,
    treatment: "inspected",
    match({ method, path }): PathFacts | undefined {
      return method === "POST" && paths.includes(path) ? { version: path.slice(1, 3) } : undefined;
    },
    readRequest: (doc: JsonDoc): Result<RequestView, ParseError> => readCohereInputs(doc.root),
    /** Parameters of a tier are for generation. */
    editRequest(request: ParsedRequest, change: RequestChange): readonly JsonEdit[] {
      const { parameters: _generation, ...rest } = change;
      return cohereEdits(request.doc.root, rest, undefined);
    },
    upstreamPath: (facts) => `/${facts.version ?? "v2"}/${what}`,
    openAnswer(context: AnswerContext): AnswerReader {
      // Only rules on texts need an embedding's body whole: beside its vectors it repeats the inputs.
      if (what === "embed" && context.guarded !== true) return openEdgeReader(context, new CohereAnswer(context), cohereErrorBody, MEMBERS);
      // Scores, and the documents again where `return_documents` asks for them.
      return openReader({ ...context, contentType: "application/json" }, new CohereAnswer(context), cohereErrorBody);
    },
  };
}

/** `meta` at the end of a large body, with objects in it two levels deep; `id` at its beginning. */
const MEMBERS = [/"meta"\s*:\s*\{(?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*\}/, /"id"\s*:\s*"[^"\\]{0,256}"/];
