import type { Denial } from "./denials.ts";
import type { Json, JsonDoc, JsonEdit } from "./json.ts";
import type { Result } from "./result.ts";
import type { Usage } from "./usage.ts";
import type { AnswerSummary, Delta, Dialect, Operation, RequestView } from "./view.ts";

/** Method and path of a request, taken apart once. */
export interface RequestTarget {
  readonly method: string;
  /** Path without its query, exactly as Envoy shows it (normalised, escapes kept). */
  readonly path: string;
  readonly query: URLSearchParams;
}

/** What method and path alone say. */
export interface PathFacts {
  /** Model named by the path (Gemini), percent-decoded. */
  readonly model?: string;
  /** Streaming asked for by the path (Gemini), and its framing. */
  readonly framing?: "json" | "sse" | "json-array";
  /** The id of a single thing asked for (`/v1/models/{id}`), percent-decoded. */
  readonly id?: string;
  /** Version of the API that the path names (Gemini: `v1`, `v1beta`), so that the provider's path keeps it. */
  readonly version?: string;
  /** Query that the provider must see too (`beta=true`), without its question mark. */
  readonly query?: string;
}

/** A request as its codec read it: the document it came from and the view for policies. */
export interface ParsedRequest {
  readonly doc: JsonDoc;
  readonly facts: PathFacts;
  readonly view: RequestView;
}

/** `where` is a JSON pointer or a field name, never content. `message` is written by us and safe to show. */
export interface ParseError {
  readonly code: "invalid_request" | "unsupported_surface";
  readonly where: string;
  readonly message: string;
}

/** Changes that the plan makes to a request, in words of no dialect. Absent members change nothing. */
export interface RequestChange {
  readonly model?: string;
  readonly outputTokensMax?: number;
  /** Ask the provider to report usage in its stream. */
  readonly reportUsage?: boolean;
  /** Parameters of a tier or target, in the dialect's own top-level names (`temperature`); existing values are replaced. */
  readonly parameters?: Readonly<Record<string, Json>>;
  /** Take the `ai_*` members out of `metadata`, and the object if that leaves it empty. */
  readonly dropContractFields?: boolean;
}

/** What the reader of an answer must know of its request. */
export interface AnswerContext {
  readonly view: RequestView;
  /** Sluice asked for usage on its own: undo it byte for byte (drop the extra chunk, cut the `"usage":null` members). */
  readonly usageForced: boolean;
  /** HTTP status of the answer. */
  readonly status: number;
  readonly contentType: string;
}

/**
 * One unit of a streamed answer. All frames' `bytes`, joined, are what the caller gets; they cover everything pushed.
 * A frame without deltas (comments, pings, unknown events) has an empty list.
 */
export interface Frame {
  readonly bytes: Uint8Array;
  readonly deltas: readonly Delta[];
}

/** Why Sluice ends an answer itself: at a cap as a normal end, or with an error that the SDK raises. */
export type TailReason = { readonly kind: "length" } | { readonly kind: "error"; readonly denial: Denial; readonly requestId: string };

/**
 * Reads one answer as its bytes arrive, in any cut. Never throws on hostile bytes: what it cannot read passes on as it came
 * and is counted in the summary. Holds back at most one incomplete event (`SSE_EVENT_BYTES_MAX`; a larger one passes unread).
 */
export interface AnswerReader {
  push(chunk: Uint8Array): readonly Frame[];
  /** The answer's end: gives up everything held. */
  end(): readonly Frame[];
  /** Usage as the provider reported it so far, undefined when it has not. */
  usage(): Usage | undefined;
  summary(): AnswerSummary;
  /**
   * Ends the answer now, for a stream that has begun: the bytes that make what was released so far a complete answer of the
   * dialect (open blocks closed, finish reason, usage known so far, terminal event). Anything held back is dropped.
   */
  tail(reason: TailReason): Uint8Array;
}

/** A model as the list surfaces show it. */
export interface ListedModel {
  readonly id: string;
  readonly ownedBy: string;
  readonly createdUnixS: number;
}

/** One surface: the wire format of one API that callers speak. Pure: no clock, no I/O, no policy. */
export interface Codec {
  /** `openai.chat`: metric label, record field, docs row. */
  readonly surface: string;
  readonly dialect: Dialect;
  readonly operation: Operation;
  /** For the generated table of surfaces: `POST /v1/chat/completions`. */
  readonly title: string;
  /** What the record calls a look inside: inspected (texts and usage read) or metered (usage only). */
  readonly treatment: "inspected" | "metered";
  match(target: RequestTarget, headers: HeaderView): PathFacts | undefined;
  /** Absent on surfaces without a request body. */
  readRequest?(doc: JsonDoc, facts: PathFacts): Result<RequestView, ParseError>;
  editRequest?(request: ParsedRequest, change: RequestChange): readonly JsonEdit[];
  /** Path and query at the provider, below its base path: `/chat/completions`, `/v1beta/models/m:generateContent?alt=sse`. */
  upstreamPath?(facts: PathFacts, model: string): string;
  openAnswer?(context: AnswerContext): AnswerReader;
  /** Surfaces that Sluice answers itself: the models that this caller may use. undefined: no such model. */
  answerList?(models: readonly ListedModel[], facts: PathFacts): Json | undefined;
}

/** Read access to request headers, lower-case names; the first value of a repeated header is the one that counts. */
export interface HeaderView {
  get(name: string): string | undefined;
}

/** How a dialect looks to its callers where no single surface is meant. */
export interface DialectSpec {
  readonly dialect: Dialect;
  /** Request headers that may reach a provider of this format, besides content-type, accept and user-agent. Lower case. */
  readonly forwardedHeaders: readonly string[];
  /** The body of a refusal, as JSON. */
  renderError(denial: Denial, requestId: string): Json;
  /** A refusal as the whole body of a stream (SSE or JSON array), for callers that asked for one and can take no other. */
  renderErrorStream(denial: Denial, requestId: string, framing: "sse" | "json-array"): Uint8Array;
}
