/**
 * The life of one exchange (one HTTP request and its answer = one ext_proc stream) as a pure state machine.
 *
 * It knows the order of Envoy's phases, which message owes which answer, and when the exchange is over; bodies, headers and
 * decisions stay with the driver, which executes the commands and reports results as further inputs.
 *
 * Steps: identify at the request headers -> decide once the body is there -> forward, or reply -> at the response headers
 * choose hold (unary, errors: headers wait until the body was judged) or stream (headers with the first piece of the body, which
 * is then passed on as it is released) -> settle when Envoy closes the stream, however it closes.
 *
 * Trade-off: settlement waits for the close, so an exchange is charged a moment after its last byte, and exactly once.
 * A running answer whose own last event has been passed on is served, also where the stream closes before the body's end: SDKs
 * read `[DONE]` and hang up, and Envoy then has no end of the body to hand over.
 * Known miss: a stream that closes before that may be the client's leaving or the provider's break; Envoy does not say which, so
 * both end `aborted`.
 */
import type { Ending } from "../core/record.ts";

export type Phase = "request_headers" | "request_body" | "response_headers" | "response_body" | "response_trailers" | "request_trailers";

/** `await_*` states wait for the driver, `read_*` for Envoy. */
type State =
  | "start"
  | "await_identified"
  | "read_request_body"
  | "await_decided"
  | "read_response_headers"
  | "await_opened"
  | "hold"
  | "await_judged"
  /** A stream whose headers wait for its first piece: Envoy takes no body of ours before it sent one of its own. */
  | "read_first_body"
  | "stream"
  | "finished"
  | "closed";

export interface Exchange {
  readonly state: State;
  /** The request phase whose answer the decision will be. */
  readonly decidingAt: "request_headers" | "request_body";
  /** The message being worked on was the last of its direction. */
  readonly lastSeen: boolean;
  /** The answer ended with trailers, which are owed an answer of their own after the body. */
  readonly trailers: boolean;
  /** Trailers are in and wait for the body's judgement. */
  readonly ending: Ending | undefined;
}

export const START: Exchange = { state: "start", decidingAt: "request_headers", lastSeen: false, trailers: false, ending: undefined };

/** A message of Envoy's. `end`: the last of its direction; absent on trailers. */
interface RequestInput {
  readonly on: "request_headers" | "request_body" | "request_trailers";
  readonly end?: boolean;
}
interface ResponseInput {
  readonly on: "response_headers" | "response_body" | "response_trailers";
  readonly end?: boolean;
}

export type Input =
  | RequestInput
  | ResponseInput
  /** Who is calling and which surface: go on, or reply at once. */
  | { readonly on: "identified"; readonly reply: Ending | undefined }
  | { readonly on: "decided"; readonly reply: Ending | undefined }
  | { readonly on: "opened"; readonly as: "hold" | "stream" }
  /** The held answer was judged: passed on, or replaced; and how the exchange ends with it. */
  | { readonly on: "judged"; readonly as: "pass" | "replace"; readonly ending: Ending }
  /** Guards ended the answer; its end has been sent. */
  | { readonly on: "cut"; readonly ending: Ending }
  /** A timer of Sluice's own ran out, or held bytes passed their cap. `complete` as below. */
  | { readonly on: "expired"; readonly complete: boolean }
  /** Something unexpected inside Sluice. */
  | { readonly on: "fault" }
  /** `complete`: the answer's own last event was read; in a running answer it has been passed on with that. */
  | { readonly on: "closed"; readonly complete: boolean };

