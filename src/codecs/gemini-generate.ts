import type { Codec, ParsedRequest, RequestChange } from "../core/codec.ts";
import type { JsonEdit } from "../core/json.ts";
import { textCallRemover } from "./shared/call-removal.ts";
import { geminiCalls } from "./shared/call-removal-gemini.ts";
import { geminiPath, matchGeminiPath } from "./shared/gemini-paths.ts";
import { openGeminiAnswer } from "./shared/gemini-reader.ts";
import { geminiEdits, geminiSteps } from "./shared/gemini-request.ts";
import { inSteps } from "./shared/in-steps.ts";
import { sayGemini } from "./shared/said-gemini.ts";

const shared = {
  dialect: "gemini",
  operation: "chat",
  treatment: "inspected",
  ...inSteps((doc, facts) => geminiSteps(doc.root, facts)),
  /** `reportUsage` changes nothing: every chunk has the usage. */
  editRequest: (request: ParsedRequest, change: RequestChange): readonly JsonEdit[] =>
    request.doc.root.kind === "object" ? geminiEdits(request.doc.root, change) : [],
  openAnswer: openGeminiAnswer,
  removeCalls: () => textCallRemover(geminiCalls()),
  renderAnswer: sayGemini,
} satisfies Partial<Codec>;

/** Gemini's generateContent: one answer, one JSON body. */
export const geminiGenerate: Codec = {
  ...shared,
  surface: "gemini.generate",
  title: "POST /v1beta/models/{model}:generateContent",
  match: (target) => matchGeminiPath(target, "generateContent", { stream: false }),
  upstreamPath: (facts, model) => geminiPath(facts, model, "generateContent"),
};

/** Gemini's streamGenerateContent: a JSON array whose elements arrive over time, or server-sent events with `?alt=sse`. */
export const geminiStream: Codec = {
  ...shared,
  surface: "gemini.stream",
  title: "POST /v1beta/models/{model}:streamGenerateContent",
  match: (target) => matchGeminiPath(target, "streamGenerateContent", { stream: true }),
  upstreamPath: (facts, model) => geminiPath(facts, model, "streamGenerateContent"),
};
