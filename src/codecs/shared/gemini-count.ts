import type { AnswerContext, AnswerReader, ParseError, PathFacts, RequestChange } from "../../core/codec.ts";
import { field, type Json, type JsonEdit, type JsonNode, type JsonObject } from "../../core/json.ts";
import { err, ok, type Result } from "../../core/result.ts";
import type { Steps } from "../../core/slice.ts";
import type { Usage } from "../../core/usage.ts";
import type { RequestView } from "../../core/view.ts";
import { openReader } from "./answer-reader.ts";
import { either } from "./gemini-fields.ts";
import { geminiErrorBody } from "./gemini-reader.ts";
import { geminiEdits, geminiSteps } from "./gemini-request.ts";
import { PlainAnswer } from "./plain-answer.ts";
import { defined, reportedFigures, tokenCount } from "./reported-usage.ts";

/**
 * Google's token counter: the contents alone, or (Gemini API) a whole request within `generateContentRequest`, which excludes the first.
 * Source: CountTokensRequest at ai.google.dev/api/tokens and of Vertex AI's `v1` reference, read 2026-11.
 */
export function* countSteps(root: JsonNode, facts: PathFacts): Steps<Result<RequestView, ParseError>> {
  const outer = yield* geminiSteps(root, facts);
  const inner = whole(root);
  if (!outer.ok || inner === undefined) return outer;
  if (root.kind === "object" && either(root, "contents") !== undefined)
    return err({ code: "invalid_request", where: "/contents", message: "contents and generateContentRequest exclude each other." });
  const view = yield* geminiSteps(inner, facts);
  return view.ok ? ok({ ...view.value, contractFields: outer.value.contractFields, texts: outer.value.texts }) : view;
}

function whole(root: JsonNode): JsonObject | undefined {
  const inner = root.kind === "object" ? either(root, "generateContentRequest") : undefined;
  return inner?.kind === "object" ? inner : undefined;
}

/** There is no output to cap: a cap, and the parameters that only generation takes, change nothing. */
export function editCountRequest(root: JsonNode, change: RequestChange): readonly JsonEdit[] {
  if (root.kind !== "object") return [];
  const { parameters: _generation, outputTokensMax: _cap, ...rest } = change;
  const inner = whole(root);
  return [...geminiEdits(root, rest), ...(inner === undefined ? [] : geminiEdits(inner, rest))];
}

export const openCountAnswer = (context: AnswerContext): AnswerReader =>
  openReader({ ...context, contentType: "application/json" }, new PlainAnswer(context, usageOf), geminiErrorBody);

function usageOf(body: Json): Usage | undefined {
  const total = tokenCount(field(body, "totalTokens"));
  if (total === undefined) return undefined;
  const cached = tokenCount(field(body, "cachedContentTokenCount"));
  return { ...defined({ inputTokens: total, cachedInputTokens: cached }), reported: reportedFigures(body) };
}
