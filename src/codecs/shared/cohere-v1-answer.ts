import type { AnswerContext, TailReason } from "../../core/codec.ts";
import { DENIALS } from "../../core/denials.ts";
import { field, type Json } from "../../core/json.ts";
import { CALL_CHARS_MAX } from "../../core/limits.ts";
import type { Usage } from "../../core/usage.ts";
import type { AnswerMapper } from "./answer-reader.ts";
import { AnswerTally, isRewritable, listField, textField } from "./answer-tally.ts";
import { AnswerTexts, beginEvent, silentAnd } from "./answer-texts.ts";
import { cohereUsage, cohereUsageOf } from "./cohere-usage.ts";
import { cohereV1Event } from "./said-cohere.ts";
import { isSameArguments } from "./stray-calls.ts";

/** Block of the plan for tools, which stands beside the text and the calls. */
const PLAN_BLOCK = 10_000;
/** Most calls that are told apart. */
const CALLS_MAX = 10_000;
/** Members that are read, or hold no text, by where they stand. */
const KEYS = {
  whole: silentAnd("text", "generation_id", "response_id", "finish_reason", "meta", "tool_calls", "chat_history", "prompt"),
  event: silentAnd("event_type", "is_finished", "finish_reason", "generation_id", "response", "text", "tool_calls", "tool_call_delta"),
  call: silentAnd("name", "parameters"),
};

/** What each event is read for. */
const READS: ReadonlyMap<string, readonly string[]> = new Map([
  ["text-generation", ["text"]],
  ["tool-calls-chunk", ["text", "tool_call_delta"]],
  ["tool-calls-generation", ["text", "tool_calls"]],
  ["stream-end", ["response"]],
]);

/**
 * Reads chat of version 1: one body, or a stream of one object a line (or server-sent events, where those were asked for). Only the last
 * object of a stream, `stream-end`, has the usage, in the whole answer that it repeats. Calls may come in chunks, whole, and once more at
 * the end: where they come first they are the lane, then repeats. Documents, citations and
 * the history's last turn stand beside the text.
 */
export class CohereV1Answer implements AnswerMapper {
  readonly tally = new AnswerTally();
  readonly texts: AnswerTexts;
  readonly #status: number;
  readonly #sse: boolean;
  #usageJson: Json | undefined;
  #begun = false;
  #text = "";
  /** Calls as they have come. */
  readonly #called = new Map<number, Called>();

  constructor(context: AnswerContext, options: { readonly sse: boolean }, texts: AnswerTexts = new AnswerTexts(context)) {
    this.#status = context.status;
    this.texts = texts;
    this.#sse = options.sse;
  }

  usage(): Usage | undefined {
    return cohereUsage(this.#usageJson);
  }

  body(json: Json): void {
    this.tally.complete = true;
    if (this.#status >= 400) {
      this.tally.failed("error");
      this.texts.walk(0, 0, json);
      return;
    }
    this.texts.add(0, 0, "content", json, "text");
    this.#whole(json);
    this.#calls(json);
    this.#repeated(json);
  }

  event(name: string | undefined, data: string): void {
    if (data === "[DONE]") return;
    const event = beginEvent(this, data);
    if (event !== undefined) this.eventJson(name, event);
  }

  /** An event that was parsed, and begun in `texts`, already. */
  eventJson(name: string | undefined, event: Json): void {
    this.#step(textField(event, "event_type") || name, event);
    this.texts.walk(0, 0, event, KEYS.event);
    const read = READS.get(textField(event, "event_type") || name || "") ?? [];
    for (const key of ["text", "response", "tool_calls", "tool_call_delta"]) {
      if (!read.includes(key)) this.texts.other(0, 0, event, key);
    }
  }

  #step(type: string | undefined, event: Json): void {
    const { texts } = this;
    switch (type) {
      case "stream-start":
        this.#begun = true;
        this.tally.answeredBy(undefined, field(event, "generation_id"));
        return;
      case "text-generation":
        // Kept for the end that a cut makes; the cap of an exchange's bytes bounds it.
        this.#text += textField(event, "text");
        texts.add(0, 0, "content", event, "text");
        return;
      case "tool-calls-chunk":
        texts.add(0, PLAN_BLOCK, "reasoning", event, "text");
        this.#chunk(field(event, "tool_call_delta"));
        return;
      case "tool-calls-generation":
        texts.beside(0, PLAN_BLOCK, "reasoning", event, "text");
        if (texts.guarded) this.#calls(event);
        return;
      case "stream-end":
        this.tally.complete = true;
        if (textField(event, "finish_reason").startsWith("ERROR")) this.tally.failed(field(event, "finish_reason"));
        this.#ended(field(event, "response") ?? event);
        return;
      case "search-queries-generation":
      case "search-results":
      case "citation-generation":
      case "debug":
        return;
      default:
        this.tally.unknownEvents++;
    }
  }

