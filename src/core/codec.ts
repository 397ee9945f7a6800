import type { Denial } from "./denials.ts";
import type { Json, JsonDoc, JsonEdit, JsonNode, JsonNumber, JsonString } from "./json.ts";
import type { MediaKind } from "./media-kind.ts";
import type { Result } from "./result.ts";
import type { Steps } from "./slice.ts";
import type { StateKind } from "./state.ts";
import type { Usage } from "./usage.ts";
import type { AnswerSummary, Delta, Dialect, Framing, LaneId, Operation, RequestView, ToolCall } from "./view.ts";

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
  /** Streaming asked for by the path (Gemini, Bedrock), and its framing. */
  readonly framing?: Framing;
  /** The operation that the path names behind the model, where one codec serves several (`rawPredict`). */
  readonly method?: string;
  /** Whose model the path names (Vertex AI: `google`, `anthropic`), percent-decoded. */
  readonly publisher?: string;
  /** The id of a single thing asked for (`/v1/models/{id}`), percent-decoded. */
  readonly id?: string;
  /** Version of the API that the path names (Gemini: `v1`, `v1beta`), so that the provider's path keeps it. */
  readonly version?: string;
  /** The service tier that a header asks for (Bedrock), in the provider's words. */
  readonly tier?: string;
  /** Query that the provider must see too (`beta=true`), without its question mark. */
  readonly query?: string;
}

/**
 * A multipart body taken apart. Its text fields stand in `doc` as members of one object, every value a string (or an array of
 * strings where a name comes several times), and the file names under the empty key; so stages read and edit a form as they do JSON.
 */
export interface FormBody {
  readonly doc: JsonDoc;
  /** Bytes of each file, by field name. */
  readonly files: ReadonlyMap<string, readonly number[]>;
  /** What those of them are that are no text. */
  readonly media: readonly MediaKind[];
  /** The body after edits of `doc`; bytes outside the edited fields stay. undefined: nothing changed. */
  apply(edits: readonly JsonEdit[]): Buffer | undefined;
}

/** A request as its codec read it: the document it came from and the view for policies. */
export interface ParsedRequest {
  /** `{}` where the request has no body. */
  readonly doc: JsonDoc;
  /** Set where the body is a form. */
  readonly form?: FormBody;
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
  /** Tools that are no longer offered, by their nodes. The pipeline makes these edits; codecs do not look at them. */
  readonly dropTools?: readonly JsonNode[];
  /** Texts of the view that are said otherwise, by their node; a number may become another, or a string. The pipeline makes these edits; codecs do not look at them. */
  readonly texts?: ReadonlyMap<JsonString | JsonNumber, string>;
}

/** What the reader of an answer must know of its request. */
export interface AnswerContext {
  readonly view: RequestView;
  /** Sluice asked for usage on its own: undo it byte for byte (drop the extra chunk, cut the `"usage":null` members). */
  readonly usageForced: boolean;
  /** HTTP status of the answer. */
  readonly status: number;
  readonly contentType: string;
  /** Other headers of the answer, where the surface has usage in them (Bedrock). Absent: none are known. */
  readonly headers?: HeaderView;
  /** Guards will look at this answer: frames bring `calls`, `ends` and `rewrite`, and repeated texts come as deltas. Absent: they need not. */
  readonly guarded?: true;
}

/** What of a provider account stands in paths. */
export interface AccountPlace {
  /** Google Cloud project and location, of format vertex alone. */
  readonly google?: { readonly project: string; readonly location: string };
}

/**
 * One unit of a streamed answer. All frames' `bytes`, joined, are what the caller gets; they cover everything pushed.
 * A frame without deltas (comments, pings, unknown events) has an empty list.
 */
export interface Frame {
  readonly bytes: Uint8Array;
  readonly deltas: readonly Delta[];
  /** Tool calls that begin in this frame, known by name. Their arguments are the lane `tool_arguments` of the same choice and block. */
  readonly calls?: readonly Omit<ToolCall, "arguments">[];
  /**
   * Lanes that are whole with this frame: nothing more of them comes. `all`: every lane. An answer that just stops ends its lanes too.
   * What a provider sends of a lane that has ended is as good as a lane that nobody judged: let it pass for no guard's word.
   */
  readonly ends?: readonly LaneId[] | "all";
  /**
   * The frame's bytes with other texts: `texts[i]` in place of `deltas[i].text`, undefined where it stays. JSON stays valid and what
   * else the frame holds keeps its bytes, but for what would repeat a changed text (log-probabilities, offsets of annotations): that goes.
   * Absent: its texts cannot be changed; nor can those that are `signed`, for which `texts` must hold undefined (assert).
   */
  readonly rewrite?: (texts: readonly (string | undefined)[]) => Uint8Array;
  /** The same in steps, where the frame is large; gives undefined where it has too many values to be changed. */
  readonly rewriteSteps?: (texts: readonly (string | undefined)[]) => Steps<Uint8Array | undefined>;
  /** Like a frame before it but for its texts, and whole: a reader that has read that one, whatever its texts, learns nothing else from this one. */
  readonly alike?: true;
  /** A key of a tool call stands twice in it: readers differ in which value they take, so the call that was read need not be the one that is made. */
  readonly ambiguous?: true;
}

