import type { Catalog } from "../policy.ts";
import { O200K_RATES, scaled } from "./rates.ts";
import type { TextRates } from "./text.ts";

/** Tokenizers that are public, and exact. */
export type Encoding = "o200k_base" | "cl100k_base";

/**
 * What one family of models makes of a request, in tokens. Measured on recorded requests with the provider's own count (see
 * docs/estimates.md for the errors that remain); `exact` where the tokenizer is public.
 */
export interface ModelFamily {
  readonly name: string;
  readonly exact?: Encoding;
  readonly rates: TextRates;
  /** Around every conversation, around each message, and more for a system prompt. */
  readonly base: number;
  readonly turn: number;
  readonly system: number;
  /** Tools: instructions that come with any, more where Chat Completions wraps them, and tokens of a definition for each token of its JSON. */
  readonly toolsBase: number;
  readonly toolsNested: number;
  readonly toolJson: number;
  /** Added for a call of a tool and for its result. */
  readonly call: number;
  readonly result: number;
  /** An answer's schema: instructions, and tokens for each of its JSON. */
  readonly schemaBase: number;
  readonly schemaJson: number;
  /** Instructions that come with thinking, and with JSON without a schema; and around a bare prompt. */
  readonly thinking: number;
  readonly jsonMode: number;
  readonly bare: number;
  /**
   * Tokens for each character of sealed reasoning past the first `sealedSkip` of each piece (its envelope); whether that before the last
   * question still counts.
   */
  readonly sealedChar: number;
  readonly sealedSkip: number;
  readonly keepsReasoning: boolean;
  /** Output besides its text: around an answer, and for a call of a tool with its name. */
  readonly outputBase: number;
  readonly outputCall: number;
  readonly image: ImageRule;
}

/** How a provider bills a picture; see `imageTokens`. */
export type ImageRule =
  | "openai_tiles"
  | "openai_mini_tiles"
  | "openai_patches"
  | "claude"
  | "gemini"
  | "gemini_3"
  | "grok"
  | "patches_14"
  | "unknown";

/** What is usual; every family says where it differs. */
const PLAIN: ModelFamily = {
  name: "plain",
  rates: O200K_RATES,
  base: 3,
  turn: 4,
  system: 0,
  toolsBase: 0,
  toolsNested: 0,
  toolJson: 1,
  call: 8,
  result: 4,
  schemaBase: 0,
  schemaJson: 0,
  thinking: 0,
  jsonMode: 20,
  bare: 0,
  sealedChar: 0.18,
  sealedSkip: 0,
  keepsReasoning: false,
  image: "unknown",
  outputBase: 1,
  outputCall: 15,
};
const OPENAI: ModelFamily = {
  ...PLAIN,
  exact: "o200k_base",
  rates: O200K_RATES,
  toolsBase: 9,
  call: 3,
  result: 0,
  schemaBase: 4,
  schemaJson: 0.68,
  jsonMode: 0,
  sealedChar: 0.2,
  sealedSkip: 900,
  outputCall: 10,
};
const CLAUDE: ModelFamily = {
  ...PLAIN,
  rates: scaled({ latin: 1.1, scripts: 1.5 }),
  base: 3,
  turn: 4,
  system: -3,
  thinking: 29,
  jsonMode: 0,
  bare: 5,
  sealedChar: 0,
  toolsBase: 490,
  toolJson: 1.2,
  call: 30,
  result: 28,
  schemaBase: 110,
  schemaJson: 1.3,
  image: "claude",
  outputBase: 3,
  outputCall: 45,
};
const LLAMA: ModelFamily = {
  ...PLAIN,
  rates: scaled({ latin: 1.03, scripts: 1.3 }),
  base: 5,
  turn: 5,
  toolsBase: 650,
  toolJson: 1,
  image: "patches_14",
  outputCall: 25,
};
const GEMINI: ModelFamily = {
  ...PLAIN,
  rates: scaled({ latin: 1.02, scripts: 1, digitsInGroup: 1 }),
  base: 0,
  turn: 0,
  system: 1,
  jsonMode: 0,
  toolsBase: 2,
  toolJson: 0.6,
  call: 1,
  result: 1,
  sealedChar: 0.16,
  image: "gemini",
  outputBase: 0,
  outputCall: 6,
};
const MISTRAL: ModelFamily = {
  ...PLAIN,
  rates: scaled({ latin: 1.05, scripts: 1.4, digitsInGroup: 1 }),
  base: 2,
  turn: 2,
  toolsBase: 5,
  toolJson: 1,
  call: 12,
  result: 10,
  image: "patches_14",
  outputCall: 8,
};