export type Command =
  | { readonly do: "identify"; readonly end: boolean }
  | { readonly do: "decide"; readonly at: "request_headers" | "request_body" }
  /** CONTINUE, nothing changed. */
  | { readonly do: "continue"; readonly at: Phase }
  /** CONTINUE with the plan: header and body edits, chain, route. */
  | { readonly do: "forward"; readonly at: "request_headers" | "request_body" }
  /** An immediate response instead of the provider's. */
  | { readonly do: "reply"; readonly at: "request_headers" | "request_body" }
  | { readonly do: "open" }
  /** Keep the current body message. */
  | { readonly do: "hold" }
  | { readonly do: "judge"; readonly why: "whole" | "expired" | "fault" }
  /** Response headers to the caller, then (hold only) the whole held body. */
  | { readonly do: "release"; readonly as: "pass" | "replace"; readonly end: boolean }
  | { readonly do: "stream_headers" }
  /** Read the current body message, pass on what it releases. `end`: the provider's last. */
  | { readonly do: "feed"; readonly end: boolean }
  /** Give up what the reader still holds; then let the trailers that wait go on. */
  | { readonly do: "flush" }
  /** End the running answer with a well-formed tail. */
  | { readonly do: "tail"; readonly why: "expired" | "fault" }
  /** The running answer is whole but for the body's end, which does not come: end it. */
  | { readonly do: "finish" }
  /** Fail the gRPC call with a status other than OK: Envoy then fails the exchange closed. Never a clean end. */
  | { readonly do: "fail"; readonly why: string }
  | { readonly do: "settle"; readonly ending: Ending };

export type Step = readonly [Exchange, readonly Command[]];
const NONE: readonly Command[] = [];

/** One input, the next state, what to do. Inputs that come too late (a decision after the client left) change nothing. */
export function step(now: Exchange, input: Input): Step {
  if (now.state === "closed") return [now, NONE];
  switch (input.on) {
    case "closed":
      return [{ ...now, state: "closed" }, [{ do: "settle", ending: now.ending ?? (isWhole(now, input) ? "served" : "aborted") }]];
    case "fault":
      return onFault(now);
    case "expired":
      return onExpired(now, input);
    case "request_headers":
    case "request_body":
    case "request_trailers":
      return onRequest(now, input);
    case "response_headers":
    case "response_body":
    case "response_trailers":
      return onResponse(now, input);
    case "identified":
      return onIdentified(now, input.reply);
    case "decided":
      return onDecided(now, input.reply);
    case "opened":
      return onOpened(now, input.as);
    case "judged":
      return onJudged(now, input.as, input.ending);
    case "cut":
      // Where the provider's last bytes were read before the guards were done with them, the exchange had been taken as served.
      return now.state === "stream" || (now.state === "finished" && now.ending === "served")
        ? [{ ...now, state: "finished", ending: input.ending }, NONE]
        : [now, NONE];
  }
}

function onRequest(now: Exchange, input: RequestInput): Step {
  if (now.state === "finished") return [now, NONE];
  if (input.on === "request_headers" && now.state === "start") {
    const end = input.end === true;
    return [{ ...now, state: "await_identified", lastSeen: end }, [{ do: "identify", end }]];
  }
  // BUFFERED: one message holds the whole body; `end` is false only where trailers follow, which the filter skips.
  if (input.on === "request_body" && now.state === "read_request_body") {
    return [{ ...now, state: "await_decided", decidingAt: "request_body" }, [{ do: "decide", at: "request_body" }]];
  }
  if (input.on === "request_trailers" && now.state !== "start") return [now, [{ do: "continue", at: "request_trailers" }]];
  return fail(now, `${input.on} in state ${now.state}`);
}

function onIdentified(now: Exchange, reply: Ending | undefined): Step {
  if (now.state !== "await_identified") return [now, NONE];
  if (reply !== undefined) return [{ ...now, state: "finished", ending: reply }, [{ do: "reply", at: "request_headers" }]];
  if (now.lastSeen) return [{ ...now, state: "await_decided", decidingAt: "request_headers" }, [{ do: "decide", at: "request_headers" }]];
  return [{ ...now, state: "read_request_body" }, [{ do: "continue", at: "request_headers" }]];
}

function onDecided(now: Exchange, reply: Ending | undefined): Step {
  // Late: the client left, or Envoy answered on its own while the decision ran.
  if (now.state !== "await_decided") return [now, NONE];
  if (reply !== undefined) return [{ ...now, state: "finished", ending: reply }, [{ do: "reply", at: now.decidingAt }]];
  return [{ ...now, state: "read_response_headers" }, [{ do: "forward", at: now.decidingAt }]];
}

