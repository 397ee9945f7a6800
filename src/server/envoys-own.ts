import type { EnvoyMessage } from "../envoy/decode.ts";
import { encodeAnswerBody, encodeContinue } from "../envoy/encode.ts";
import type { WireResponse } from "../envoy/wire.ts";

/**
 * What Envoy answers before any filter has seen the request (an upgrade, Envoy 1.40) comes as an answer without a request. Its text
 * is Envoy's local reply already, in the caller's dialect; the access log has it, and there is no exchange to record.
 */
export class EnvoysOwn {
  #passing = false;

  /**
   * What the message is answered with; undefined: it belongs to an exchange. `begun`: request headers have come. "fault": a request
   * after an answer that needed none. No Envoy sends that; were it judged, its own answer would pass as Envoy's.
   */
  answerTo(message: Exclude<EnvoyMessage, { readonly phase: "invalid" }>, begun: boolean): WireResponse | "fault" | undefined {
    if (message.phase === "response_headers" && !begun) this.#passing = message.servedBy?.details !== "via_upstream";
    if (!this.#passing) return undefined;
    if (message.phase.startsWith("request_")) return "fault";
    return message.phase === "response_body" ? encodeAnswerBody(message.bytes, message.end) : encodeContinue(message.phase);
  }
}
