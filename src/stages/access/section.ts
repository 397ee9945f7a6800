import { z } from "zod";

/** An exact name, or a prefix that ends in `*`; see core/patterns.ts. */
const pattern = z
  .string()
  .regex(
    /^(?:[^\s*]{1,128}\*?|\*)$/,
    'must be a name, a prefix that ends in * or "*" alone -> write the exact name, a prefix such as gpt-4o*, or "*" for all',
  );
const patterns = z.array(pattern).max(1000);

/**
 * The `access` section: allow-lists. What is not named is not allowed; a use case that names no model, tier and family
 * can call none. `list` shows only what the caller may use.
 */
export const accessSection = z
  .strictObject({
    operations: z
      .array(z.enum(["chat", "embed", "image", "audio", "list"]))
      .default(() => ["chat" as const, "embed" as const, "list" as const])
      .describe("Kinds of work that may be asked for; image and audio must be named."),
    models: patterns.default(() => []).describe('Models of the policy that may be asked for by name; `gpt-4o*` and "*" are understood.'),
    tiers: z
      .array(z.enum(["high", "standard", "cheap"]))
      .default(() => [])
      .describe("Tiers that may be asked for; each brings its models and parameters."),
    families: patterns.default(() => []).describe("Model families whose members may be asked for, by family or by name."),
    tools: z
      .strictObject({
        allow: patterns.default(() => []).describe('Tools that requests may offer or force, by name; `search_*` and "*" are understood.'),
        deny: patterns
          .default(() => [])
          .describe("Tools that are refused. The most specific match of both lists decides, deny on a tie; no match is a refusal."),
      })
      .default(() => ({ allow: [], deny: [] }))
      .describe("Tools by name: functions by their own name, the provider's tools by their type (web_search)."),
    inputBytesMax: z.int().min(1).optional().describe("Largest request body, bytes."),
    inputTokensMax: z
      .int()
      .min(1)
      .optional()
      .describe(
        "Largest input, tokens, measured by a bound that is cheap and never too low: the UTF-8 bytes of all texts (no tokenizer makes more tokens than bytes). English has about four bytes a token, so set it four times as high as the tokens you mean.",
      ),
    providerState: z
      .enum(["own", "deny", "allow"])
      .default("own")
      .describe(
        "State kept at the provider (previous responses, conversations, files, vector stores, containers, cached content). own: answers may be kept, and references are allowed to what the same tenant and app made through this gateway. deny: neither (the Responses API keeps answers unless a call says store: false). allow: any reference; only where one tenant owns the provider account.",
      ),
  })
  .describe("Who may use what: operations, models, tiers, families, tools, sizes.");

export type AccessSection = z.infer<typeof accessSection>;