  /** What is said instead of the rest is text, before the end that repeats it all. */
  tail(reason: TailReason): string {
    if (this.tally.complete) return "";
    const finish = { error: "ERROR", length: "MAX_TOKENS", filtered: "ERROR_TOXIC" }[reason.kind];
    const said = reason.kind === "filtered" ? (reason.text ?? "") : "";
    const response: Record<string, Json> = { text: this.#text + said, finish_reason: finish };
    const ours = reason.kind === "error" ? undefined : cohereUsageOf(reason.usage);
    if (this.#usageJson !== undefined && isRewritable(this.#usageJson)) response["meta"] = this.#usageJson;
    else if (ours !== undefined) response["meta"] = ours;
    const end: Record<string, Json> = { is_finished: true, event_type: "stream-end", finish_reason: finish, response };
    if (reason.kind === "error")
      end["error"] = { message: reason.denial.detail ?? DENIALS[reason.denial.code].text, code: reason.denial.code, id: reason.requestId };
    const start = this.#begun || reason.kind === "error" ? "" : this.#event("stream-start", { generation_id: "not-begun" });
    return start + (said === "" ? "" : this.#event("text-generation", { text: said })) + this.#event("stream-end", end);
  }

  #event(type: string, members: Readonly<Record<string, Json>>): string {
    return cohereV1Event(type, members, { sse: this.#sse });
  }

  /** The members of a whole answer but for its text and calls. */
  #whole(json: Json): void {
    this.tally.answeredBy(undefined, field(json, "generation_id"));
    this.tally.finished(field(json, "finish_reason"));
    this.#usageJson = field(json, "meta") ?? this.#usageJson;
    for (const call of listField(json, "tool_calls")) this.tally.calledTool(field(call, "name"));
    this.texts.walk(0, 0, json, KEYS.whole);
    // The history up to the answer is the caller's own.
    const history = listField(json, "chat_history");
    for (const turn of history.slice(0, -1)) {
      this.texts.opaque(turn);
      this.texts.walk(0, 0, turn, undefined, "echo");
    }
    this.texts.walk(0, 0, history.at(-1));
    this.texts.echo(json, "prompt");
    this.texts.erase(0, json, "citations", "[]");
  }

  /** The whole answer once more: its text is what came in pieces. */
  #ended(response: Json): void {
    this.#whole(response);
    if (this.#text === "") this.texts.add(0, 0, "content", response, "text");
    else this.texts.beside(0, 0, "content", response, "text");
    if (this.texts.guarded) this.#calls(response);
    this.#repeated(response);
    this.texts.endAll();
  }

  #calls(json: Json): void {
    for (const [block, call] of listField(json, "tool_calls").entries()) {
      const known = this.#called.get(block);
      const first = known === undefined;
      this.texts.readAsCall(call);
      if (known === undefined) {
        if (this.#called.size < CALLS_MAX)
          this.#called.set(block, { name: textField(call, "name"), text: wholeText(field(call, "parameters")) });
        this.texts.call(0, block, textField(call, "name"), "");
      } else if (!isSame(known, call)) this.texts.doubt();
      if (!this.texts.addValue(0, block, "tool_arguments", call, "parameters", first ? undefined : "repeats")) this.tally.invalidEvents++;
      this.texts.walk(0, block, call, KEYS.call);
    }
  }

  #chunk(call: Json | undefined): void {
    const at = field(call, "index");
    const block = typeof at === "number" && Number.isSafeInteger(at) && at >= 0 ? at : 0;
    this.texts.readAsCall(call);
    const [name, text] = [textField(call, "name"), textField(call, "parameters")];
    if (name !== "") this.texts.call(0, block, name, "");
    const known = this.#called.get(block);
    if (known !== undefined) {
      known.name = name || known.name;
      // What is longer no rule checks.
      if (known.text.length <= CALL_CHARS_MAX) known.text += text;
    } else if (name + text !== "" && this.#called.size < CALLS_MAX) this.#called.set(block, { name, text });
    this.texts.add(0, block, "tool_arguments", call, "parameters");
    this.texts.walk(0, block, call, KEYS.call);
  }

  /** The last turn of the history says the calls once more. */
  #repeated(json: Json): void {
    if (!this.texts.guarded) return;
    for (const [block, call] of listField(listField(json, "chat_history").at(-1), "tool_calls").entries()) {
      this.texts.readAsCall(call);
      const known = this.#called.get(block);
      if (known === undefined || !isSame(known, call)) this.texts.doubt();
      this.texts.opaque(field(call, "parameters"));
    }
  }
}

interface Called {
  name: string;
  text: string;
}
const wholeText = (value: Json | undefined): string => (value === undefined || !isRewritable(value) ? "" : JSON.stringify(value));
const isSame = ({ name, text }: Called, call: Json): boolean =>
  name === textField(call, "name") && isSameArguments(text, wholeText(field(call, "parameters")));
