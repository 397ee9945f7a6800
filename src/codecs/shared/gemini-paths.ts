import type { PathFacts, RequestTarget } from "../../core/codec.ts";
import { modelPath } from "./gemini-request.ts";

/** The method follows the last colon: a model asked for by meaning has one too (`models/tier:standard:generateContent`). */
const GEMINI_PATH = /^\/(v1|v1beta)\/(models|tunedModels)\/([^/]+):([a-zA-Z]+)$/;

/** What a path of the Gemini API says, if it names this method; `stream`: the method answers over time. */
export function matchGeminiPath(target: RequestTarget, method: string, options: { readonly stream: boolean }): PathFacts | undefined {
  if (target.method !== "POST") return undefined;
  const [, version, collection, encoded, named] = GEMINI_PATH.exec(target.path) ?? [];
  if (version === undefined || encoded === undefined || named !== method) return undefined;
  const model = decodedSegment(encoded);
  const answer = framingOf(target, options);
  if (model === undefined || answer === undefined) return undefined;
  return { model: collection === "models" ? model : `tunedModels/${model}`, version, ...answer };
}

/** How Google's answer is asked for. undefined: in an encoding that could not be read (`alt=proto`). */
export function framingOf(
  target: RequestTarget,
  { stream }: { readonly stream: boolean },
): { readonly framing: "json" | "sse" | "json-array"; readonly query?: string } | undefined {
  const [alt, ...options] = (target.query.get("alt") ?? target.query.get("$alt") ?? "json").split(";");
  // A unary call has no event stream.
  const framing = !stream ? "json" : alt === "sse" ? "sse" : "json-array";
  if (alt !== "json" && framing !== "sse") return undefined;
  if (options.length === 0) return { framing };
  // Google's generated REST clients ask for enumerations as numbers, always.
  return options.length === 1 && options[0] === NUMBERED ? { framing, query: `$alt=${alt}%3B${NUMBERED}` } : undefined;
}

const NUMBERED = "enum-encoding=int";

/** A path segment, percent-decoded; undefined when it is not well formed. */
export function decodedSegment(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment);
  } catch {
    return undefined;
  }
}

/** The query is written anew: keys, field masks and other encodings of the caller's stay behind. */
export function googleQuery(facts: PathFacts): string {
  return facts.query !== undefined ? `?${facts.query}` : facts.framing === "sse" ? "?alt=sse" : "";
}

/** Path at Google's for a method of the Gemini API. */
export function geminiPath(facts: PathFacts, model: string, method: string): string {
  const [collection = "models", ...name] = modelPath(model).split("/");
  return `/${facts.version ?? "v1beta"}/${collection}/${encodeURIComponent(name.join("/"))}:${method}${googleQuery(facts)}`;
}
