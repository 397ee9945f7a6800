/**
 * Names of OpenTelemetry's GenAI semantic conventions (opentelemetry.io/docs/specs/semconv/gen-ai, development status, read
 * 2026-11; attribute and metric names of @opentelemetry/semantic-conventions 1.45).
 */

/** `gen_ai.operation.name` by the operation of the surface; undefined for calls that ask nothing of a model (lists, token counts). */
export function genAiOperation(surface: string | undefined, operation: string | undefined): string | undefined {
  switch (operation) {
    case "chat":
      if (surface?.startsWith("gemini.") === true) return "generate_content";
      return surface === "openai.completions" ? "text_completion" : "chat";
    case "embed":
      return "embeddings";
    case "image":
    case "audio":
      return operation;
    default:
      return undefined;
  }
}

const PROVIDERS: Readonly<Record<string, string>> = {
  gemini: "gcp.gemini",
  vertex: "gcp.vertex_ai",
  azure: "azure.ai.openai",
  bedrock: "aws.bedrock",
};

/** `gen_ai.provider.name` by the format that the provider's account speaks: the first part of a surface's name. */
export function genAiProvider(surface: string | undefined): string | undefined {
  const format = surface?.split(".", 1)[0];
  return format === undefined ? undefined : (PROVIDERS[format] ?? format);
}
