import type { AnswerContext, AnswerReader, Codec, ParsedRequest, ParseError, PathFacts, RequestChange } from "../core/codec.ts";
import type { JsonDoc, JsonEdit, JsonNode } from "../core/json.ts";
import { err, ok, type Result } from "../core/result.ts";
import type { RequestView } from "../core/view.ts";
import { ChatAnswer } from "./shared/chat-answer.ts";
import { openEdgeReader } from "./shared/edge-reader.ts";
import { readInputParts } from "./shared/input-parts.ts";
import { openAiErrorBody } from "./shared/openai-error.ts";
import { openAiPath, withPathModel } from "./shared/openai-paths.ts";
import { topLevelEdits } from "./shared/request-edits.ts";
import { RequestFields } from "./shared/request-fields.ts";
import { parameterTexts, Texts, walkAllTexts, walkNames } from "./shared/text-walk.ts";
import { tokenInput } from "./shared/token-input.ts";

const TAIL = "/embeddings";

/** OpenAI's embeddings. Its usage is that of chat without output; its vectors pass unread. */
export const openaiEmbeddings: Codec = {
  surface: "openai.embeddings",
  dialect: "openai",
  operation: "embed",
  title: `POST /v1${TAIL}`,
  treatment: "inspected",
  match: (target): PathFacts | undefined => openAiPath(target, "POST", TAIL),
  readRequest: (doc: JsonDoc, facts: PathFacts): Result<RequestView, ParseError> => withPathModel(readEmbeddings(doc.root), facts),
  editRequest(request: ParsedRequest, change: RequestChange): readonly JsonEdit[] {
    const { root } = request.doc;
    return root.kind === "object" ? topLevelEdits(root, change, { model: "model", outputTokensMax: undefined }) : [];
  },
  upstreamPath: () => TAIL,
  openAnswer: (context: AnswerContext): AnswerReader => openEdgeReader(context, new ChatAnswer(context), openAiErrorBody),
};

/**
 * `input` is a text, a list of texts, a list of tokens, or a list of such lists. Token lists cannot be inspected as text; a policy
 * that must see every text can tell by `texts()` being empty.
 */
function readEmbeddings(root: JsonNode): Result<RequestView, ParseError> {
  if (root.kind !== "object") return err({ code: "invalid_request", where: "", message: "The body must be a JSON object." });
  const fields = new RequestFields(root);
  const input = fields.node("input");
  if (input === undefined || (input.kind !== "string" && input.kind !== "array")) {
    fields.refuse("/input", "input must be a string or an array.");
  }
  const view: RequestView = {
    model: fields.string("model")?.value,
    streaming: false,
    framing: "json",
    outputTokensMax: undefined,
    choices: 1,
    tools: [],
    providerState: [],
    contractFields: fields.contractFields(),
    ...tokenInput(input),
    inputParts: () => readInputParts(root, { bare: true }),
    texts() {
      const out = new Texts();
      for (const entry of root.members) {
        const { key, value } = entry;
        if (parameterTexts(entry, out)) continue;
        if (key === "input") walkAllTexts(value, "user", out);
        else if (["model", "encoding_format"].includes(key)) walkNames(value, out);
        else walkAllTexts(value, "other", out);
      }
      return out;
    },
  };
  return fields.problem === undefined ? ok(view) : err(fields.problem);
}
