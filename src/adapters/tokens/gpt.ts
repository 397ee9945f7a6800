import { createRequire } from "node:module";
import type { Encoding } from "../../core/tokens/families.ts";
import type { TokensPort } from "../../ports/tokens.ts";

/**
 * OpenAI's tokenizers, from the `gpt-tokenizer` package.
 *
 * An encoding is loaded when it is prepared, or at its first use: 0.2 s and 72 MB of memory for o200k_base, 13 MB more for cl100k_base
 * (measured on Node 26). A process that never needs one never pays. Merging is quadratic in the length of an unbroken run, so runs longer than `RUN_CHARS_MAX` are
 * cut there, always at the same places: at most one token more for each cut.
 */
export function openGptTokens(): TokensPort {
  const load = createRequire(import.meta.url);
  const loaded = new Map<Encoding, (text: string) => number>();
  const counterOf = (encoding: Encoding): ((text: string) => number) => {
    const known = loaded.get(encoding);
    if (known !== undefined) return known;
    const counter = counterIn(load(`gpt-tokenizer/encoding/${encoding}`));
    loaded.set(encoding, counter);
    return counter;
  };
  return {
    prepare(encodings) {
      for (const encoding of encodings) counterOf(encoding);
    },
    count(text, encoding) {
      const counter = counterOf(encoding);
      let tokens = 0;
      for (const piece of boundedPieces(text)) tokens += counter(piece);
      return tokens;
    },
  };
}

/** Longest run that the tokenizer sees whole, in UTF-16 units. Words of real text are shorter. */
const RUN_CHARS_MAX = 64;
/** Markers of the model are counted as the plain text that they are in a caller's prompt; by default the package throws on them. */
const PLAIN_TEXT = { disallowedSpecial: new Set<string>() };

function counterIn(module: unknown): (text: string) => number {
  if (typeof module !== "object" || module === null || !("countTokens" in module)) throw new TypeError("gpt-tokenizer has no countTokens");
  const { countTokens } = module;
  if (typeof countTokens !== "function") throw new TypeError("gpt-tokenizer has no countTokens");
  return (text) => {
    const tokens: unknown = countTokens(text, PLAIN_TEXT);
    if (typeof tokens !== "number") throw new TypeError("gpt-tokenizer counted nothing");
    return tokens;
  };
}

/** The text in pieces that hold no run longer than `RUN_CHARS_MAX`; the text itself where there is none. */
function* boundedPieces(text: string): Generator<string> {
  let from = 0;
  let run = 0;
  let kind = -1;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    const next = runKind(code);
    if (next !== kind) {
      kind = next;
      run = 0;
    }
    // Not between the halves of a surrogate pair.
    if (++run <= RUN_CHARS_MAX || (code & 0xfc00) === 0xdc00) continue;
    yield text.slice(from, at);
    from = at;
    run = 1;
  }
  yield from === 0 ? text : text.slice(from);
}

/** White space, digits and marks end a run of letters in every encoding; runs of each may be long on their own. */
function runKind(code: number): number {
  if (code >= 0x80) return 0;
  if (code <= 0x20) return 1;
  if (code >= 0x30 && code <= 0x39) return 2;
  return (code >= 0x41 && code <= 0x5a) || (code >= 0x61 && code <= 0x7a) ? 0 : 3;
}
