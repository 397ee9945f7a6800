import { EXACT_TOKENS_CHARS_MAX } from "../limits.ts";
import type { Encoding, ModelFamily } from "./families.ts";
import type { CountText } from "./input.ts";
import { textTokens } from "./text.ts";

/** The public tokenizers. Deterministic; counts tokens of any text, markers of the model (`<|endoftext|>`) as plain text. */
export interface ExactTokens {
  count(text: string, encoding: Encoding): number;
}

/**
 * The exact count of a family's texts, for one request or answer; undefined where its tokenizer is not public. Past `EXACT_TOKENS_CHARS_MAX` of text
 * in all, the rest is estimated at the ratio that the exact part had, so that one large prompt cannot hold up the event loop.
 */
export function exactCount(family: ModelFamily, exact: ExactTokens | undefined): CountText | undefined {
  const { exact: encoding, rates } = family;
  if (encoding === undefined || exact === undefined) return undefined;
  let left = EXACT_TOKENS_CHARS_MAX;
  let counted = 0;
  let estimated = 0;
  return (text) => {
    const head = text.length <= left ? text : text.slice(0, left);
    let tokens = 0;
    if (head !== "") {
      tokens = exact.count(head, encoding);
      left -= head.length;
      counted += tokens;
      estimated += textTokens(head, rates);
    }
    if (head.length === text.length) return tokens;
    const rest = textTokens(text.slice(head.length), rates);
    return tokens + Math.ceil(estimated > 0 ? rest * (counted / estimated) : rest);
  };
}
