import { isIP } from "node:net";
import { z } from "zod";
import { BODY_BYTES_MAX, IN_FLIGHT_BYTES_MAX } from "../core/limits.ts";
import type { StageDefinition } from "../core/stage.ts";
import { isTimeZone } from "../core/windows.ts";
import { accountLimits } from "../stages/shared/account-limits.ts";
import { approvalsSection } from "./approvers.ts";
import { keyFacts } from "./credentials/api-key.ts";
import { CREDENTIAL_ID } from "./credentials/facts.ts";
import { CREDENTIAL_KINDS } from "./credentials/index.ts";
import { price } from "./prices/schema.ts";
import { analysersSection, classifierSection } from "./remotes.ts";

/**
 * The policy document. Two readings of one set of shapes: `documentSchema(stages)` is strict, knows every stage's section
 * and is what a document must satisfy; `documentTypes` reads the parts that belong to no stage, typed and with defaults.
 * In error texts, what follows " -> " is the remedy.
 */

/** Names of tenants, apps and use cases; they make up `tenant/app/use-case`. */
export const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
/** Names of providers: no dot, so that the cluster `p.<provider>.<tenant>` can only be read one way. */
export const PROVIDER_NAME = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;
/** Names of models as callers spell them. `:` is free inside, but `tier:` and `family:` are taken. */
export const MODEL_NAME = /^(?!tier:|family:)[A-Za-z0-9][A-Za-z0-9._:@/-]{0,127}$/;

const description = z.string().max(2000).optional().describe("For the reader; changes nothing.");
/** 24 days: the longest wait of a Node timer. */
const milliseconds = z.int().min(1).max(2_147_483_647);
const named = <T extends z.ZodType>(value: T, pattern: RegExp) =>
  z.record(z.string(), value).meta({ propertyNames: { pattern: pattern.source } });
/** Where Envoy finds a secret; Sluice never reads it. */
const secret = z
  .strictObject({
    env: z
      .string()
      .regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/, "must be the name of an environment variable -> write its name, never the secret itself")
      .optional()
      .describe("Environment variable that holds the secret."),
    file: z.string().min(1).max(4096).optional().describe("File that holds the secret; a relative path starts at the policy's folder."),
  })
  .refine(
    (value) => (value.env === undefined) !== (value.file === undefined),
    "must have either env or file -> write { env: NAME } or { file: PATH }",
  )
  .describe("Where Envoy finds the secret: an environment variable or a file. Never the secret itself.");