/** The first whose pattern matches a model's name, in lower case and without its path, wins. */
const FAMILIES: readonly (readonly [RegExp, ModelFamily])[] = [
  [/gpt-oss/, { ...OPENAI, name: "gpt-oss", base: 64, outputBase: 8, outputCall: 20, turn: 4, toolsBase: 20, image: "unknown" }],
  [/gpt-4o-mini/, { ...OPENAI, name: "gpt-4o-mini", image: "openai_mini_tiles" }],
  [/gpt-4\.1-(?:mini|nano)/, { ...OPENAI, name: "gpt-4.1-mini", image: "openai_patches" }],
  [/gpt-4o|gpt-4\.1|gpt-4\.5|chatgpt-4o/, { ...OPENAI, name: "gpt-4o", image: "openai_tiles" }],
  [
    /gpt-3\.5|gpt-35|gpt-4(?:$|[-_:])|babbage|davinci|text-embedding-(?:3|ada)/,
    { ...OPENAI, name: "gpt-4", exact: "cl100k_base", image: "openai_tiles" },
  ],
  [
    /^o[1-9](?:$|-)|gpt-[5-9]|gpt-[1-9][0-9]|codex|computer-use|chatgpt/,
    { ...OPENAI, name: "gpt-5", base: 2, outputBase: 4, outputCall: 14, toolsNested: 80, call: 10, result: 6, image: "openai_patches" },
  ],
  [/claude-(?:v?[12](?:$|[.:-])|instant)/, { ...CLAUDE, name: "claude-2", base: 5 }],
  [/claude-3-opus/, { ...CLAUDE, name: "claude-3-opus" }],
  [/claude-(?:3|[a-z]+-3)/, { ...CLAUDE, name: "claude-3", toolsBase: 310 }],
  [/claude-(?:[a-z]+-)?4(?:[-.][0-6](?:$|[^0-9])|[-@]\d{8}|-[a-z]|$|[@:])/, { ...CLAUDE, name: "claude-4" }],
  [/claude/, { ...CLAUDE, name: "claude-5", rates: scaled({ latin: 1.4, scripts: 1.7, digitsInGroup: 2 }), toolsBase: 440, toolJson: 1 }],
  [/gemini-(?:[3-9]|[1-9][0-9])/, { ...GEMINI, name: "gemini-3", image: "gemini_3" }],
  [/gemini|gemma|text-embedding-00|bison/, { ...GEMINI, name: "gemini" }],
  [
    /nova-2|nova-(?:[2-9]|premier)/,
    { ...PLAIN, name: "nova-2", rates: scaled({ latin: 1.02, scripts: 1.2 }), base: 0, turn: 0, system: 18, toolsBase: 900, toolJson: 1 },
  ],
  [
    /nova/,
    { ...PLAIN, name: "nova", rates: scaled({ latin: 1.02, scripts: 1.2 }), base: 0, turn: 0, system: 18, toolsBase: 390, toolJson: 1 },
  ],
  [/titan/, { ...PLAIN, name: "titan", rates: scaled({ latin: 1.02, scripts: 1.3 }), base: 6, turn: 4 }],
  [/embed-/, { ...PLAIN, name: "embed", rates: scaled({ latin: 0.97, scripts: 1.3 }) }],
  [
    /command-a-reasoning/,
    {
      ...PLAIN,
      name: "command-a-reasoning",
      outputBase: 3,
      rates: scaled({ latin: 1.05, scripts: 1.2 }),
      base: 1760,
      toolsBase: 200,
      keepsReasoning: true,
    },
  ],
  [
    /command-a-plus/,
    { ...PLAIN, name: "command-a-plus", outputBase: 3, rates: scaled({ latin: 1.05, scripts: 1.2 }), base: 120, toolsBase: 100 },
  ],
  [
    /command-a/,
    {
      ...PLAIN,
      name: "command-a",
      outputBase: 3,
      rates: scaled({ latin: 1.05, scripts: 1.2 }),
      base: 490,
      toolsBase: 1000,
      call: 30,
      result: 20,
    },
  ],
  [
    /command-r.*-(?:0[0-9]|1[0-2])-202[4-9]/,
    { ...PLAIN, name: "command-r-dated", outputBase: 3, rates: scaled({ latin: 1.05, scripts: 1.2 }), base: 195, toolsBase: 500 },
  ],
  [
    /command|rerank|aya|c4ai/,
    { ...PLAIN, name: "command", outputBase: 3, rates: scaled({ latin: 1.05, scripts: 1.3 }), base: 62, toolsBase: 500 },
  ],
  [
    /grok-(?:[5-9]|4\.[2-9])/,
    {
      ...PLAIN,
      name: "grok-4.3",
      outputBase: 0,
      rates: scaled({ latin: 1.02, scripts: 1.2 }),
      base: 188,
      toolsBase: 60,
      toolJson: 1,
      keepsReasoning: true,
      image: "grok",
    },
  ],
  [
    /grok/,
    {
      ...PLAIN,
      name: "grok",
      outputBase: 0,
      rates: scaled({ latin: 1.02, scripts: 1.2 }),
      base: 138,
      toolsBase: 4,
      toolJson: 1,
      call: 6,
      result: 6,
      keepsReasoning: true,
      image: "grok",
    },
  ],
  [/ministral|mistral-small|codestral|devstral/, { ...MISTRAL, name: "mistral-small", base: 13 }],
  [/mi[sx]tral|magistral|pixtral|voxtral/, { ...MISTRAL, name: "mistral" }],
  [
    /deepseek/,
    {
      ...PLAIN,
      name: "deepseek",
      outputBase: 0,
      outputCall: 38,
      rates: scaled({ latin: 1.03, scripts: 1 }),
      base: 1.5,
      turn: 1.5,
      toolsBase: 240,
      toolJson: 1,
      schemaBase: 20,
    },
  ],
  [/llama/, { ...LLAMA, name: "llama" }],
  [/kimi|moonshot/, { ...PLAIN, name: "kimi", rates: scaled({ latin: 1.03, scripts: 0.9 }), base: 4, turn: 4, toolsBase: 12, toolJson: 1 }],
  [
    /qwen|qwq|glm|minimax|yi-/,
    {
      ...PLAIN,
      name: "qwen",
      rates: scaled({ latin: 1.03, scripts: 0.9, digitsInGroup: 1 }),
      base: 4,
      turn: 5,
      toolsBase: 130,
      toolJson: 1,
    },
  ],
];

