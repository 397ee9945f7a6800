import type { TailReason } from "../../core/codec.ts";
import { DENIALS, type Denial } from "../../core/denials.ts";
import { field, isJsonObject, type Json, parseJsonValue } from "../../core/json.ts";
import type { Usage } from "../../core/usage.ts";
import type { Delta } from "../../core/view.ts";
import type { AnswerMapper } from "./answer-reader.ts";
import { AnswerTally, isRewritable, listField, sseEvent, textField } from "./answer-tally.ts";
import { AnswerTexts } from "./answer-texts.ts";
import { cohereUsage } from "./cohere-usage.ts";

/** Most blocks followed; real answers have a few. Later ones pass on unread and count as unknown. */
const BLOCKS_MAX = 10_000;
const NO_DELTAS: readonly Delta[] = [];
/** The last bytes of a stream of version 2. */
const DONE = "data: [DONE]\n\n";

/** What ends a stream of version 2 with an error. Cohere's SDKs know no error event: the reason to finish is where a caller looks. */
export function cohereErrorEvent(denial: Denial, requestId: string): string {
  const text = denial.detail ?? DENIALS[denial.code].text;
  const delta = { finish_reason: "ERROR", error: text, code: denial.code };
  return sseEvent("message-end", { type: "message-end", id: requestId, delta }) + DONE;
}

/** Reads answers of version 2 (chat whole or as events), and of embed and rerank of both versions, whose vectors are no text. */
export class CohereAnswer implements AnswerMapper {
  readonly tally = new AnswerTally();
  readonly texts = new AnswerTexts({});
  event(name: string | undefined, data: string): void {
    this.texts.give(this.#readEvent(name, data));
  }
  body(json: Json): void {
    this.texts.give(this.#readBody(json));
  }
  readonly #status: number;
  #usageJson: Json | undefined;
  /** Events that close what is open, by what opened it. */
  readonly #open = new Map<string, Json>();

  constructor(status: number) {
    this.#status = status;
  }

  usage(): Usage | undefined {
    return cohereUsage(this.#usageJson);
  }

  #readBody(json: Json): readonly Delta[] {
    this.tally.complete = true;
    if (this.#status >= 400) {
      this.tally.failed("error");
      return NO_DELTAS;
    }
    this.tally.answeredBy(field(json, "model"), field(json, "id") ?? field(json, "generation_id"));
    this.tally.finished(field(json, "finish_reason"));
    this.#usageJson = field(json, "usage") ?? field(json, "meta");
    const out: Delta[] = [];
    const message = field(json, "message");
    for (const [block, part] of listField(message, "content").entries()) contentDeltas(part, block, out);
    add(out, 0, "reasoning", textField(message, "tool_plan"));
    for (const [block, call] of listField(message, "tool_calls").entries()) this.#call(call, block, out);
    return out;
  }

  #readEvent(name: string | undefined, data: string): readonly Delta[] {
    const event = parseJsonValue(data);
    if (!isJsonObject(event)) {
      if (data !== "[DONE]") this.tally.invalidEvents++;
      return NO_DELTAS;
    }
    const at = field(event, "index");
    const index = typeof at === "number" && Number.isSafeInteger(at) && at >= 0 ? at : 0;
    const message = field(field(event, "delta"), "message");
    const out: Delta[] = [];
    switch (textField(event, "type") || name) {
      case "message-start":
        this.tally.answeredBy(undefined, field(event, "id"));
        break;
      case "content-start":
        this.#opened(`content-${index}`, { type: "content-end", index });
        contentDeltas(field(message, "content"), index, out);
        break;
      case "content-delta":
        contentDeltas(field(message, "content"), index, out);
        break;
      case "content-end":
        this.#open.delete(`content-${index}`);
        break;
      case "tool-plan-delta":
        add(out, 0, "reasoning", textField(message, "tool_plan"));
        break;
      case "tool-call-start":
        this.#opened(`tool-${index}`, { type: "tool-call-end", index });
        this.#call(field(message, "tool_calls"), index, out);
        break;
      case "tool-call-delta":
        add(out, index, "tool_arguments", textField(field(field(message, "tool_calls"), "function"), "arguments"));
        break;
      case "tool-call-end":
        this.#open.delete(`tool-${index}`);
        break;
      case "message-end":
        this.#ended(field(event, "delta"));
        break;
      case "citation-start":
      case "citation-end":
      case "debug":
        break;
      default:
        this.tally.unknownEvents++;
    }
    return out;
  }

  /** At a length: what is open is closed, then the message, with the usage so far. */
  tail(reason: TailReason): string {
    if (this.tally.complete) return "";
    if (reason.kind === "error") return cohereErrorEvent(reason.denial, reason.requestId);
    let text = "";
    for (const closing of this.#open.values()) text += sseEvent(textField(closing, "type"), closing);
    const usage = this.#usageJson !== undefined && isRewritable(this.#usageJson) ? { usage: this.#usageJson } : {};
    return text + sseEvent("message-end", { type: "message-end", delta: { finish_reason: "MAX_TOKENS", ...usage } }) + DONE;
  }

  #opened(key: string, closing: Json): void {
    if (this.#open.size >= BLOCKS_MAX) this.tally.unknownEvents++;
    else this.#open.set(key, closing);
  }

  #call(call: Json | undefined, block: number, out: Delta[]): void {
    const called = field(call, "function");
    this.tally.calledTool(field(called, "name"));
    add(out, block, "tool_arguments", textField(called, "arguments"));
  }

  #ended(delta: Json | undefined): void {
    const reason = field(delta, "finish_reason");
    this.tally.complete = true;
    this.tally.finished(reason);
    if (field(delta, "error") !== undefined || reason === "ERROR") this.tally.failed(reason ?? "error");
    this.#usageJson = field(delta, "usage") ?? this.#usageJson;
  }
}

