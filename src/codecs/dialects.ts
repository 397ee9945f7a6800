import type { DialectSpec } from "../core/codec.ts";
import type { Dialect } from "../core/view.ts";
import { anthropicDialect } from "./anthropic-dialect.ts";
import { bedrockDialect } from "./bedrock-dialect.ts";
import { cohereDialect } from "./cohere-dialect.ts";
import { geminiDialect } from "./gemini-dialect.ts";
import { openaiDialect } from "./openai-dialect.ts";
import { vertexDialect } from "./vertex-dialect.ts";

/** Every dialect that callers speak. */
export const DIALECTS: Readonly<Record<Dialect, DialectSpec>> = {
  openai: openaiDialect,
  anthropic: anthropicDialect,
  gemini: geminiDialect,
  cohere: cohereDialect,
  bedrock: bedrockDialect,
  vertex: vertexDialect,
};
