import type { RemoteSettings } from "./remote.ts";

/**
 * How a classifier is asked. `moderation`: OpenAI's `POST /v1/moderations`. `judge`: a model with a fixed instruction, over OpenAI's
 * `POST /v1/chat/completions`. The others serve text-classification models: Hugging Face's pipelines and endpoints, Text Embeddings
 * Inference's `POST /predict`, vLLM's (and SGLang's) `POST /classify`.
 */
export type ClassifierKind = "moderation" | "judge" | "huggingface" | "tei" | "vllm";

export interface ClassifierSettings extends RemoteSettings {
  readonly kind: ClassifierKind;
  /** The model's name, for the kinds that want one. */
  readonly model: string | undefined;
  /** Labels (categories) that are attacks; undefined: all but the usual names of harmless ones. */
  readonly attacks: ReadonlySet<string> | undefined;
  /** Longest text of one question, UTF-16 units; a longer one goes in pieces, and the worst of them counts. */
  readonly pieceChars: number;
}