const place = z.string().min(1).max(64);
const provider = z.strictObject({
  description,
  format: z
    .enum(["openai", "anthropic", "gemini", "cohere", "bedrock", "vertex"])
    .describe("Whose API it speaks. OpenAI-compatible providers are openai; bedrock is Amazon Bedrock, vertex Google Vertex AI."),
  baseUrl: z
    .string()
    .min(1)
    .max(2048)
    .describe(
      "Up to the version: https://api.openai.com/v1, https://api.anthropic.com, https://generativelanguage.googleapis.com, https://bedrock-runtime.us-east-1.amazonaws.com.",
    ),
  credential: secret
    .optional()
    .describe("Its API key. bedrock and vertex need none: Envoy signs with its AWS credentials, or fetches the machine's Google token."),
  aws: z
    .strictObject({
      region: z
        .string()
        .regex(/^[a-z]{2}(?:-[a-z]+)+-\d{1,2}$/, "must be an AWS region -> write for example us-east-1")
        .describe("Region that requests are signed for."),
    })
    .optional()
    .describe("Format bedrock; the host's region where absent."),
  google: z
    .strictObject({
      project: z.string().regex(/^[a-z0-9][a-z0-9:.-]{0,62}$/, "must be a project id -> use lower-case letters, digits and -"),
      location: z.string().regex(/^[a-z][a-z0-9-]{0,31}$/, "must be a location -> write for example us-central1 or global"),
    })
    .optional()
    .describe("Format vertex: project and location of every call, whatever the caller's path says."),
  azure: z
    .strictObject({
      api: z
        .enum(["v1", "deployments"])
        .default("v1")
        .describe(
          "v1: paths as OpenAI has them, below a baseUrl that ends in /openai/v1. deployments: Azure's dated API, below a baseUrl that ends in /openai; the target's model is the deployment's name.",
        ),
      apiVersion: z
        .string()
        .regex(/^[A-Za-z0-9.-]{1,40}$/, "must be an API version -> write for example 2024-10-21")
        .optional()
        .describe("Sent as ?api-version=; deployments need one (2024-10-21 or later reports the usage of streams)."),
    })
    .refine(
      (value) => value.api === "v1" || value.apiVersion !== undefined,
      "api: deployments needs a version -> write apiVersion: 2024-10-21",
    )
    .optional()
    .describe("Format openai: an Azure OpenAI resource. Its key goes in `api-key`."),
  regions: z.array(place).max(64).default([]).describe("Where it runs; targets name one of them."),
  residency: z
    .array(place)
    .max(64)
    .default([])
    .describe("Residency rules that data kept there satisfies; a tenant with `residency: eu` needs eu here."),
  private: z.boolean().default(false).describe("true: your own, nothing leaves your network."),
  catalog: z.string().min(1).max(64).optional().describe("Its name in the bundled price list, where the host does not tell."),
  caFile: z.string().min(1).max(4096).optional().describe("PEM file with the authorities to trust; the system's where absent."),
  connectTimeoutMs: milliseconds.default(5000),
  maxRequests: z.int().min(1).max(1_000_000).default(1024).describe("Requests at once; more are refused as overloaded."),
  limits: accountLimits
    .default([])
    .describe(
      "The account's own quota, shared by all tenants that use its credential. Held before a tenant's limits and budgets, and given back where those refuse.",
    ),
  maxConnections: z.int().min(1).max(1_000_000).default(1024),
});
const target = z.strictObject({
  provider: z.string().describe("A provider of this policy."),
  model: z.string().min(1).max(256).describe("The provider's own name for the model."),
  region: place.optional().describe("One of the provider's regions; its only one where absent."),
  price: price.optional(),
});
const model = z.strictObject({
  description,
  contextTokens: z
    .int()
    .min(1)
    .max(100_000_000)
    .optional()
    .describe("Tokens that its context holds: held for calls that refer to earlier ones at the provider; 200000 where absent."),
  family: z
    .string()
    .regex(NAME, "must be a name -> use letters, digits and . _ -")
    .optional()
    .describe("Callers may ask for `family:<name>`."),
  targets: z.array(target).min(1).max(64).describe("Who serves it, in order of preference."),
  price: price.optional().describe("Price of all its targets that have none of their own."),
});
const tierEntry = z.union([
  z.string(),
  z.strictObject({
    model: z.string(),
    params: z
      .record(z.string(), z.json())
      .default({})
      .describe("Parameters set in the request, in the dialect's own names: { temperature: 0.2 }."),
  }),
]);
const tier = z.array(tierEntry).min(1).max(64).optional();
const tiers = z.strictObject({ high: tier, standard: tier, cheap: tier }).describe("Models by meaning; callers ask for `tier:standard`.");

/** One member a kind: `{ apiKey: ... }`, `{ jwt: ... }`. */
type CredentialKinds = (typeof CREDENTIAL_KINDS)[number];
const credentialShape = Object.fromEntries(CREDENTIAL_KINDS.map((kind) => [kind.name, kind.setting.optional()])) as {
  [Kind in CredentialKinds as Kind["name"]]: z.ZodOptional<Kind["setting"]>;
};
const credential = z
  .strictObject(credentialShape)
  .refine(
    (value) => Object.values(value).filter((one) => one !== undefined).length === 1,
    `must be one credential of one kind -> write ${CREDENTIAL_KINDS.map(({ name }) => `- ${name}: {...}`).join(" or ")}`,
  );
const listedKey = z.strictObject({ tenant: z.string(), app: z.string(), ...keyFacts });

