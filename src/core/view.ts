import type { Json, JsonObject, JsonString } from "./json.ts";
import type { MediaKind } from "./media-kind.ts";
import type { CreatedState } from "./state.ts";
import type { InputParts } from "./tokens/parts.ts";
import type { Usage } from "./usage.ts";

/** Whose error objects, event streams and field names an exchange uses. */
export type Dialect = "openai" | "anthropic" | "gemini" | "cohere" | "bedrock" | "vertex";
/** How an answer comes: one JSON body, server-sent events, a JSON array over time, or AWS's binary frames (`application/vnd.amazon.eventstream`). */
export type Framing = "json" | "sse" | "json-array" | "eventstream";
/** What kind of work a surface does; the unit of operation allow-lists and limits. */
export type Operation = "chat" | "embed" | "image" | "audio" | "list" | "other";

/** Where a text of the request stands, in words that policies use. */
export type TextPlace =
  | "system"
  | "user"
  | "assistant"
  | "tool_result"
  | "tool_definition"
  | "tool_arguments"
  | "file_name"
  | "url"
  | "schema"
  /** Read by no model: who calls, labels, cache keys, words that end an answer. */
  | "parameter"
  | "other";

/** One text of a request. `node` is its place in the body, so that a stage can have it replaced. */
export interface TextSpan {
  readonly place: TextPlace;
  readonly node: JsonString;
  /** json: the string itself holds JSON (OpenAI tool call arguments). file: a file of text in base64 or in a data URL; `textFileSteps` reads and writes it. */
  readonly holds?: "json" | "file";
  /** It belongs to a block that the provider encrypted, and must come back as it went out. */
  readonly sealed?: true;
}

/** Texts of a request, and what stands among them that is none. */
export interface RequestTexts extends Iterable<TextSpan> {
  /** What the bytes are that the request brings along and no rule can read, one for each. Absent: the surface takes none. */
  media?(): Iterable<MediaKind>;
}

/** A tool that the request offers, or calls for by name. */
export interface ToolRef {
  /** The name that policies match: a function's own name, or the provider's type (`web_search`) for built-in tools. */
  readonly name: string;
  /** function: the caller runs it. provider: the provider runs it. server: a remote MCP server that the provider calls. */
  readonly kind: "function" | "provider" | "server";
  /** offered: in the tool list. forced: the tool choice demands it. */
  readonly use: "offered" | "forced";
  readonly node: JsonObject | JsonString;
  /** Address of a server, where the request says it. */
  readonly url?: string;
}

/** One place where the request points at state kept at the provider (previous response, file, cached content ...). */
export interface ProviderStateRef {
  readonly kind:
    | "previous_response"
    | "conversation"
    | "prompt"
    | "file"
    | "vector_store"
    | "container"
    | "cached_content"
    | "store"
    | "background"
    | "item"
    | "other";
  readonly node: JsonString | undefined;
  /** The id, where it stands in the path instead of the body. */
  readonly id?: string;
  /** The request is about this very thing (`GET /v1/responses/{id}`) and names no model: it goes where the thing is kept. */
  readonly subject?: true;
}

/** What policies see of a request: no provider field names, no wire types. */
export interface RequestView {
  /** The model as the caller spells it; undefined when the body names none. */
  readonly model: string | undefined;
  readonly streaming: boolean;
  /** How a streamed answer is framed. */
  readonly framing: Framing;
  /** The caller's output cap in tokens, in whichever spelling; undefined when none. */
  readonly outputTokensMax: number | undefined;
  /** How many answers are asked for (`n`, `candidateCount`); 1 unless said. */
  readonly choices: number;
  readonly tools: readonly ToolRef[];
  readonly providerState: readonly ProviderStateRef[];
  /** `ai_<field>` members of the body's `metadata` object: contract fields for SDKs that cannot set headers. */
  readonly contractFields: ReadonlyMap<string, string>;
  /**
   * What the call will use, as far as the request tells and tokens of its text do not: images asked for, seconds of audio sent
   * (from its bytes), characters to speak. For holds before the call, and for answers without usage; never too low by much.
   */
  readonly expected?: Omit<Usage, "reported">;
  /** What the provider makes its prompt of, for counts before the call and of answers without usage. Walks anew at each call. Absent: forms. */
  inputParts?(): InputParts;
  /**
   * Every text, in document order, found as it is asked for. Walks the tree anew at each call: take it once. A body may hold
   * hundreds of thousands: work on one past `YIELD_CHARS` gives way between two of them (`Slice`).
   */
  texts(): RequestTexts;
  /** Some of the input comes as numbers of tokens: text that no stage can read. */
  readonly tokens?: true;
  /** Results of tools that the request brings along; `tool` undefined where it does not tell which. Absent: the surface has none. */
  toolResults?(): Iterable<{ readonly tool: string | undefined }>;
}

