import type { HeaderView, PathFacts, RequestTarget } from "../../core/codec.ts";
import { decodedSegment } from "./gemini-paths.ts";

const PATH = /^\/model\/([^/]+)\/(converse|converse-stream|invoke|invoke-with-response-stream|count-tokens)$/;

/** Methods of Bedrock's runtime API that answer as an event stream. */
const STREAMS: ReadonlySet<string> = new Set(["converse-stream", "invoke-with-response-stream"]);

/** What a path of Bedrock's runtime says. A model may be an ARN with escaped slashes; `:` comes escaped or not. */
export function matchBedrockPath(target: RequestTarget, methods: readonly string[]): PathFacts | undefined {
  if (target.method !== "POST") return undefined;
  const [, encoded, method] = PATH.exec(target.path) ?? [];
  if (encoded === undefined || method === undefined || !methods.includes(method)) return undefined;
  const model = decodedSegment(encoded);
  if (model === undefined) return undefined;
  return { model, method, framing: STREAMS.has(method) ? "eventstream" : "json" };
}

/** InvokeModel, whose bodies are the makers' own, asks for a service tier by headers, and says by the same ones which it served. */
export function tierOfHeaders(headers: HeaderView | undefined): string | undefined {
  const tier = headers?.get("x-amzn-bedrock-performanceconfig-latency") === "optimized" ? "optimized" : undefined;
  return tier ?? headers?.get("x-amzn-bedrock-service-tier")?.slice(0, 32).toLowerCase();
}

export function bedrockPath(facts: PathFacts, model: string): string {
  return `/model/${encodeURIComponent(model)}/${facts.method ?? "invoke"}`;
}
