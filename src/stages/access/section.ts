import { z } from "zod";
import { hostRule } from "../shared/hosts.ts";
import { boundsSchema } from "../shared/json-schema.ts";

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
        approve: patterns
          .default(() => [])
          .describe("Tools that may be offered, and whose calls wait until people approve them: approval_required, with an id."),
        deny: patterns
          .default(() => [])
          .describe(
            "Tools that are refused. The most specific match of all lists decides; on a tie deny before approve before allow; no match is a refusal.",
          ),
        onDenied: z
          .enum(["refuse", "remove"])
          .default("refuse")
          .describe(
            "A request that offers a tool which is not allowed: refuse it, or take the tool out of the offer. What becomes of a call: onDeniedCall.",
          ),
        onDeniedCall: z
          .enum(["refuse", "remove"])
          .default("refuse")
          .describe(
            "A call of the model that is not allowed, by its name or its arguments. refuse: an error. remove: the answer goes on without it; where it cannot, it ends before it, well formed, as filtered ones do.",
          ),
        arguments: z
          .array(
            z.strictObject({
              tool: pattern.describe("Whose calls: a name, or a prefix that ends in *."),
              schema: boundsSchema.describe("What the arguments must satisfy, a JSON Schema; a bound says the type of what it bounds."),
              otherwise: z.enum(["deny", "approve"]).default("deny").describe("What becomes of a call whose arguments do not."),
            }),
          )
          .max(100)
          .default(() => [])
          .describe("Constraints on the arguments of calls; every one that names the tool must hold."),
        servers: z
          .strictObject({
            allow: z.array(hostRule).max(1000).describe("Hosts that remote tool servers may be on; *.example.com has those below it."),
          })
          .optional()
          .describe(
            "Where remote tool servers (MCP) that a request names by address may be; one elsewhere is as a tool that is not allowed. Absent: anywhere. The lists know a server by its label, which is the caller's own word for it.",
          ),
        approvals: z
          .strictObject({
            approvers: z
              .union([z.literal(1), z.literal(2)])
              .default(1)
              .describe("How many different people must approve; never the user for whom the call is made."),
            expiresMinutes: z
              .int()
              .min(1)
              .max(7 * 24 * 60)
              .default(60)
              .describe("How long a call waits for them, and how long the grant then holds, minutes."),
          })
          .prefault({})
          .describe("How calls are approved."),
        untrusted: z
          .strictObject({
            tools: patterns
              .default(() => [])
              .describe(
                "Tools whose results are untrusted content, by name: web_*, mcp_*. A result of a tool that is not told counts too.",
              ),
            exceptTools: patterns
              .default(() => [])
              .describe(
                'Tools whose results are vouched for all the same; the more specific of the two lists decides. With tools: ["*"] an allow-list.',
              ),
            sources: z
              .strictObject({
                allow: z.array(hostRule).max(1000).describe("Hosts that are vouched for; *.example.com has those below it."),
              })
              .optional()
              .describe(
                "Where files, images, documents, search results and remote tool servers that a request names by address may be: one elsewhere is untrusted content.",
              ),
            channels: z
              .array(z.string().min(1).max(128))
              .max(100)
              .default(() => [])
              .describe("Values of x-ai-channel whose calls bring untrusted content: email, web."),
          })
          .prefault({})
          .describe(
            "What taints an exchange, beside x-ai-untrusted: true and what the injection rules find; and its conversation (x-ai-conversation) for a day.",
          ),
        whenTainted: z
          .strictObject({
            approve: patterns.default(() => []).describe("Tools whose calls then wait for approval."),
            deny: patterns.default(() => []).describe("Tools that are then neither offered nor called."),
          })
          .prefault({})
          .describe("High-risk tools of tainted exchanges."),
      })
      .prefault({})
      .describe("Tools by name: functions by their own name, the provider's tools by their type (web_search)."),
    inputBytesMax: z.int().min(1).optional().describe("Largest request body, bytes."),
    inputTokensMax: z
      .int()
      .min(1)
      .optional()
      .describe(
        "Largest input, tokens of the model that is asked for: messages, tools and media as its provider bills them. Counted exactly where the tokenizer is public (OpenAI), else estimated a little high; docs/estimates.md has the errors. A request whose UTF-8 bytes are within the limit is not counted.",
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
