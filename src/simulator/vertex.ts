import { anthropicCountTokens, anthropicMessages } from "./anthropic.ts";
import { geminiStyle } from "./gemini.ts";
import { JSON_TYPE, NO_ASK, type Opened, type Surface } from "./surface.ts";
import { inputTokensOf } from "./text.ts";
import { isObject, listOf, objectOf, textOf } from "./values.ts";

const PATH =
  /\/v1(?:beta1)?\/(?:projects\/[^/]+\/locations\/[^/]+\/)?publishers\/([^/]+)\/models\/([^/]+):(rawPredict|streamRawPredict|predict)$/;

/** POST …/publishers/anthropic/models/{model}:rawPredict and :streamRawPredict, and …/publishers/google/models/{model}:predict. */
export const vertexModels: Surface = {
  name: "vertex.models",
  style: geminiStyle,
  match: (arrival) => arrival.method === "POST" && PATH.test(arrival.path),
  open(body, arrival, ...more): Opened | string {
    const [, publisher = "", encoded = "", method = ""] = PATH.exec(arrival.path) ?? [];
    if (!isObject(body)) return "Invalid JSON payload received. Unexpected token.";
    if (method === "predict") {
      const texts = listOf(body["instances"]).flatMap((instance) => textOf(objectOf(instance)["content"]) ?? []);
      if (texts.length === 0) return "No instances were given.";
      const predictions = texts.map((text) => ({
        embeddings: {
          values: [text.length / 1000, 0.5, -0.25],
          statistics: { truncated: false, token_count: inputTokensOf(Buffer.byteLength(text)) },
        },
      }));
      const metadata = { billableCharacterCount: texts.reduce((sum, text) => sum + text.length, 0) };
      return { ask: { ...NO_ASK, texts }, contentType: JSON_TYPE, unary: () => `${JSON.stringify({ predictions, metadata }, null, 2)}\n` };
    }
    if (publisher !== "anthropic") return "The publisher model is not supported.";
    if (encoded === "count-tokens") return anthropicCountTokens.open(body, arrival, ...more);
    // There the model stands in the path, and in a body it is refused.
    if (body["model"] !== undefined) return "model: Extra inputs are not permitted";
    if (textOf(body["anthropic_version"]) === undefined) return "anthropic_version: Field required";
    return anthropicMessages.open({ ...body, model: decodeURIComponent(encoded) }, arrival, ...more);
  },
};