/** One run of output text. */
export interface LaneId {
  /** Index of the choice or candidate. */
  readonly choice: number;
  /** Index of the content block, output item or tool call within the choice. */
  readonly block: number;
  /**
   * echo: the caller's own words, which the provider repeats beside its answer (`instructions`, `metadata`): no output, and no rule is about it.
   * address: where a file is that the answer brings (an image); only rules about links look at it, since any change of it breaks it.
   */
  readonly channel: "content" | "reasoning" | "tool_arguments" | "refusal" | "echo" | "address";
}
/** A piece of streamed or whole output. */
export interface Delta extends LaneId {
  readonly text: string;
  /**
   * The text is whole by itself: it repeats a lane that was streamed before (OpenAI's `response.output_text.done`), or stands beside its
   * block (a citation's quote, what the provider's own tools found, an error's message). Inspected by itself, never counted as output.
   */
  readonly repeats?: true;
  /** Passes whole or not at all: under the provider's signature (Anthropic's thinking), or in bytes that are no JSON. */
  readonly signed?: true;
  /** Said in sound beside it too: what may pass as it is (`TextEdit.ifFixed`) is changed here, and what may not would still be heard. */
  readonly spoken?: true;
  /** The text is a JSON value that stands in the answer as such, not as a string (Anthropic's and Gemini's arguments in JSON bodies). */
  readonly raw?: true;
}

/** A tool that the model calls. */
export interface ToolCall {
  readonly choice: number;
  readonly block: number;
  readonly name: string;
  /** The provider's id of the call; "" where it gives none. */
  readonly id: string;
  /** Name by which a request offers it, where that is another: the label of its server, or what the provider calls the tool there. */
  readonly offeredAs?: string;
  /** The provider sends no JSON but a plain text, `key` is what it calls it; `beside`: what else the call says (of a patch, for which file). */
  readonly plain?: { readonly key: string; readonly beside?: Readonly<Record<string, Json>> };
  /** JSON text as the provider sent it, whole; of a `plain` one an object that holds it. */
  readonly arguments: string;
}

/** What is known of an answer, so far or at its end. */
export interface AnswerSummary {
  /** The provider's own end of the answer was seen (`[DONE]`, `message_stop`, `response.completed`, a whole JSON body). */
  readonly complete: boolean;
  /** The answer carries an error object, although its status may be 200. Only its type, never its message. */
  readonly error: string | undefined;
  /** The provider's own finish reasons, one a choice. */
  readonly finishReasons: readonly string[];
  /** The model that the provider says answered. */
  readonly model: string | undefined;
  /** The provider's id of the answer. */
  readonly responseId: string | undefined;
  /** The service tier in which the provider says it was made (`default`, `priority`, `flex`); absent: it does not say. */
  readonly serviceTier?: string;
  /** What the answer says it made at the provider besides itself (output items, containers); absent: nothing. */
  readonly created?: readonly CreatedState[];
  /** Names of tools the model called. */
  readonly toolCalls: readonly string[];
  /** Events of a kind that the codec does not know; passed on untouched. */
  readonly unknownEvents: number;
  /** Events that were not valid JSON; passed on untouched. */
  readonly invalidEvents: number;
  /** Characters of output seen, all channels together. */
  readonly outputChars: number;
}
