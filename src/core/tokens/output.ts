import { EXACT_TOKENS_CHARS_MAX, YIELD_CHARS } from "../limits.ts";
import type { Delta } from "../view.ts";
import { type ExactTokens, exactCount } from "./exact.ts";
import type { ModelFamily } from "./families.ts";
import { TextMeter } from "./text.ts";

/**
 * Counts an answer while it streams, for caps during the stream and for answers without a usage. Cheap: no tokenizer, about 20 ns a
 * character. Text in pieces counts exactly as the whole does, but for pieces of more than `YIELD_CHARS`. What pieces of one channel belong together is told by the delta.
 *
 * Where the model's tokenizer is public the text is kept, at most `EXACT_TOKENS_CHARS_MAX` of it, so that `total` can count it at the end.
 */
export class OutputCounter {
  readonly #family: ModelFamily;
  readonly #exact: ExactTokens | undefined;
  readonly #meter: TextMeter;
  #kept: string[] = [];
  #keptChars = 0;
  /** What the meter had when the kept text was full. */
  #keptTokens: number | undefined;
  #choice = -1;
  #block = -1;
  #channel: Delta["channel"] | undefined;
  #calls = 0;
  /** Tokens of what was not counted itself. */
  #further = 0;

  /** `exact` absent: only estimates. */
  constructor(family: ModelFamily, exact?: ExactTokens | undefined) {
    this.#family = family;
    this.#exact = family.exact === undefined ? undefined : exact;
    this.#meter = new TextMeter(family.rates);
  }

  add(delta: Delta): void {
    const { choice, block, channel, text } = delta;
    if (choice !== this.#choice || block !== this.#block || channel !== this.#channel) {
      if (channel === "tool_arguments") this.#calls++;
      this.#choice = choice;
      this.#block = block;
      this.#channel = channel;
      this.#meter.cut();
    }
    this.#count(text);
    if (this.#exact === undefined || this.#keptTokens !== undefined) return;
    this.#keptChars += text.length;
    this.#kept.push(text);
    if (this.#keptChars >= EXACT_TOKENS_CHARS_MAX) this.#keptTokens = this.#meter.tokens() + this.#further;
  }

  /** No provider sends so much in one event: its beginning stands for the rest, so that one line keeps nobody waiting. */
  #count(text: string): void {
    if (text.length <= YIELD_CHARS) return this.#meter.add(text);
    const before = this.#meter.tokens();
    this.#meter.add(text.slice(0, YIELD_CHARS));
    this.#meter.cut();
    this.#further += ((this.#meter.tokens() - before) * (text.length - YIELD_CHARS)) / YIELD_CHARS;
  }

  /** Tokens so far, estimated. */
  tokens(): number {
    return Math.round(this.#meter.tokens() + this.#further) + this.#around();
  }

  /** Tokens of all that was added: exact where the tokenizer is public, for the first `EXACT_TOKENS_CHARS_MAX`; the rest at the same ratio. */
  total(): number {
    const count = exactCount(this.#family, this.#exact);
    if (count === undefined || this.#kept.length === 0) return this.tokens();
    const exact = count(this.#kept.join(""));
    const [all, kept] = [this.#meter.tokens(), this.#keptTokens ?? this.#meter.tokens()];
    const rest = all + this.#further > kept && kept > 0 ? (all + this.#further - kept) * (exact / kept) : 0;
    return Math.ceil(exact + rest) + this.#around();
  }

  /** What stands around the text and around calls of tools. */
  #around(): number {
    return this.#channel === undefined ? 0 : this.#family.outputBase + this.#calls * this.#family.outputCall;
  }
}