const app = {
  description,
  credentials: z
    .array(credential)
    .max(1000)
    .default([])
    .describe(
      "What proves that a caller is this app: API keys, tokens, client certificates. `sluice keys new` writes to the top-level `keys`.",
    ),
  useCases: z.array(z.string()).max(1000).default([]).describe("Use cases that the app may declare."),
};
const tenant = {
  description,
  timeZone: z
    .string()
    .refine(isTimeZone, "must be a time zone -> write for example Europe/Berlin or UTC")
    .optional()
    .describe("Where its days, weeks and months begin and end, for budgets: Europe/Berlin. UTC where absent."),
  weekStart: z
    .enum(["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"])
    .optional()
    .describe("First day of its weeks, for budgets; monday where absent."),
  residency: place.optional().describe("Only providers whose residency list has this."),
  providerCredentials: named(secret, PROVIDER_NAME)
    .default({})
    .describe("The tenant's own account at a provider, by provider: own cluster, own bill."),
};
const observe = z
  .strictObject({
    listen: z.strictObject({
      address: z
        .string()
        .refine((text) => isIP(text) !== 0, "must be an IP address -> write 127.0.0.1 for this machine only, 0.0.0.0 for all interfaces")
        .default("127.0.0.1"),
      port: z.int().min(1).max(65535),
    }),
    tenant: z.string().describe("Whose rules are tried on what is observed."),
    app: z.string().describe("An app of that tenant."),
    useCase: z.string().optional().describe("One of the app's use cases; its only one where absent."),
    providers: z
      .record(z.string(), z.string())
      .default({})
      .describe("Where each API goes: { openai: NAME, anthropic: NAME, gemini: NAME }; the first provider of the format where absent."),
  })
  .describe(
    "A second listener that records and tries the rules, and changes nothing: callers keep their own provider keys, and lose nothing when Sluice is down.",
  );
const path = z.string().min(1).max(4096);
const listenTls = z
  .strictObject({
    cert: path.describe("PEM file with Envoy's certificate and what its callers need to trust it."),
    key: path.describe("PEM file with its private key."),
    clientCa: path.optional().describe("PEM file with the authorities of callers' certificates. Absent: none are asked for."),
    clientCrl: path.optional().describe("PEM file with their revoked certificates."),
    requireClientCertificate: z
      .boolean()
      .optional()
      .describe("Whether a connection without one is closed; true where absent. Only a credential of kind mtls makes it an app's."),
  })
  .describe("TLS towards callers. Files that change are read again; a relative path starts at the policy's folder.");
const root = {
  apiVersion: z.literal("sluice/v1"),
  version: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._+-]{0,63}$/, 'must be letters, digits and . _ + - -> write for example "2026-11-23.1"')
    .describe("Yours to raise with each change; every record names it."),
  name: z
    .string()
    .regex(NAME, "must be a name -> use letters, digits and . _ -")
    .default("policy")
    .describe("What `sluice status` and the log call the policy."),
  providers: named(provider, PROVIDER_NAME).default({}),
  models: named(model, MODEL_NAME).default({}),
  tiers: tiers.default({}),
  keys: named(listedKey, CREDENTIAL_ID).default({}).describe("API keys by id, written by `sluice keys`."),
  limits: z
    .strictObject({
      bodyBytesMax: z
        .int()
        .min(1024)
        .max(256 * 1024 * 1024)
        .default(BODY_BYTES_MAX)
        .describe("Largest request or answer held, bytes."),
      inFlightBytesMax: z
        .int()
        .min(1024 * 1024)
        .default(IN_FLIGHT_BYTES_MAX)
        .describe("All bodies held at once by one process, bytes; past it calls are refused as overloaded."),
    })
    .prefault({}),
  listen: z
    .strictObject({
      address: z
        .string()
        .refine((text) => isIP(text) !== 0, "must be an IP address -> write 127.0.0.1 for this machine only, 0.0.0.0 for all interfaces")
        .default("127.0.0.1")
        .describe("Where Envoy listens; 0.0.0.0 for all interfaces."),
      port: z.int().min(1).max(65535).default(8080),
      tls: listenTls.optional(),
    })
    .prefault({}),
  observe: observe.optional(),
  approvals: approvalsSection.prefault({}),
  analysers: analysersSection.default({}),
  classifier: classifierSection.optional(),
};

