import { openaiStyle } from "./openai-style.ts";
import { JSON_TYPE, NO_ASK, type Opened, type Surface } from "./surface.ts";
import { hashText, inputTokensOf, nextHash } from "./text.ts";
import { isObject, listOf, textOf, wholeOf } from "./values.ts";

/** Length of `text-embedding-3-small`'s vectors, the default. */
const DIMENSIONS = 1536;

/** A unit vector that follows from the text alone. */
function vectorOf(text: string, dimensions: number): Float32Array {
  const vector = new Float32Array(dimensions);
  let state = hashText(text, 7);
  let sum = 0;
  for (let i = 0; i < dimensions; i += 1) {
    state = nextHash(state);
    const value = state / 2 ** 31 - 1;
    vector[i] = value;
    sum += value * value;
  }
  const length = Math.sqrt(sum) || 1;
  return vector.map((value) => value / length);
}

/** The inputs: one text, texts, one list of token ids, or lists of them (each counts a token an id). */
function readInputs(raw: unknown): { readonly texts: string[]; readonly tokens: number } | undefined {
  if (typeof raw === "string") return { texts: [raw], tokens: inputTokensOf(Buffer.byteLength(raw)) };
  const items = listOf(raw);
  if (items.length === 0 || items.length > 2048) return undefined;
  if (items.every((item) => typeof item === "number")) return { texts: [items.join(" ")], tokens: items.length };
  const texts = items.map((item) => (typeof item === "string" ? item : listOf(item).join(" ")));
  const tokens = items.reduce<number>(
    (sum, item) => sum + (typeof item === "string" ? inputTokensOf(Buffer.byteLength(item)) : listOf(item).length),
    0,
  );
  return { texts, tokens };
}

/** POST …/embeddings. */
export const openaiEmbeddings: Surface = {
  name: "openai.embeddings",
  style: openaiStyle,
  match: (arrival) => arrival.method === "POST" && arrival.path.endsWith("/embeddings"),
  open(body): Opened | string {
    if (!isObject(body)) return "We could not parse the JSON body of your request.";
    const model = textOf(body["model"]);
    if (model === undefined || model === "") return "you must provide a model parameter";
    const inputs = readInputs(body["input"]);
    if (inputs === undefined)
      return "'$.input' is invalid. Please check the API reference: https://platform.openai.com/docs/api-reference.";
    const dimensions = wholeOf(body["dimensions"], { min: 1, max: 8192 }) ?? DIMENSIONS;
    const encode = (vector: Float32Array): unknown =>
      body["encoding_format"] === "base64"
        ? Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength).toString("base64")
        : [...vector];
    return {
      ask: { ...NO_ASK, model, texts: inputs.texts },
      contentType: JSON_TYPE,
      unary() {
        const data = inputs.texts.map((text, index) => ({ object: "embedding", index, embedding: encode(vectorOf(text, dimensions)) }));
        return `${JSON.stringify({ object: "list", data, model, usage: { prompt_tokens: inputs.tokens, total_tokens: inputs.tokens } }, null, 2)}\n`;
      },
    };
  },
};

const MODELS = ["gpt-4o", "gpt-4o-mini", "gpt-4.1-mini", "o4-mini", "text-embedding-3-small"];
const modelRow = (id: string): object => ({ id, object: "model", created: 1_715_367_049, owned_by: "simulator" });

/** GET …/models and …/models/{id}. Any id exists, as any model answers. */
export const openaiModels: Surface = {
  name: "openai.models",
  style: openaiStyle,
  match: (arrival) => arrival.method === "GET" && /\/models(?:\/[^:]+)?$/.test(arrival.path),
  open(_body, arrival): Opened {
    const id = /\/models\/([^:]+)$/.exec(arrival.path)?.[1];
    const body = id === undefined ? { object: "list", data: MODELS.map(modelRow) } : modelRow(decodeURIComponent(id));
    return { ask: NO_ASK, contentType: JSON_TYPE, unary: () => `${JSON.stringify(body, null, 2)}\n` };
  },
};
