import type { AnswerContext, TailReason } from "../../core/codec.ts";
import { field, type Json, parseJsonValue } from "../../core/json.ts";
import type { Usage } from "../../core/usage.ts";
import type { Delta } from "../../core/view.ts";
import type { AnswerMapper } from "./answer-reader.ts";
import { AnswerTally, isRewritable, listField, textField } from "./answer-tally.ts";
import { AnswerTexts } from "./answer-texts.ts";
import { calledTool, type DeltaRule, itemTexts, PLAIN_EVENTS, TEXT_EVENTS } from "./responses-items.ts";
import { errorTail, lengthTail, type OutputItem } from "./responses-tail.ts";
import { responsesUsage } from "./responses-usage.ts";

/** Most output items followed; real answers have tens. Later ones pass on unread and count as unknown. */
const ITEMS_MAX = 10_000;
/** Characters of output kept so that a stream can be ended with the output so far; about twice the longest real answer. */
const KEPT_CHARS_MAX = 4_000_000;
/** Most texts followed in one item; real ones have a handful. */
const SLOTS_MAX = 1000;
const NO_DELTAS: readonly Delta[] = [];

/**
 * Reads a response of the Responses API, whole or as events.
 *
 * `Delta.block` is the `output_index`. The parts of one item (`content_index`, `summary_index`) are folded into it in the order in
 * which they come: providers write them one after the other. Text that comes without deltas (in a `.done` event, a finished item
 * or the final response only) becomes a delta where it first appears, so nothing that the caller gets is left out.
 */
export class ResponsesAnswer implements AnswerMapper {
  readonly tally = new AnswerTally();
  readonly texts = new AnswerTexts({});
  event(name: string | undefined, data: string): void {
    this.texts.give(this.#readEvent(name, data));
  }
  body(json: Json): void {
    this.texts.give(this.#readBody(json));
  }
  readonly #context: AnswerContext;
  /** The provider keeps this response, so its items can be referred to. */
  readonly #kept: boolean;
  readonly #items = new Map<number, OutputItem>();
  #response: Json | undefined;
  #usage: Usage | undefined;
  #sequence = -1;
  #keptChars = 0;

  constructor(context: AnswerContext) {
    this.#context = context;
    this.#kept = context.view.providerState.some(({ kind }) => kind === "store" || kind === "background");
  }

  usage(): Usage | undefined {
    return this.#usage;
  }

  #readBody(json: Json): readonly Delta[] {
    this.tally.complete = true;
    if (this.tally.readError(json) && field(json, "object") !== "response") return NO_DELTAS;
    return this.#finish(json, []);
  }

  #readEvent(name: string | undefined, data: string): readonly Delta[] {
    if (data === "[DONE]") {
      this.tally.complete = true;
      return NO_DELTAS;
    }
    const event = parseJsonValue(data);
    if (typeof event !== "object" || event === null || Array.isArray(event)) {
      this.tally.invalidEvents++;
      return NO_DELTAS;
    }
    const sequence = field(event, "sequence_number");
    if (typeof sequence === "number" && Number.isSafeInteger(sequence)) this.#sequence = Math.max(this.#sequence, sequence);
    const type = textField(event, "type") || (name ?? "");
    const dot = type.lastIndexOf(".");
    const rule = TEXT_EVENTS.get(type.slice(0, dot));
    const step = type.slice(dot + 1);
    if (rule !== undefined && (step === "delta" || step === "done")) return this.#text(event, rule, step);
    return this.#structure(type, event);
  }

  tail(reason: TailReason): string {
    if (this.tally.complete) return "";
    if (reason.kind === "error") return errorTail(reason, this.#sequence + 1);
    return lengthTail({
      response: this.#response,
      items: this.#items,
      nextSequence: this.#sequence + 1,
      model: this.#context.view.model ?? "",
    });
  }

  #text(event: Json, rule: DeltaRule, step: "delta" | "done"): readonly Delta[] {
    const slotIndex = rule.index === undefined ? undefined : index(event, rule.index);
    const slot = rule.index === undefined ? rule.slot : `${rule.slot}${slotIndex ?? 0}`;
    const text = textField(event, step === "delta" ? "delta" : rule.whole);
    const block = index(event, "output_index") ?? 0;
    const out: Delta[] = [];
    const item = this.#item(block);
    if (item === undefined) return NO_DELTAS;
    if (step === "delta") this.#take(item, block, slot, rule.channel, text, out);
    else {
      this.#takeWhole(item, block, slot, rule.channel, text, out);
      this.#ended(item, `${slot}.text`);
    }
    return out;
  }

