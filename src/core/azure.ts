import type { Provider } from "./policy.ts";

/** What belongs to a deployment in Azure's dated API; everything else stands beside the deployments. */
export const DEPLOYMENT_TAILS: ReadonlySet<string> = new Set([
  "/chat/completions",
  "/completions",
  "/embeddings",
  "/images/generations",
  "/images/edits",
  "/images/variations",
  "/audio/speech",
  "/audio/transcriptions",
  "/audio/translations",
]);

/**
 * One of OpenAI's paths (below the version, query included) as an Azure OpenAI resource has it.
 * Source: Azure OpenAI REST reference and API lifecycle, read 2026-11.
 */
export function azurePath(azure: Provider["azure"], path: string, deployment: string): string {
  if (azure === undefined) return path;
  const mark = path.indexOf("?");
  const tail = mark < 0 ? path : path.slice(0, mark);
  const placed = azure.api === "deployments" && DEPLOYMENT_TAILS.has(tail) ? `/deployments/${encodeURIComponent(deployment)}${path}` : path;
  if (azure.apiVersion === undefined) return placed;
  return `${placed}${mark < 0 ? "?" : "&"}api-version=${azure.apiVersion}`;
}
