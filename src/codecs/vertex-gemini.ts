import type { Codec, ParsedRequest, PathFacts, RequestChange } from "../core/codec.ts";
import type { JsonEdit } from "../core/json.ts";
import { textCallRemover } from "./shared/call-removal.ts";
import { geminiCalls } from "./shared/call-removal-gemini.ts";
import { countSteps, editCountRequest, openCountAnswer } from "./shared/gemini-count.ts";
import { openGeminiAnswer } from "./shared/gemini-reader.ts";
import { geminiEdits, geminiSteps } from "./shared/gemini-request.ts";
import { inSteps } from "./shared/in-steps.ts";
import { sayGemini } from "./shared/said-gemini.ts";
import { matchVertexPath, vertexPath } from "./shared/vertex-paths.ts";

/** Gemini on Vertex AI: the same bodies as the Gemini API's, below a project. Only Google's own models speak them. */
const ofGoogle = (facts: PathFacts | undefined): PathFacts | undefined => (facts?.publisher === "google" ? facts : undefined);
const PREFIX = "POST /v1/projects/{p}/locations/{l}/publishers/google/models/{model}";

const shared = {
  dialect: "vertex",
  operation: "chat",
  treatment: "inspected",
  ...inSteps((doc, facts) => geminiSteps(doc.root, facts)),
  /** `reportUsage` changes nothing: every chunk has the usage. */
  editRequest: ({ doc }: ParsedRequest, change: RequestChange): readonly JsonEdit[] =>
    doc.root.kind === "object" ? geminiEdits(doc.root, change) : [],
  upstreamPath: vertexPath,
  removeCalls: () => textCallRemover(geminiCalls()),
  openAnswer: openGeminiAnswer,
} satisfies Partial<Codec>;

export const vertexGenerate: Codec = {
  ...shared,
  surface: "vertex.generate",
  renderAnswer: sayGemini,
  title: `${PREFIX}:generateContent`,
  match: (target) => ofGoogle(matchVertexPath(target, "generateContent", { stream: false })),
};

export const vertexStream: Codec = {
  ...shared,
  surface: "vertex.stream",
  renderAnswer: sayGemini,
  title: `${PREFIX}:streamGenerateContent`,
  match: (target) => ofGoogle(matchVertexPath(target, "streamGenerateContent", { stream: true })),
};

/** The token counter, which costs nothing. */
export const vertexCountTokens: Codec = {
  ...shared,
  surface: "vertex.count_tokens",
  operation: "other",
  billed: false,
  title: `${PREFIX}:countTokens`,
  match: (target) => ofGoogle(matchVertexPath(target, "countTokens", { stream: false })),
  ...inSteps((doc, facts) => countSteps(doc.root, facts)),
  editRequest: ({ doc }, change) => editCountRequest(doc.root, change),
  openAnswer: openCountAnswer,
};