const mode = z.enum(["off", "shadow", "warn", "enforce"]);
/** Settings of every layer (defaults, use case, tenant, app) that belong to no stage. */
const layerShape = {
  mode: mode
    .optional()
    .describe("off, shadow (record only), warn (record and a warning header) or enforce (default). A section's own mode wins."),
  timeouts: z
    .strictObject({
      requestMs: milliseconds.optional().describe("From the request's arrival to the answer's last byte; 60000 where absent."),
      perTryMs: milliseconds.optional().describe("One attempt, to its first byte; requestMs where absent."),
      idleMs: milliseconds.optional().describe("Longest silence within a streamed answer; requestMs, at most 60000, where absent."),
    })
    .optional(),
  errors: z
    .enum(["passthrough", "normalised"])
    .optional()
    .describe("A provider's error bodies: passed on (default), or replaced by Sluice's own."),
  evidence: z
    .strictObject({
      onFault: z
        .enum(["refuse", "drop"])
        .optional()
        .describe("When the record cannot be written: refuse the call (default), or let it pass and count the loss."),
    })
    .optional(),
  telemetry: z
    .strictObject({
      propagate: z
        .boolean()
        .optional()
        .describe(
          "true (default): the provider gets a traceparent header, so that its spans join the caller's trace. It holds random ids only.",
        ),
    })
    .optional(),
};

/** The merged settings of one (tenant, app, use case) that belong to no stage, with their defaults. */
export const commonSettings = z
  .object({
    mode: mode.default("enforce"),
    timeouts: z
      .object({ requestMs: milliseconds.default(60_000), perTryMs: milliseconds.optional(), idleMs: milliseconds.optional() })
      .prefault({}),
    errors: z.enum(["passthrough", "normalised"]).default("passthrough"),
    evidence: z.object({ onFault: z.enum(["refuse", "drop"]).default("refuse") }).prefault({}),
    telemetry: z.object({ propagate: z.boolean().default(true) }).prefault({}),
  })
  .transform(({ timeouts, ...rest }) => ({
    ...rest,
    timeouts: {
      requestMs: timeouts.requestMs,
      perTryMs: timeouts.perTryMs ?? timeouts.requestMs,
      idleMs: timeouts.idleMs ?? Math.min(timeouts.requestMs, 60_000),
    },
  }));

/** What every stage's section may carry besides its own settings. */
export const rollout = z.object({
  mode: mode.optional().describe("This stage's own mode; it wins over the mode of the use case."),
  onFault: z
    .enum(["closed", "open"])
    .optional()
    .describe("When the stage itself fails: refuse the call (closed, the default), or go on without it (open)."),
});

export const documentTypes = z.object({
  ...root,
  tenants: z.record(z.string(), z.object({ ...tenant, apps: z.record(z.string(), z.object(app)).default({}) })).default({}),
  useCases: z.record(z.string(), z.object({ description })).default({}),
});
export type PolicyDocument = z.infer<typeof documentTypes>;
export type ProviderSettings = PolicyDocument["providers"][string];
export type SecretSetting = z.infer<typeof secret>;

/** The strict schema of a whole document, sections of the given stages included. */
export function documentSchema(stages: readonly StageDefinition[]): z.ZodType {
  const layer: Record<string, z.ZodType> = { ...layerShape };
  for (const stage of stages) layer[stage.name] = sectionSchema(stage).optional();
  const useCase = z.strictObject({ description, ...layer });
  const strictApp = z.strictObject({ ...layer, ...app });
  const strictTenant = z.strictObject({ ...layer, ...tenant, apps: named(strictApp, NAME).default({}) });
  return z
    .strictObject({
      ...root,
      defaults: z
        .strictObject({ unknownSurface: z.literal("deny").optional().describe("Paths that no codec knows are refused."), ...layer })
        .optional()
        .describe("Rules of every call, unless use case, tenant or app say otherwise, in this order."),
      tenants: named(strictTenant, NAME).default({}),
      useCases: named(useCase, NAME).default({}),
    })
    .describe("Sluice policy, version 1.");
}

/** A stage's section with `mode` and `onFault`. */
function sectionSchema(stage: StageDefinition): z.ZodType {
  if (!(stage.section instanceof z.ZodObject)) throw new TypeError(`section of stage ${stage.name} is not a zod object`);
  const object = z.strictObject({ ...rollout.shape, ...stage.section.shape });
  const rules: unknown = stage.additive ? stage.section.shape["rules"] : undefined;
  const section = rules instanceof z.ZodType ? z.union([rules, object]) : object;
  const text = stage.section.description;
  return text === undefined ? section : section.describe(text);
}

/** Names of the settings that a layer may hold: those of no stage, and the stages' sections. */
export function layerKeys(stages: readonly StageDefinition[]): readonly string[] {
  return [...Object.keys(layerShape), ...stages.map((stage) => stage.name)];
}