  #structure(type: string, event: Json): readonly Delta[] {
    switch (type) {
      case "response.created":
      case "response.queued":
      case "response.in_progress":
        this.#see(field(event, "response"));
        return NO_DELTAS;
      case "response.completed":
      case "response.incomplete":
      case "response.failed":
      case "response.cancelled":
        this.tally.complete = true;
        return this.#finish(field(event, "response"), []);
      case "response.output_item.added":
      case "response.output_item.done":
        return this.#outputItem(event, type === "response.output_item.done");
      case "response.content_part.added":
      case "response.content_part.done":
      // vLLM's and gpt-oss's name for parts of reasoning.
      case "response.reasoning_part.added":
      case "response.reasoning_part.done":
        return this.#contentPart(event, type.endsWith(".done"));
      case "response.reasoning_summary_part.added":
      case "response.reasoning_summary_part.done":
        return this.#summaryPart(event, type === "response.reasoning_summary_part.done");
      case "error":
        if (!this.tally.readError(event)) this.tally.failed(field(event, "code") ?? "error");
        return NO_DELTAS;
      default:
        if (!PLAIN_EVENTS.has(type)) this.tally.unknownEvents++;
        return NO_DELTAS;
    }
  }

  /** A response object that is not the last one. */
  #see(response: Json | undefined): void {
    if (response === undefined) return;
    this.tally.answeredBy(field(response, "model"), field(response, "id"));
    this.#usage = responsesUsage(response) ?? this.#usage;
    if (isRewritable(response)) this.#response = response;
    else this.tally.invalidEvents++;
  }

  /** The final response object, of a stream or as a whole body. */
  #finish(response: Json | undefined, out: Delta[]): readonly Delta[] {
    if (response === undefined) return out;
    this.tally.answeredBy(field(response, "model"), field(response, "id"));
    this.#usage = responsesUsage(response) ?? this.#usage;
    this.tally.readError(response);
    const reason = field(field(response, "incomplete_details"), "reason");
    this.tally.finished(typeof reason === "string" ? reason : field(response, "status"));
    const known = new Set<string>();
    for (const { json } of this.#items.values()) known.add(textField(json, "id"));
    for (const [position, json] of listField(response, "output").entries()) {
      const id = textField(json, "id");
      if (id === "" ? this.#items.has(position) : known.has(id)) continue;
      const item = this.#item(position);
      if (item !== undefined) this.#takeItem(item, position, json, out);
    }
    return out;
  }

  #outputItem(event: Json, done: boolean): readonly Delta[] {
    const json = field(event, "item");
    const block = index(event, "output_index") ?? 0;
    const item = json === undefined ? undefined : this.#item(block);
    if (json === undefined || item === undefined) return NO_DELTAS;
    const out: Delta[] = [];
    this.#takeItem(item, block, json, out);
    item.done = done;
    return out;
  }

  #takeItem(item: OutputItem, block: number, json: Json, out: Delta[]): void {
    const name = item.named ? undefined : calledTool(json);
    if (name !== undefined) {
      item.named = true;
      this.tally.calledTool(name);
    }
    if (this.#kept) this.tally.made("item", field(json, "id"));
    this.tally.made("container", field(json, "container_id"));
    for (const { slot, channel, text } of itemTexts(json)) this.#takeWhole(item, block, slot, channel, text, out);
    if (isRewritable(json)) item.json = json;
    else this.tally.invalidEvents++;
  }

  #contentPart(event: Json, done: boolean): readonly Delta[] {
    const block = index(event, "output_index") ?? 0;
    const item = this.#item(block);
    const part = field(event, "part");
    if (item === undefined || part === undefined) return NO_DELTAS;
    const slot = `c${index(event, "content_index") ?? 0}`;
    const type = textField(part, "type");
    if (isRewritable(part) && item.parts.size < SLOTS_MAX) item.parts.set(slot, part);
    if (done) this.#ended(item, slot);
    const out: Delta[] = [];
    const channel = type === "refusal" ? "refusal" : type === "reasoning_text" ? "reasoning" : "content";
    this.#takeWhole(item, block, slot, channel, textField(part, type === "refusal" ? "refusal" : "text"), out);
    return out;
  }

  #summaryPart(event: Json, done: boolean): readonly Delta[] {
    const block = index(event, "output_index") ?? 0;
    const item = this.#item(block);
    const part = field(event, "part");
    if (item === undefined || part === undefined) return NO_DELTAS;
    const slot = `s${index(event, "summary_index") ?? 0}`;
    if (isRewritable(part) && item.parts.size < SLOTS_MAX) item.parts.set(slot, part);
    if (done) this.#ended(item, slot);
    const out: Delta[] = [];
    this.#takeWhole(item, block, slot, "reasoning", textField(part, "text"), out);
    return out;
  }

  #ended(item: OutputItem, what: string): void {
    if (item.ended.size < 2 * SLOTS_MAX) item.ended.add(what);
  }

  #item(block: number): OutputItem | undefined {
    let item = this.#items.get(block);
    if (item === undefined) {
      if (this.#items.size >= ITEMS_MAX) {
        this.tally.unknownEvents++;
        return undefined;
      }
      item = { json: undefined, done: false, named: false, slots: new Map(), parts: new Map(), ended: new Set() };
      this.#items.set(block, item);
    }
    return item;
  }

  #take(item: OutputItem, block: number, slot: string, channel: Delta["channel"], text: string, out: Delta[]): void {
    if (text === "") return;
    const kept = this.#keptChars < KEPT_CHARS_MAX ? text : "";
    this.#keptChars += kept.length;
    const seen = item.slots.get(slot);
    if (seen === undefined && item.slots.size < SLOTS_MAX) item.slots.set(slot, { channel, text: kept, chars: text.length });
    else if (seen !== undefined) {
      seen.text += kept;
      seen.chars += text.length;
    }
    out.push({ choice: 0, block, channel, text });
  }

  /** A text that is known whole: what no delta brought yet is new. */
  #takeWhole(item: OutputItem, block: number, slot: string, channel: Delta["channel"], text: string, out: Delta[]): void {
    const chars = item.slots.get(slot)?.chars ?? 0;
    if (text.length > chars) this.#take(item, block, slot, channel, text.slice(chars), out);
  }
}

function index(event: Json, key: string): number | undefined {
  const value = field(event, key);
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}
