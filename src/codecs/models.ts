/**
 * The models that a caller may use, listed by Sluice itself, in the shape of the caller's dialect.
 * Sources: `Model` of the `openai` package 7.57; `ModelInfo` and its page of `@anthropic-ai/sdk` 1.12; `Model` and
 * `ListModelsResponse` of `@google/genai` 3.1, read 2026-11.
 */
import type { Codec, HeaderView, ListedModel, PathFacts, RequestTarget } from "../core/codec.ts";
import type { Json } from "../core/json.ts";
import type { Dialect } from "../core/view.ts";

/** Anthropic's SDKs always send this header; no other does. The dialects share their paths. */
const isAnthropic = (headers: HeaderView): boolean => headers.get("anthropic-version") !== undefined;
/** Google's SDKs put their key here, and ask for `/v1` as often as for `/v1beta`. */
const isGoogle = (headers: HeaderView, target: RequestTarget): boolean =>
  headers.get("x-goog-api-key") !== undefined || target.query.has("key");

export const openaiModels = listCodec({
  dialect: "openai",
  paths: ["/v1/models", "/openai/v1/models", "/openai/models"],
  applies: (headers, target) => !isAnthropic(headers) && !isGoogle(headers, target),
  one: (model) => ({ id: model.id, object: "model", created: model.createdUnixS, owned_by: model.ownedBy }),
  all: (data) => ({ object: "list", data }),
});

export const anthropicModels = listCodec({
  dialect: "anthropic",
  paths: ["/v1/models"],
  applies: isAnthropic,
  one: (model) => ({
    type: "model",
    id: model.id,
    display_name: model.id,
    created_at: new Date(model.createdUnixS * 1000).toISOString().replace(".000Z", "Z"),
  }),
  all: (data, models) => ({ data, has_more: false, first_id: models[0]?.id ?? null, last_id: models.at(-1)?.id ?? null }),
});

export const geminiModels = listCodec({
  dialect: "gemini",
  paths: ["/v1beta/models", "/v1/models"],
  applies: (headers, target) => target.path.startsWith("/v1beta/") || (!isAnthropic(headers) && isGoogle(headers, target)),
  one: (model) => ({
    name: `models/${model.id}`,
    displayName: model.id,
    supportedGenerationMethods: ["generateContent", "streamGenerateContent"],
  }),
  all: (models) => ({ models }),
});

interface ListShape {
  readonly dialect: Dialect;
  /** The usual one first. */
  readonly paths: readonly [string, ...string[]];
  applies(headers: HeaderView, target: RequestTarget): boolean;
  one(model: ListedModel): Json;
  all(shown: readonly Json[], models: readonly ListedModel[]): Json;
}

function listCodec(shape: ListShape): Codec {
  return {
    surface: `${shape.dialect}.models`,
    dialect: shape.dialect,
    operation: "list",
    title: `GET ${shape.paths[0]}[/{id}]`,
    treatment: "inspected",
    match(target: RequestTarget, headers: HeaderView): PathFacts | undefined {
      const { method, path } = target;
      if (method !== "GET" || !shape.applies(headers, target)) return undefined;
      if (shape.paths.includes(path)) return {};
      const folder = shape.paths.find((known) => path.startsWith(`${known}/`));
      if (folder === undefined) return undefined;
      const id = decoded(path.slice(folder.length + 1));
      return id === undefined || id === "" ? undefined : { id };
    },
    answerList(models: readonly ListedModel[], facts: PathFacts): Json | undefined {
      if (facts.id === undefined) return shape.all(models.map(shape.one), models);
      const found = models.find(({ id }) => id === facts.id);
      return found === undefined ? undefined : shape.one(found);
    },
  };
}

/** A path's rest, percent-decoded; ids may hold slashes (`meta-llama/llama-4`). undefined when it is not well formed. */
function decoded(path: string): string | undefined {
  try {
    return decodeURIComponent(path);
  } catch {
    return undefined;
  }
}
