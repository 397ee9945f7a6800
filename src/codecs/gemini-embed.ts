import type { AnswerContext, AnswerReader, Codec, ParsedRequest, ParseError, PathFacts, RequestChange } from "../core/codec.ts";
import { field, type Json, type JsonDoc, type JsonEdit, type JsonNode } from "../core/json.ts";
import { err, ok, type Result } from "../core/result.ts";
import type { Usage } from "../core/usage.ts";
import type { RequestView } from "../core/view.ts";
import { openEdgeReader } from "./shared/edge-reader.ts";
import { either, itemsOf } from "./shared/gemini-fields.ts";
import { geminiPath, matchGeminiPath } from "./shared/gemini-paths.ts";
import { geminiErrorBody } from "./shared/gemini-reader.ts";
import { geminiEdits, readGeminiRequest } from "./shared/gemini-request.ts";
import { geminiUsage } from "./shared/gemini-usage.ts";
import { PlainAnswer } from "./shared/plain-answer.ts";

/** Gemini's embedContent: one content, one vector. */
export const geminiEmbed = embedCodec("embedContent", "gemini.embed");
/** Gemini's batchEmbedContents: a list of such requests, all for the path's model. */
export const geminiBatchEmbed = embedCodec("batchEmbedContents", "gemini.batch_embed");

function embedCodec(method: "embedContent" | "batchEmbedContents", surface: string): Codec {
  return {
    surface,
    dialect: "gemini",
    operation: "embed",
    title: `POST /v1beta/models/{model}:${method}`,
    treatment: "inspected",
    match: (target) => matchGeminiPath(target, method, { stream: false }),
    readRequest: (doc: JsonDoc, facts: PathFacts): Result<RequestView, ParseError> => readEmbed(doc.root, facts),
    /** Parameters of a tier are for generation. Every request of a batch repeats the model. */
    editRequest({ doc }: ParsedRequest, change: RequestChange): readonly JsonEdit[] {
      const { parameters: _generation, outputTokensMax: _cap, ...rest } = change;
      return [doc.root, ...batchOf(doc.root)].flatMap((each) => (each.kind === "object" ? geminiEdits(each, rest) : []));
    },
    upstreamPath: (facts, model) => geminiPath(facts, model, method),
    openAnswer: (context: AnswerContext): AnswerReader =>
      openEdgeReader(context, new PlainAnswer(context, usageOf), geminiErrorBody, MEMBERS),
  };
}

/** Newer models report their usage; large bodies hold it at an end, with objects in it two levels deep. */
const MEMBERS = [/"usageMetadata"\s*:\s*\{(?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*\}/];

function batchOf(root: JsonNode): readonly JsonNode[] {
  return root.kind === "object" ? itemsOf(either(root, "requests")) : [];
}

/**
 * `content`, or `requests` with one each. Read like a request for generation, whose fields they share, so that a model which the body
 * names must be the path's.
 */
function readEmbed(root: JsonNode, facts: PathFacts): Result<RequestView, ParseError> {
  const outer = readGeminiRequest(root, facts);
  if (!outer.ok) return outer;
  const views: RequestView[] = [];
  for (const [index, item] of batchOf(root).entries()) {
    if (item.kind !== "object")
      return err({ code: "invalid_request", where: `/requests/${index}`, message: "A request must be an object." });
    const view = readGeminiRequest(item, facts);
    if (!view.ok) return view;
    views.push(view.value);
  }
  return ok({ ...outer.value, tools: [...outer.value.tools, ...views.flatMap(({ tools }) => tools)] });
}

function usageOf(body: Json): Usage | undefined {
  const metadata = field(body, "usageMetadata");
  return metadata === undefined ? undefined : geminiUsage(metadata);
}
