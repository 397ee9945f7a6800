import type { TierName } from "../../core/policy.ts";
import type { Dialect } from "../../core/view.ts";

/** A provider that the demo policy can use. */
export interface DemoProvider {
  readonly name: string;
  readonly format: Dialect;
  readonly baseUrl: string;
  /** Environment variables that its SDKs read the key from, first choice first. */
  readonly variables: readonly string[];
  readonly models: readonly {
    /** What callers say. */
    readonly name: string;
    /** What the provider says. */
    readonly model: string;
    readonly family?: string;
    readonly tiers: readonly TierName[];
    /** The bundled list has its price. */
    readonly priced: boolean;
  }[];
}

const one = (name: string, tiers: readonly TierName[], more: { readonly family?: string; readonly priced?: boolean } = {}) => {
  const { family, priced = true } = more;
  return { name, model: name, tiers, priced, ...(family === undefined ? {} : { family }) };
};

/** Base URLs from each provider's API reference (2026); models from the bundled price list. */
export const DEMO_PROVIDERS: readonly DemoProvider[] = [
  {
    name: "openai",
    format: "openai",
    baseUrl: "https://api.openai.com/v1",
    variables: ["OPENAI_API_KEY"],
    models: [
      one("gpt-4o-mini", ["cheap", "standard"], { family: "gpt-4o" }),
      one("gpt-4o", ["high"], { family: "gpt-4o" }),
      one("gpt-5-mini", ["standard"], { family: "gpt-5" }),
      one("text-embedding-3-small", []),
    ],
  },
  {
    name: "anthropic",
    format: "anthropic",
    baseUrl: "https://api.anthropic.com",
    variables: ["ANTHROPIC_API_KEY"],
    models: [
      one("claude-haiku-4-5", ["cheap", "standard"], { family: "claude" }),
      one("claude-sonnet-4-5", ["high"], { family: "claude" }),
    ],
  },
  {
    name: "gemini",
    format: "gemini",
    baseUrl: "https://generativelanguage.googleapis.com",
    variables: ["GEMINI_API_KEY", "GOOGLE_API_KEY"],
    models: [one("gemini-2.5-flash", ["cheap", "standard"], { family: "gemini" }), one("gemini-2.5-pro", ["high"], { family: "gemini" })],
  },
  {
    name: "groq",
    format: "openai",
    baseUrl: "https://api.groq.com/openai/v1",
    variables: ["GROQ_API_KEY"],
    models: [
      one("llama-3.3-70b-versatile", ["standard"], { family: "llama" }),
      one("llama-3.1-8b-instant", ["cheap"], { family: "llama" }),
    ],
  },
  {
    name: "mistral",
    format: "openai",
    baseUrl: "https://api.mistral.ai/v1",
    variables: ["MISTRAL_API_KEY"],
    models: [
      one("mistral-small-latest", ["cheap", "standard"], { family: "mistral" }),
      one("mistral-large-latest", ["high"], { family: "mistral" }),
    ],
  },
  {
    name: "deepseek",
    format: "openai",
    baseUrl: "https://api.deepseek.com/v1",
    variables: ["DEEPSEEK_API_KEY"],
    models: [one("deepseek-chat", ["cheap", "standard"], { family: "deepseek" })],
  },
  {
    name: "xai",
    format: "openai",
    baseUrl: "https://api.x.ai/v1",
    variables: ["XAI_API_KEY"],
    models: [one("grok-3-mini", ["cheap", "standard"], { family: "grok" }), one("grok-4", ["high"], { family: "grok" })],
  },
  {
    name: "openrouter",
    format: "openai",
    baseUrl: "https://openrouter.ai/api/v1",
    variables: ["OPENROUTER_API_KEY"],
    models: [one("openai/gpt-4o-mini", ["cheap", "standard"], { priced: false })],
  },
  {
    name: "together",
    format: "openai",
    baseUrl: "https://api.together.xyz/v1",
    variables: ["TOGETHER_API_KEY"],
    models: [one("meta-llama/Llama-3.3-70B-Instruct-Turbo", ["standard"], { family: "llama" })],
  },
];
