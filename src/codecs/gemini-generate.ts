import type {
  AnswerContext,
  AnswerReader,
  Codec,
  Frame,
  ParsedRequest,
  PathFacts,
  RequestChange,
  RequestTarget,
  TailReason,
} from "../core/codec.ts";
import type { JsonEdit } from "../core/json.ts";
import type { Usage } from "../core/usage.ts";
import type { AnswerSummary } from "../core/view.ts";
import { openReader } from "./shared/answer-reader.ts";
import { GeminiAnswer } from "./shared/gemini-answer.ts";
import { geminiError } from "./shared/gemini-error.ts";
import { geminiEdits, modelPath, readGeminiRequest } from "./shared/gemini-request.ts";
import { type ArrayPiece, JsonArraySplitter } from "./shared/json-array.ts";
import { SniffingReader } from "./shared/sniffing-reader.ts";

/** The method follows the last colon: a model asked for by meaning has one too (`models/tier:standard:generateContent`). */
const PATH = /^\/(v1|v1beta)\/(models|tunedModels)\/([^/]+):(generateContent|streamGenerateContent)$/;

function matchPath(target: RequestTarget, method: "generateContent" | "streamGenerateContent"): PathFacts | undefined {
  if (target.method !== "POST") return undefined;
  const [, version, collection, encoded, named] = PATH.exec(target.path) ?? [];
  if (version === undefined || encoded === undefined || named !== method) return undefined;
  const model = decoded(encoded);
  // Other encodings (`alt=proto`) could not be read; a unary call has no event stream.
  const [alt, ...options] = (target.query.get("alt") ?? target.query.get("$alt") ?? "json").split(";");
  const framing = method === "generateContent" ? "json" : alt === "sse" ? "sse" : "json-array";
  if (model === undefined || (alt !== "json" && framing !== "sse")) return undefined;
  const facts = { model: collection === "models" ? model : `tunedModels/${model}`, framing, version } as const;
  if (options.length === 0) return facts;
  // Google's generated REST clients ask for enumerations as numbers, always.
  return options.length === 1 && options[0] === NUMBERED ? { ...facts, query: `$alt=${alt}%3B${NUMBERED}` } : undefined;
}

const NUMBERED = "enum-encoding=int";

function decoded(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment);
  } catch {
    return undefined;
  }
}

/** The query is written anew: keys, field masks and other encodings of the caller's stay behind. */
function upstreamPath(facts: PathFacts, model: string): string {
  const [collection = "models", ...name] = modelPath(model).split("/");
  const method = facts.framing === undefined || facts.framing === "json" ? "generateContent" : "streamGenerateContent";
  const query = facts.query !== undefined ? `?${facts.query}` : facts.framing === "sse" ? "?alt=sse" : "";
  return `/${facts.version ?? "v1beta"}/${collection}/${encodeURIComponent(name.join("/"))}:${method}${query}`;
}

const shared = {
  dialect: "gemini",
  operation: "chat",
  treatment: "inspected",
  readRequest: (doc, facts) => readGeminiRequest(doc.root, facts),
  /** `reportUsage` changes nothing: every chunk has the usage. */
  editRequest: (request: ParsedRequest, change: RequestChange): readonly JsonEdit[] =>
    request.doc.root.kind === "object" ? geminiEdits(request.doc.root, change) : [],
  upstreamPath,
  openAnswer(context: AnswerContext): AnswerReader {
    const isArray = context.view.framing === "json-array" && !context.contentType.toLowerCase().includes("text/event-stream");
    return isArray ? new ArrayReader() : new SniffingReader(context, (sniffed) => openReader(sniffed, new GeminiAnswer(), errorBody));
  },
} satisfies Partial<Codec>;

/** Gemini's generateContent: one answer, one JSON body. */
export const geminiGenerate: Codec = {
  ...shared,
  surface: "gemini.generate",
  title: "POST /v1beta/models/{model}:generateContent",
  match: (target) => matchPath(target, "generateContent"),
};

/** Gemini's streamGenerateContent: a JSON array whose elements arrive over time, or server-sent events with `?alt=sse`. */
export const geminiStream: Codec = {
  ...shared,
  surface: "gemini.stream",
  title: "POST /v1beta/models/{model}:streamGenerateContent",
  match: (target) => matchPath(target, "streamGenerateContent"),
};

/** An error in place of a body that was held back; a body cannot be cut to a length. */
function errorBody(reason: TailReason): string {
  return reason.kind === "length" ? "" : JSON.stringify(geminiError(reason.denial, reason.requestId));
}

const encoder = new TextEncoder();
const NO_BYTES = new Uint8Array(0);

/** Reads the array form of a stream; also the single error object that some errors come as. */
class ArrayReader implements AnswerReader {
  readonly #answer = new GeminiAnswer();
  readonly #splitter = new JsonArraySplitter();
  /** Bytes that nobody reads were seen: not JSON at all, or behind the end. */
  #foreign = 0;

  push(chunk: Uint8Array): readonly Frame[] {
    return this.#splitter.push(chunk).map((piece) => this.#frame(piece));
  }
  end(): readonly Frame[] {
    return this.#splitter.end().map((piece) => this.#frame(piece));
  }
  usage(): Usage | undefined {
    return this.#answer.usage();
  }
  summary(): AnswerSummary {
    const summary = this.#answer.tally.summary();
    return { ...summary, invalidEvents: summary.invalidEvents + this.#splitter.oversized + this.#foreign };
  }
  tail(reason: TailReason): Uint8Array {
    const prefix = this.#splitter.prefix;
    if (prefix === undefined) return NO_BYTES;
    if (reason.kind === "length" && this.#answer.finished && prefix !== "") return encoder.encode("\n]");
    return encoder.encode(`${prefix}${this.#answer.lastChunk(reason)}\n]`);
  }

  #frame({ kind, bytes, text }: ArrayPiece): Frame {
    const { tally } = this.#answer;
    if (text === undefined) {
      if (kind === "end") tally.complete = true;
      else if (kind === "other" && !isBlank(bytes)) this.#foreign = 1;
      return { bytes, deltas: [] };
    }
    const invalid = tally.invalidEvents;
    const deltas = this.#answer.event(undefined, text);
    // Only the closing bracket ends an array; a body that is one value is whole as it stands.
    tally.complete = kind === "single" && tally.invalidEvents === invalid;
    tally.count(deltas);
    return { bytes, deltas };
  }
}

const isBlank = (bytes: Uint8Array): boolean => bytes.every((byte) => byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09);