function onResponse(now: Exchange, input: ResponseInput): Step {
  const end = input.end === true;
  switch (now.state) {
    case "finished":
      // After an early end Envoy may still hand over what was on its way; none of it is owed an answer.
      return [now, NONE];
    case "start":
    case "await_identified":
    case "read_request_body":
    case "await_decided":
    case "read_response_headers":
      // Before `forward` this is a local reply of Envoy's own (413, 408 ...): the same path judges it.
      if (input.on !== "response_headers") break;
      return [{ ...now, state: "await_opened", lastSeen: end }, [{ do: "open" }]];
    case "hold":
      if (input.on === "response_body") {
        if (!end) return [now, [{ do: "hold" }]];
        return [{ ...now, state: "await_judged", lastSeen: true }, [{ do: "hold" }, { do: "judge", why: "whole" }]];
      }
      if (input.on === "response_trailers") return [{ ...now, state: "await_judged", trailers: true }, [{ do: "judge", why: "whole" }]];
      break;
    case "read_first_body":
      return onStream(now, input, [{ do: "stream_headers" }]);
    case "stream":
      return onStream(now, input, NONE);
    case "await_opened":
    case "await_judged":
    case "closed":
      break;
  }
  return fail(now, `${input.on} in state ${now.state}`);
}

function onStream(now: Exchange, input: ResponseInput, first: readonly Command[]): Step {
  switch (input.on) {
    case "response_body":
      if (input.end !== true) return [{ ...now, state: "stream" }, [...first, { do: "feed", end: false }]];
      return [{ ...now, state: "finished", ending: "served" }, [...first, { do: "feed", end: true }]];
    case "response_trailers":
      return [{ ...now, state: "finished", ending: "served" }, [...first, { do: "flush" }]];
    case "response_headers":
      return fail(now, `${input.on} in state ${now.state}`);
  }
}

function onOpened(now: Exchange, as: "hold" | "stream"): Step {
  if (now.state !== "await_opened") return [now, NONE];
  if (as === "hold") {
    if (now.lastSeen) return [{ ...now, state: "await_judged" }, [{ do: "judge", why: "whole" }]];
    return [{ ...now, state: "hold" }, NONE];
  }
  if (now.lastSeen) return [{ ...now, state: "finished", ending: "served" }, [{ do: "stream_headers" }]];
  return [{ ...now, state: "read_first_body" }, NONE];
}

function onJudged(now: Exchange, as: "pass" | "replace", ending: Ending): Step {
  if (now.state !== "await_judged") return [now, NONE];
  const commands: Command[] = [{ do: "release", as, end: !now.trailers }];
  if (now.trailers) commands.push({ do: "continue", at: "response_trailers" });
  return [{ ...now, state: "finished", ending }, commands];
}

/** Everything of the answer is with the caller, only the end of its body is not. */
const isWhole = (now: Exchange, input: { readonly complete: boolean }): boolean => now.state === "stream" && input.complete;

function onExpired(now: Exchange, input: { readonly complete: boolean }): Step {
  if (isWhole(now, input)) return [{ ...now, state: "finished", ending: "served" }, [{ do: "finish" }]];
  if (now.state === "hold" || now.state === "read_first_body")
    return [{ ...now, state: "await_judged" }, [{ do: "judge", why: "expired" }]];
  if (now.state === "stream") return [{ ...now, state: "finished", ending: "cut" }, [{ do: "tail", why: "expired" }]];
  // Before the response headers Envoy's own timers hold; the decision has its own deadline.
  return [now, NONE];
}

function onFault(now: Exchange): Step {
  switch (now.state) {
    case "await_identified":
      return [{ ...now, state: "finished", ending: "refused" }, [{ do: "reply", at: "request_headers" }]];
    case "await_decided":
      return [{ ...now, state: "finished", ending: "refused" }, [{ do: "reply", at: now.decidingAt }]];
    case "hold":
    case "read_first_body":
      return [{ ...now, state: "await_judged" }, [{ do: "judge", why: "fault" }]];
    case "stream":
      return [{ ...now, state: "finished", ending: "cut" }, [{ do: "tail", why: "fault" }]];
    default:
      return fail(now, `fault in state ${now.state}`);
  }
}

function fail(now: Exchange, why: string): Step {
  return [{ ...now, state: "finished", ending: now.ending ?? "aborted" }, [{ do: "fail", why }]];
}