/** Nobody knows: a little more than the known ones. */
const UNKNOWN: ModelFamily = {
  ...PLAIN,
  name: "unknown",
  rates: scaled({ latin: 1.15, scripts: 1.5, digitsInGroup: 1 }),
  base: 10,
  turn: 5,
  toolsBase: 300,
  toolJson: 1.2,
};

/** The family of the first name that tells one: as the answer says, as the provider calls the model, as the caller does. */
export function familyOfAny(names: readonly (string | undefined)[]): ModelFamily {
  for (const name of names) {
    const family = name === undefined ? UNKNOWN : familyOf(name);
    if (family !== UNKNOWN) return family;
  }
  return UNKNOWN;
}

/** Public tokenizers of the models that a policy names. */
export function encodingsOf({ models }: Catalog): ReadonlySet<Encoding> {
  const encodings = new Set<Encoding>();
  for (const { name, targets } of models.values())
    for (const { model } of targets) {
      const { exact } = familyOfAny([model, name]);
      if (exact !== undefined) encodings.add(exact);
    }
  return encodings;
}

/** The family of a model, by its name at the provider or the caller's (`us.anthropic.claude-haiku-4-5-20251001-v1:0`). */
export function familyOf(model: string): ModelFamily {
  const name = model.slice(0, 256).toLowerCase();
  // The maker's path (`openai/`, `models/`) and Bedrock's prefix say nothing that the name does not.
  const last = name.slice(name.lastIndexOf("/") + 1);
  const plain = last
    .replace(/^(?:us|eu|apac|global|jp|au)\./, "")
    .replace(/^(?:anthropic|amazon|cohere|meta|mistral|openai|ai21|deepseek|moonshot|qwen)\./, "");
  for (const [pattern, family] of FAMILIES) if (pattern.test(plain)) return family;
  return UNKNOWN;
}
