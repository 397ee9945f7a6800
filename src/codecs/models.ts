/**
 * The models that a caller may use, listed by Sluice itself, in the shape of the caller's dialect.
 * Sources: `Model` of the `openai` package 7.57; `ModelInfo` and its page of `@anthropic-ai/sdk` 1.12; `Model` and
 * `ListModelsResponse` of `@google/genai` 3.1, read 2026-11.
 */
import type { Codec, HeaderView, ListedModel, PathFacts, RequestTarget } from "../core/codec.ts";
import type { Json } from "../core/json.ts";
import type { Dialect } from "../core/view.ts";

/** Anthropic's SDKs always send this header; no other does. The two dialects share their paths. */
const isAnthropic = (headers: HeaderView): boolean => headers.get("anthropic-version") !== undefined;

export const openaiModels = listCodec({
  dialect: "openai",
  path: "/v1/models",
  applies: (headers) => !isAnthropic(headers),
  one: (model) => ({ id: model.id, object: "model", created: model.createdUnixS, owned_by: model.ownedBy }),
  all: (data) => ({ object: "list", data }),
});

export const anthropicModels = listCodec({
  dialect: "anthropic",
  path: "/v1/models",
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
  path: "/v1beta/models",
  applies: () => true,
  one: (model) => ({
    name: `models/${model.id}`,
    displayName: model.id,
    supportedGenerationMethods: ["generateContent", "streamGenerateContent"],
  }),
  all: (models) => ({ models }),
});

interface ListShape {
  readonly dialect: Dialect;
  readonly path: string;
  applies(headers: HeaderView): boolean;
  one(model: ListedModel): Json;
  all(shown: readonly Json[], models: readonly ListedModel[]): Json;
}

function listCodec(shape: ListShape): Codec {
  return {
    surface: `${shape.dialect}.models`,
    dialect: shape.dialect,
    operation: "list",
    title: `GET ${shape.path}[/{id}]`,
    treatment: "inspected",
    match({ method, path }: RequestTarget, headers: HeaderView): PathFacts | undefined {
      if (method !== "GET" || !shape.applies(headers)) return undefined;
      if (path === shape.path) return {};
      if (!path.startsWith(`${shape.path}/`)) return undefined;
      const id = decoded(path.slice(shape.path.length + 1));
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