/** Tool calls that an answer goes on without. */
export interface CallsOut {
  /** Those that begin in the frame at hand, in order. */
  readonly begins: readonly { readonly choice: number; readonly block: number; readonly goes: boolean }[];
  /** Blocks of the calls of a choice that went, or go now. */
  gone(choice: number): ReadonlySet<number>;
  /** Calls of a choice that stay, as far as they have come. */
  left(choice: number): number;
}

/**
 * Takes calls out of an answer's frames as they leave, from the first on in which one begins that goes: the rest is a well-formed answer without
 * them. undefined: they cannot be taken out of this frame, or it can say nothing without them; then the answer ends before it.
 */
export interface CallRemover {
  remove(bytes: Uint8Array, calls: CallsOut): Steps<Uint8Array | undefined>;
}

/**
 * Why Sluice ends an answer itself. `usage`: what it is charged with, for the caller where its dialect has a place for it; what the provider
 * said of the input stays.
 */
export type TailReason =
  /** A cap was met: a normal end. */
  | { readonly kind: "length"; readonly usage?: Usage }
  /** What follows was held back by a rule: the dialect's own end of filtered answers, after `text`, where there is one. */
  | { readonly kind: "filtered"; readonly text?: string; readonly usage?: Usage }
  /** An error that the SDK raises. */
  | { readonly kind: "error"; readonly denial: Denial; readonly requestId: string };

/** A whole answer that Sluice gives in a provider's place. */
export interface Said {
  readonly text: string;
  /** Name of the model that the caller asked for. */
  readonly model: string;
  /** Of the exchange; ids of the dialect's own shape are made from it. */
  readonly id: string;
  readonly createdUnixS: number;
  /** How the answer says that it ended. */
  readonly finish: "stop" | "length" | "filtered";
  /** Text and end of each choice, in order; absent: of all of them as above. */
  readonly choices?: readonly Pick<Said, "text" | "finish">[];
  /** What the call is charged with; absent where no provider was asked. */
  readonly usage?: Usage | undefined;
}

/** Gives each frame as it is read, and undefined between two steps. */
export type FrameSteps = Generator<Frame | undefined, void, undefined>;

/**
 * Reads one answer as its bytes arrive, in any cut. Never throws on hostile bytes: what it cannot read passes on as it came
 * and is counted in the summary. Holds back at most one incomplete event (`SSE_EVENT_BYTES_MAX`; a larger one passes unread).
 */
export interface AnswerReader {
  push(chunk: Uint8Array): readonly Frame[];
  /**
   * `push`, or `end` for undefined, in steps. To be gone through to its end before the next piece. undefined: there is so little to read
   * that `push` or `end` is to be called.
   */
  pushSteps?(chunk: Uint8Array | undefined): FrameSteps | undefined;
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
  /** What the body of a request is: JSON where absent. `none`: there must be none, and `readPath` gives the view. */
  readonly body?: "json" | "multipart" | "none";
  /** false: the provider bills nothing for this call by itself; usage is what it says, never estimated, and costs nothing. */
  readonly billed?: false;
  /** What the answer's id is called where the request has the provider keep it, so that it can be referred to. */
  readonly keeps?: StateKind;
  /** The provider no longer has the thing that the path names, once it has answered. */
  readonly forgets?: StateKind;
  /** Absent on surfaces without a request body. `form` is there where the body is one. */
  readRequest?(doc: JsonDoc, facts: PathFacts, form?: FormBody): Result<RequestView, ParseError>;
  /** The same in steps, for bodies past `YIELD_CHARS`; absent where there is nothing to go through. */
  readSteps?(doc: JsonDoc, facts: PathFacts): Steps<Result<RequestView, ParseError>>;
  /** Takes a body of kind `multipart` apart. */
  readForm?(body: Buffer, contentType: string): Result<FormBody, ParseError>;
  /** The view of a request without a body that goes to a provider. */
  readPath?(facts: PathFacts): RequestView;
  editRequest?(request: ParsedRequest, change: RequestChange): readonly JsonEdit[];
  /** Path and query at the provider, below its base path: `/chat/completions`, `/v1beta/models/m:generateContent?alt=sse`. */
  upstreamPath?(facts: PathFacts, model: string, account?: AccountPlace): string;
  openAnswer?(context: AnswerContext): AnswerReader;
  /** For one answer. Absent: where a call goes the answer ends before it. */
  removeCalls?(): CallRemover;
  /** Surfaces that Sluice answers itself: the models that this caller may use. undefined: no such model. */
  answerList?(models: readonly ListedModel[], facts: PathFacts): Json | undefined;
  /** A whole answer of one text, framed as the request asked for (JSON or a whole stream), which its SDK reads like a provider's. Usage is nothing. */
  renderAnswer?(request: ParsedRequest, said: Said): { readonly contentType: string; readonly body: Uint8Array };
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
  renderErrorStream(denial: Denial, requestId: string, framing: Exclude<Framing, "json">): Uint8Array;
  /** Headers that this dialect's SDKs read a refusal from, beside its body. Absent: none. */
  errorHeaders?(denial: Denial, requestId: string): readonly (readonly [string, string])[];
}
