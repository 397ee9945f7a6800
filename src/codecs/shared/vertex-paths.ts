import type { AccountPlace, PathFacts, RequestTarget } from "../../core/codec.ts";
import { decodedSegment, framingOf, googleQuery } from "./gemini-paths.ts";

/** With a project and a location, or (callers with an API key) without. Whatever they are, the account's own are used. */
const PATH = /^\/(v1|v1beta1)\/(?:projects\/[^/]+\/locations\/[^/]+\/)?publishers\/([^/]+)\/models\/([^/]+):([a-zA-Z]+)$/;

/** What a path of Vertex AI says, if it names this method; `stream`: the method answers over time. */
export function matchVertexPath(target: RequestTarget, method: string, options: { readonly stream: boolean }): PathFacts | undefined {
  if (target.method !== "POST") return undefined;
  const [, version, maker, encoded, named] = PATH.exec(target.path) ?? [];
  if (version === undefined || maker === undefined || encoded === undefined || named !== method) return undefined;
  const [model, publisher] = [decodedSegment(encoded), decodedSegment(maker)];
  const answer = framingOf(target, options);
  if (model === undefined || publisher === undefined || answer === undefined) return undefined;
  return { model, publisher, method, version, ...answer };
}

/** Path at Vertex AI: project and location are the account's, never the caller's. */
export function vertexPath(facts: PathFacts, model: string, account: AccountPlace | undefined): string {
  const { google } = account ?? {};
  const place =
    google === undefined ? "" : `projects/${encodeURIComponent(google.project)}/locations/${encodeURIComponent(google.location)}/`;
  const publisher = encodeURIComponent(facts.publisher ?? "google");
  return `/${facts.version ?? "v1"}/${place}publishers/${publisher}/models/${encodeURIComponent(model)}:${facts.method}${googleQuery(facts)}`;
}
