import { resolve } from "node:path";
import { z } from "zod";
import type { AnalyserSettings } from "../ports/analyser.ts";
import type { ClassifierSettings } from "../ports/classifier-settings.ts";
import type { RemoteSettings } from "../ports/remote.ts";
import type { PolicyDocument } from "./schema.ts";

/** Services beside Sluice that texts of requests are sent to. */

const file = z.string().min(1).max(4096);
const header = z
  .strictObject({
    name: z
      .string()
      .regex(/^[A-Za-z][A-Za-z0-9-]{0,63}$/, "must be a header's name -> write for example authorization or x-api-key")
      .refine(
        (name) => !["host", "content-length", "content-type", "transfer-encoding", "connection"].includes(name.toLowerCase()),
        "is set by the call itself -> name another header",
      )
      .default("authorization"),
    prefix: z
      .string()
      .max(32)
      .regex(/^[\x20-\x7e]*$/, "must be plain text -> write for example Bearer and a space, in quotes")
      .optional()
      .describe('What stands before the secret; "Bearer " in authorization where absent, nothing in others.'),
    env: z
      .string()
      .regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/, "must be the name of an environment variable -> write its name, never the secret itself")
      .optional()
      .describe("Environment variable of Sluice that holds the secret."),
    file: file.optional().describe("File that holds the secret, read again within seconds; a relative path starts at the policy's folder."),
  })
  .refine(
    (value) => (value.env === undefined) !== (value.file === undefined),
    "must have either env or file -> write { env: NAME } or { file: PATH }",
  )
  .describe("A header with a secret, where the service wants one.");

const common = {
  description: z.string().max(2000).optional().describe("For the reader; changes nothing."),
  url: z
    .url({ protocol: /^https?$/, error: "must be a URL -> write https://HOST/PATH, or http:// within your own network" })
    .max(2048)
    .describe("The whole URL that texts are sent to with POST; http only within your own network, the texts are readable there."),
  concurrent: z.int().min(1).max(1000).default(8).describe("Calls at once of one process; up to 256 more wait, within their deadline."),
  caFile: file.optional().describe("PEM file with the authorities to trust for it; Node's where absent."),
  header: header.optional(),
};
const deadline = (ms: number) =>
  z
    .int()
    .min(10)
    .max(4_500)
    .default(ms)
    .describe("For all of its calls for one request, waits included, milliseconds; all stages together have 5000.");

const analyser = z.strictObject({
  ...common,
  kind: z
    .enum(["presidio", "generic"])
    .describe("presidio: its analyzer's POST /analyze. generic: the shape of docs/analysers.md, for services of your own."),
  deadlineMs: deadline(500),
  entities: z
    .record(
      z.string(),
      z.string().regex(/^[a-z][a-z0-9_]{0,63}$/, "must be an entity's name -> use lower-case letters, digits and _, such as person"),
    )
    .meta({ propertyNames: { pattern: "^[A-Za-z][A-Za-z0-9_-]{0,63}$" } })
    .refine((map) => Object.keys(map).length > 0, "names nothing to look for -> write for example { PERSON: person }")
    .describe("What it is asked for, by its own names, and how policies and records call that: { PERSON: person, LOCATION: place }."),
  batch: z.boolean().default(true).describe("Several texts in one call; false for Presidio before it took lists."),
  minScore: z.number().min(0).max(1).default(0.4).describe("Less sure findings are not asked for."),
});

/** The `analysers` part of a policy, by a name of its author's. */
export const analysersSection = z
  .record(z.string(), analyser)
  .meta({ propertyNames: { pattern: "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$" } })
  .describe("Services that find entities beside the built-in detectors; `redact.analyser` names one.");

/** The `classifier` part of a policy. */
export const classifierSection = z
  .strictObject({
    ...common,
    kind: z
      .enum(["moderation", "judge", "huggingface", "tei", "vllm"])
      .describe(
        "moderation: OpenAI's POST /v1/moderations. judge: a model with a fixed instruction, over POST /v1/chat/completions. huggingface, tei (POST /predict), vllm (POST /classify): servers of text-classification models such as Prompt Guard.",
      ),
    deadlineMs: deadline(1_000),
    model: z.string().min(1).max(256).optional().describe("The model's name; moderation, judge and vllm send it along."),
    attacks: z
      .array(z.string().min(1).max(200))
      .min(1)
      .max(100)
      .optional()
      .describe("Labels, or categories, that are attacks: [INJECTION, JAILBREAK]. Absent: all but the usual names of harmless ones."),
    pieceChars: z
      .int()
      .min(200)
      .max(100_000)
      .optional()
      .describe(
        "Longest text of one question, characters; longer ones go in pieces, the worst counts. 1500 for models of 512 tokens, else 8000.",
      ),
  })
  .refine(({ kind, model }) => kind !== "judge" || model !== undefined, "a judge needs a model -> write model: NAME")
  .describe("A classifier of prompt attacks beside the built-in score; `injection.classifier` uses it.");

/** Models of text classification mostly read 512 tokens and cut the rest off unseen. */
const PIECE_CHARS = { moderation: 8_000, judge: 8_000, huggingface: 1_500, tei: 1_500, vllm: 1_500 } as const;

/** What the adapters need, with paths that start at the policy's folder made whole. */
export interface Remotes {
  readonly analysers: ReadonlyMap<string, AnalyserSettings>;
  readonly classifier: ClassifierSettings | undefined;
}
export function compileRemotes({ analysers, classifier }: Pick<PolicyDocument, "analysers" | "classifier">, folder: string): Remotes {
  const place = (path: string | undefined): string | undefined => (path === undefined ? undefined : resolve(folder, path));
  const remote = (name: string, setting: z.infer<typeof analyser> | z.infer<typeof classifierSection>): RemoteSettings => {
    const { url, deadlineMs, concurrent, caFile, header: secret } = setting;
    const bearer = secret?.name.toLowerCase() === "authorization" ? "Bearer " : "";
    return {
      ...{ name, url, deadlineMs, concurrent, caFile: place(caFile) },
      header:
        secret === undefined
          ? undefined
          : { name: secret.name, prefix: secret.prefix ?? bearer, env: secret.env, file: place(secret.file) },
    };
  };
  const compiled = Object.entries(analysers).map(([name, setting]): [string, AnalyserSettings] => {
    const { kind, entities, batch, minScore } = setting;
    return [name, { ...remote(`analyser ${name}`, setting), ...{ kind, batch, minScore }, entities: new Map(Object.entries(entities)) }];
  });
  return { analysers: new Map(compiled), classifier: classifier === undefined ? undefined : compiledClassifier(classifier) };

  function compiledClassifier(setting: z.infer<typeof classifierSection>): ClassifierSettings {
    const { kind, model, attacks, pieceChars } = setting;
    return {
      ...remote("classifier", setting),
      ...{ kind, model, attacks: attacks === undefined ? undefined : new Set(attacks), pieceChars: pieceChars ?? PIECE_CHARS[kind] },
    };
  }
}
