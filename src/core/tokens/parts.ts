import type { JsonNode } from "../json.ts";

/** A picture, sound or file of a request, as far as its bytes there tell. */
export interface MediaPart {
  readonly kind: "image" | "audio" | "video" | "file";
  /** Bytes of its content; undefined where the request only points at it. */
  readonly bytes: number | undefined;
  /** Pixels, of an image whose header could be read. */
  readonly width?: number;
  readonly height?: number;
  /** What the caller asked for, in the API's own words (`low`, `high`, `auto`). */
  readonly detail?: string;
}

/** Characters of ciphertext, and how many pieces they are. */
export interface Sealed {
  readonly chars: number;
  readonly pieces: number;
}

/** What of a request a provider makes its prompt of. Every dialect's words are gone. */
export interface InputParts {
  /** Messages (turns) of the conversation, a system prompt not counted. */
  readonly turns: number;
  /** Whether a system prompt stands beside or among them. */
  readonly system: boolean;
  /** Texts that the model reads: prompts, messages, results of tools, names; without reasoning that is sent back. */
  readonly texts: readonly string[];
  /** Reasoning of earlier answers since the caller's last question; most providers drop what is older. */
  readonly reasoning: readonly string[];
  /** Reasoning that only the provider can read, all of it, and what of it stands after the last question. */
  readonly sealed: Sealed;
  readonly sealedOpen: Sealed;
  /** A bare prompt (completions, embeddings): no format of messages around it. */
  readonly bare: boolean;
  /** Thinking is asked for, and JSON without a schema. */
  readonly thinking: boolean;
  readonly jsonMode: boolean;
  /** Calls of tools, and results, in the conversation; the arguments of a call are texts. */
  readonly calls: number;
  readonly results: number;
  /** Definitions of tools. */
  readonly tools: readonly JsonNode[];
  /** The definitions are nested under `function`, as Chat Completions has them. */
  readonly nestedTools: boolean;
  /** Tools that run at the provider, by their types: each brings instructions of its own, which no one else can count. */
  readonly hostedTools: number;
  /** The schema that the answer must follow. */
  readonly schema: JsonNode | undefined;
  readonly media: readonly MediaPart[];
  /** Tokens that the request holds as numbers already (completions, embeddings). */
  readonly tokens: number;
}
