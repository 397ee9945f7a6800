/**
 * Recorded HTTP exchanges of providers, turned into calls that an application makes at the gateway. The folder is
 * `exchanges` below `SLUICE_FIXTURES` (default: `../shared/fixtures` beside the repository); it may be absent.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { z } from "zod";

const FOLDER = resolve(process.env["SLUICE_FIXTURES"] ?? resolve(import.meta.dirname, "../../../shared/fixtures"), "exchanges");

const headers = z.record(z.string(), z.unknown()).default({});
const figure = z.number().nullish();
const usage = z.object({
  dialect: z.string(),
  input: figure,
  output: figure,
  total: figure,
  cached: figure,
  cache_write: figure,
  reasoning: figure,
  tool_input: figure,
  raw: z.unknown().optional(),
});
const recording = z.object({
  id: z.string(),
  method: z.string(),
  path: z.string(),
  query: z.string().nullish(),
  request_headers: headers,
  request_body: z.string().nullish(),
  status: z.number(),
  response_headers: headers,
  response_body: z.string().nullish(),
  response_body_encoding: z.string().nullish(),
  shape: z.string().nullish(),
  usage: z.union([usage, z.object({}), z.null()]).optional(),
});
export type Recording = z.infer<typeof recording>;
export type RecordedUsage = z.infer<typeof usage>;

/** All recordings, by id; undefined when the folder is not there. */
export function readRecordings(): readonly Recording[] | undefined {
  if (!existsSync(FOLDER)) return undefined;
  const found: Recording[] = [];
  for (const entry of readdirSync(FOLDER, { withFileTypes: true })) {
    if (!entry.isDirectory()) continue;
    for (const file of readdirSync(join(FOLDER, entry.name)).filter((name) => name.endsWith(".json"))) {
      found.push(recording.parse(JSON.parse(readFileSync(join(FOLDER, entry.name, file), "utf8"))));
    }
  }
  return found.sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** A recording as a call at the gateway, with what the provider answered. */
export interface Call {
  readonly id: string;
  readonly surface: string;
  readonly dialect: "openai" | "anthropic" | "gemini";
  readonly method: "GET" | "POST";
  /** With its query. */
  readonly path: string;
  /** The provider of the policy that serves it, where the dialect does not tell; and the path that it gets, where it is another. */
  readonly provider?: "azure";
  readonly sentPath?: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  /** As the caller names it. */
  readonly model: string;
  readonly streaming: boolean;
  readonly answer: { readonly status: number; readonly contentType: string | undefined; readonly body: Buffer };
  /** undefined: the provider reported none. */
  readonly usage: RecordedUsage | undefined;
}

/** Tails of recorded paths, and the path of ours that speaks the same API. */
const OPENAI_TAILS: readonly (readonly [RegExp, string, string])[] = [
  [/\/chat\/completions$/, "/v1/chat/completions", "openai.chat"],
  [/\/responses$/, "/v1/responses", "openai.responses"],
  [/\/embeddings$/, "/v1/embeddings", "openai.embeddings"],
  [/\/v1\/completions$/, "/v1/completions", "openai.completions"],
  [/\/responses\/compact$/, "/v1/responses/compact", "openai.responses.compact"],
  [/\/responses\/input_tokens$/, "/v1/responses/input_tokens", "openai.responses.input_tokens"],
];

/** The call that a recording stands for, or why it stands for none. */
export function toCall(from: Recording): Call | string {
  const kept = from.method === "GET" ? keptResponse(from) : undefined;
  if (kept !== undefined) return kept;
  if (from.method !== "POST") return `${from.method}: not a served surface`;
  const text = from.request_body ?? "";
  const body = parseObject(text);
  const place = placeOf(from, body);
  if (place === undefined) return `${from.path.replaceAll(/[^/]*[0-9<%][^/]*/g, "…")}: not a served surface`;
  if (body === undefined) return "the recorded request has no JSON object as body";
  const model = place.model ?? stringOf(body["model"]);
  const named = nameModel(from, text, body, model);
  if (named === undefined) return "no model is named by path or body";
  const encoding = from.response_body_encoding === "base64" ? "base64" : "utf8";
  const { path, dialect, surface, provider, sentPath } = place;
  return {
    id: from.id,
    surface,
    dialect,
    method: "POST",
    path,
    ...(provider === undefined ? {} : { provider }),
    ...(sentPath === undefined ? {} : { sentPath }),
    headers: {
      "content-type": "application/json",
      ...(provider === undefined ? {} : { "x-ai-region": provider }),
      ...(dialect === "anthropic" ? { "anthropic-version": "2023-06-01" } : {}),
      ...keptHeaders(from.request_headers),
    },
    body: Buffer.from(named.text),
    model: named.model,
    streaming: surface === "gemini.stream" || (dialect !== "gemini" && body["stream"] === true),
    answer: {
      status: from.status,
      contentType: stringOf(from.response_headers["content-type"]),
      body: Buffer.from(from.response_body ?? "", encoding),
    },
    usage: readUsage(from.usage),
  };
}

interface Place {
  readonly path: string;
  readonly dialect: Call["dialect"];
  readonly surface: string;
  readonly model?: string;
  readonly provider?: "azure";
  readonly sentPath?: string;
}

/** The version of Azure's dated API that the policy's account speaks, whatever its callers say. */
export const AZURE_VERSION = "2024-10-21";

/** A kept response that is read again: what it used was counted when it was made. */
function keptResponse(from: Recording): Call | undefined {
  if (!/^\/v1\/responses\/[A-Za-z0-9_-]+$/.test(from.path)) return undefined;
  const query = from.query === null || from.query === undefined || from.query === "" ? "" : `?${from.query}`;
  return {
    id: from.id,
    surface: "openai.responses.get",
    dialect: "openai",
    method: "GET",
    path: from.path + query,
    // Nobody remembers what another run made.
    headers: { "x-ai-region": "plain" },
    body: Buffer.alloc(0),
    model: "gpt-own",
    streaming: /\bstream=true\b/.test(query),
    answer: {
      status: from.status,
      contentType: stringOf(from.response_headers["content-type"]),
      body: Buffer.from(from.response_body ?? "", from.response_body_encoding === "base64" ? "base64" : "utf8"),
    },
    usage: undefined,
  };
}

function placeOf({ path, query }: Recording, body: Readonly<Record<string, unknown>> | undefined): Place | undefined {
  const search = query === null || query === undefined || query === "" ? "" : `?${query}`;
  if (path === "/v1/messages") return { path: path + search, dialect: "anthropic", surface: "anthropic.messages" };
  if (path === "/v1/messages/count_tokens") return { path: path + search, dialect: "anthropic", surface: "anthropic.count_tokens" };
  const gemini = /\/models\/([^/:]+):(generateContent|streamGenerateContent)$/.exec(path);
  const [, model, method] = gemini ?? [];
  if (model !== undefined) {
    // Vertex names project and place before the model; the Gemini API, which the gateway serves, does not.
    const surface = method === "generateContent" ? "gemini.generate" : "gemini.stream";
    return { path: `/v1beta/models/${model}:${method}${search}`, dialect: "gemini", surface, model: decodeURIComponent(model) };
  }
  // Cohere's and others' paths end alike, but their requests hold other things.
  const fits = body === undefined || body["messages"] !== undefined || body["input"] !== undefined || body["prompt"] !== undefined;
  const tail = fits ? OPENAI_TAILS.find(([pattern]) => pattern.test(path)) : undefined;
  if (tail === undefined) return undefined;
  const found = { path: tail[1], dialect: "openai" as const, surface: tail[2] };
  const deployment = /^\/openai\/deployments\/([^/]+)\//.exec(path)?.[1];
  if (deployment !== undefined) {
    const model = stringOf(body?.["model"]) ?? decodeURIComponent(deployment);
    const sentPath = `${path.replace(deployment, encodeURIComponent(model))}?api-version=${AZURE_VERSION}`;
    return { ...found, path: path + search, sentPath, provider: "azure", model };
  }
  return path.startsWith("/openai/v1/") ? { ...found, path, sentPath: found.path } : found;
}

/** Azure names the model in its path (the deployment) and may leave it out of the body, where callers of the gateway name it. */
function nameModel(
  from: Recording,
  text: string,
  body: Readonly<Record<string, unknown>>,
  model: string | undefined,
): { readonly text: string; readonly model: string } | undefined {
  if (model !== undefined) return { text, model };
  const deployment = /\/deployments\/([^/]+)\//.exec(from.path)?.[1];
  if (deployment === undefined) return undefined;
  const rest = text.trimStart().slice(1);
  return { text: `{"model":${JSON.stringify(deployment)}${Object.keys(body).length === 0 ? "" : ","}${rest}`, model: deployment };
}

/** Recorded request headers that a provider of the dialect acts on. */
function keptHeaders(recorded: Readonly<Record<string, unknown>>): Record<string, string> {
  const out: Record<string, string> = {};
  for (const name of ["anthropic-version", "anthropic-beta", "accept"]) {
    const value = recorded[name];
    if (typeof value === "string" && /^[\x20-\x7e]+$/.test(value)) out[name] = value;
  }
  return out;
}

function readUsage(value: Recording["usage"]): RecordedUsage | undefined {
  const read = usage.safeParse(value);
  return read.success ? read.data : undefined;
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const read = z.record(z.string(), z.unknown()).safeParse(JSON.parse(text));
    return read.success ? read.data : undefined;
  } catch {
    return undefined;
  }
}

const stringOf = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined);
