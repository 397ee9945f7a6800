import type { IncomingHttpHeaders } from "node:http";
import type { Answer, Ask, Piece } from "./answer.ts";
import type { Faults } from "./faults.ts";

/** Method and path of a request, and what of its headers decides whose dialect it is. */
export interface Arrival {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
}

/** An error answer as the provider writes it. */
export interface ErrorReply {
  readonly status: number;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A streamed answer: its pieces, and what the provider sends when it fails in the middle. */
export interface StreamReply {
  readonly pieces: Iterable<Piece>;
  fail(): string | Uint8Array;
}

/** A request that was understood. `stream` is absent where the surface does not stream. */
export interface Opened {
  readonly ask: Ask;
  /** Content type of the answer that was asked for. */
  readonly contentType: string;
  /** Further headers of the answer. */
  headers?(answer: Answer): Record<string, string>;
  unary(answer: Answer, faults: Faults): string | Uint8Array;
  stream?(answer: Answer, faults: Faults): StreamReply;
}

/** The provider's way to say no; every text is fixed or names what the request itself named. */
export interface ErrorStyle {
  readonly name: "openai" | "anthropic" | "gemini" | "cohere" | "bedrock";
  /** `undefined`: the credential is right. */
  checkKey(arrival: Arrival, key: string): ErrorReply | undefined;
  notFound(arrival: Arrival): ErrorReply;
  badRequest(message: string): ErrorReply;
  fault(status: number): ErrorReply;
  /** Headers on every answer of this provider. */
  headers(requestNumber: number): Record<string, string>;
}

/** One API of one provider. */
export interface Surface {
  readonly name: string;
  readonly style: ErrorStyle;
  match(arrival: Arrival): boolean;
  /** A string says what is wrong with the request, in the provider's words. */
  open(body: unknown, arrival: Arrival, raw: Buffer): Opened | string;
}

/** Surfaces without a body (lists) get this. */
export const NO_ASK: Ask = {
  model: "",
  streaming: false,
  texts: [],
  lastUserText: "",
  afterToolResult: false,
  maxTokens: undefined,
  choices: 0,
  tools: [],
  toolChoice: "auto",
  json: undefined,
  reasoning: false,
};

export const JSON_TYPE = "application/json";
export const SSE_TYPE = "text/event-stream; charset=utf-8";
