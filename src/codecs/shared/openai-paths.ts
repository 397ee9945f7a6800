import { DEPLOYMENT_TAILS } from "../../core/azure.ts";
import type { PathFacts, RequestTarget } from "../../core/codec.ts";
import { ok, type Result } from "../../core/result.ts";
import type { RequestView } from "../../core/view.ts";

const DEPLOYMENT = /^\/openai\/deployments\/([^/]{1,384})(\/.+)$/;

/**
 * What one of OpenAI's paths says, in OpenAI's spelling (`/v1/…`) or in Azure's: `/openai/v1/…`, `/openai/deployments/{name}/…`
 * where the name stands for the model, and `/openai/…` for what belongs to no deployment. Azure's `api-version` is the
 * provider's own: the policy says which one its account speaks.
 * Source: Azure OpenAI REST reference and `AzureOpenAI` of the `openai` package 7.57, read 2026-11.
 */
export function openAiPath({ method, path }: RequestTarget, wanted: string, tail: string): PathFacts | undefined {
  if (method !== wanted) return undefined;
  if (path === `/v1${tail}` || path === `/openai/v1${tail}`) return {};
  if (!DEPLOYMENT_TAILS.has(tail)) return path === `/openai${tail}` ? {} : undefined;
  const [, name, rest] = DEPLOYMENT.exec(path) ?? [];
  if (name === undefined || rest !== tail) return undefined;
  const model = decoded(name);
  return model === undefined || model === "" ? undefined : { model };
}

/** The view with the path's model where the body names none. */
export function withPathModel<E>(view: Result<RequestView, E>, facts: PathFacts): Result<RequestView, E> {
  if (!view.ok || facts.model === undefined || view.value.model !== undefined) return view;
  return ok({ ...view.value, model: facts.model });
}

/** Ids of things that OpenAI keeps: letters, digits, `_` and `-`, so that nothing in them can steer a path. */
const ID = "([A-Za-z0-9_-]{1,256})";

/** A path about one stored thing: `thingPath("/responses", "/cancel")` matches `/v1/responses/{id}/cancel` in every spelling. */
export function thingPath(collection: string, rest: string): (target: RequestTarget, method: string) => PathFacts | undefined {
  const pattern = new RegExp(`^(?:/v1|/openai/v1|/openai)${collection}/${ID}${rest}$`);
  return ({ method, path }, wanted) => {
    const id = method === wanted ? pattern.exec(path)?.[1] : undefined;
    return id === undefined ? undefined : { id };
  };
}

/** The query's known parameters, written anew: keys and what else a caller may put there stay behind. */
export function keptQuery(query: URLSearchParams, names: readonly string[]): string | undefined {
  const kept = new URLSearchParams();
  for (const [name, value] of query) {
    const isList = name.endsWith("[]");
    // Of a repeated name the first counts, here and at the provider.
    if (names.includes(isList ? name.slice(0, -2) : name) && (isList || !kept.has(name))) kept.append(name, value);
  }
  const text = kept.toString();
  return text === "" ? undefined : text;
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