function add(out: Delta[], block: number, channel: Delta["channel"], text: string): void {
  if (text !== "") out.push({ choice: 0, block, channel, text });
}

/** A content part, whole or in pieces; thinking has a member of its own. */
function contentDeltas(part: Json | undefined, block: number, out: Delta[]): void {
  add(out, block, "reasoning", textField(part, "thinking"));
  add(out, block, "content", textField(part, "text"));
}

/**
 * Reads chat of version 1: one body, or a stream of one object a line (or server-sent events, where those were asked for). Only the last
 * object of a stream, `stream-end`, has the usage, in the whole answer that it repeats.
 */
export class CohereV1Answer implements AnswerMapper {
  readonly tally = new AnswerTally();
  readonly texts = new AnswerTexts({});
  event(name: string | undefined, data: string): void {
    this.texts.give(this.#readEvent(name, data));
  }
  body(json: Json): void {
    this.texts.give(this.#readBody(json));
  }
  readonly #status: number;
  readonly #sse: boolean;
  #usageJson: Json | undefined;
  #text = "";

  constructor(status: number, options: { readonly sse: boolean }) {
    this.#status = status;
    this.#sse = options.sse;
  }

  usage(): Usage | undefined {
    return cohereUsage(this.#usageJson);
  }

  #readBody(json: Json): readonly Delta[] {
    this.tally.complete = true;
    if (this.#status >= 400) {
      this.tally.failed("error");
      return NO_DELTAS;
    }
    const out: Delta[] = [];
    add(out, 0, "content", textField(json, "text"));
    this.#whole(json, out);
    return out;
  }

  #readEvent(name: string | undefined, data: string): readonly Delta[] {
    const event = parseJsonValue(data);
    if (!isJsonObject(event)) {
      if (data !== "[DONE]") this.tally.invalidEvents++;
      return NO_DELTAS;
    }
    const out: Delta[] = [];
    switch (textField(event, "event_type") || name) {
      case "stream-start":
        this.tally.answeredBy(undefined, field(event, "generation_id"));
        break;
      case "text-generation":
        // Kept for the end that a cut makes; the cap of an exchange's bytes bounds it.
        this.#text += textField(event, "text");
        add(out, 0, "content", textField(event, "text"));
        break;
      case "tool-calls-chunk":
        this.#chunk(field(event, "tool_call_delta"), textField(event, "text"), out);
        break;
      case "stream-end":
        this.tally.complete = true;
        if (textField(event, "finish_reason").startsWith("ERROR")) this.tally.failed(field(event, "finish_reason"));
        // Its text is what came in pieces.
        this.#whole(field(event, "response") ?? event, []);
        break;
      case "tool-calls-generation":
      case "search-queries-generation":
      case "search-results":
      case "citation-generation":
      case "debug":
        break;
      default:
        this.tally.unknownEvents++;
    }
    return out;
  }

  tail(reason: TailReason): string {
    if (this.tally.complete) return "";
    const failed = reason.kind === "error";
    const response: Record<string, Json> = { text: this.#text, finish_reason: failed ? "ERROR" : "MAX_TOKENS" };
    if (this.#usageJson !== undefined && isRewritable(this.#usageJson)) response["meta"] = this.#usageJson;
    const end: Record<string, Json> = {
      is_finished: true,
      event_type: "stream-end",
      finish_reason: response["finish_reason"] ?? null,
      response,
    };
    if (failed)
      end["error"] = { message: reason.denial.detail ?? DENIALS[reason.denial.code].text, code: reason.denial.code, id: reason.requestId };
    return this.#sse ? sseEvent("stream-end", end) : `${JSON.stringify(end)}\n`;
  }

  #whole(json: Json, out: Delta[]): void {
    this.tally.answeredBy(undefined, field(json, "generation_id"));
    this.tally.finished(field(json, "finish_reason"));
    this.#usageJson = field(json, "meta") ?? this.#usageJson;
    for (const [block, call] of listField(json, "tool_calls").entries()) {
      this.tally.calledTool(field(call, "name"));
      const parameters = field(call, "parameters");
      if (parameters === undefined || parameters === null) continue;
      if (isRewritable(parameters)) add(out, block, "tool_arguments", JSON.stringify(parameters));
      else this.tally.invalidEvents++;
    }
  }

  #chunk(call: Json | undefined, plan: string, out: Delta[]): void {
    add(out, 0, "reasoning", plan);
    const at = field(call, "index");
    add(out, typeof at === "number" && Number.isSafeInteger(at) && at >= 0 ? at : 0, "tool_arguments", textField(call, "parameters"));
  }
}
