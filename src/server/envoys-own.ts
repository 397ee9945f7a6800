import type { EnvoyMessage } from "../envoy/decode.ts";
import { encodeAnswerBody, encodeContinue } from "../envoy/encode.ts";
import type { WireResponse } from "../envoy/wire.ts";

/**
 * What Envoy answers before any filter has seen the request (an upgrade, Envoy 1.40) comes as an answer without a request. Its text
 * is Envoy's local reply already, in the caller's dialect; the access log has it, and there is no exchange to record.
 */
export class EnvoysOwn {
  #passing = false;

  /** What the message is answered with; undefined: it belongs to an exchange. `begun`: request headers have come. */
  answerTo(message: Exclude<EnvoyMessage, { readonly phase: "invalid" }>, begun: boolean): WireResponse | undefined {
    if (message.phase === "response_headers" && !begun) this.#passing = message.servedBy?.details !== "via_upstream";
    // A request after that is none of Envoy's ways: it is judged like any other.
    if (!this.#passing || message.phase.startsWith("request_")) return undefined;
    return message.phase === "response_body" ? encodeAnswerBody(message.bytes, message.end) : encodeContinue(message.phase);
  }
}
