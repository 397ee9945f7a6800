import type { TextRates } from "./text.ts";

/** Fitted to OpenAI's o200k on prose of thirty languages, code and JSON: the tokenizer that all newer ones are close to. */
export const O200K_RATES: TextRates = {
  word: [0.95, 1, 1, 1, 1.05, 1.05, 1.06, 1.15, 1.17, 1.18, 1.3, 1.35, 1.7, 2.1],
  wordFurther: 0.55,
  accent: 0.45,
  lesserWord: 0.7,
  digits: 1.12,
  digitsInGroup: 3,
  joined: 0.35,
  mark: 0.9,
  markFurther: 0.16,
  markBeforeWord: 0.65,
  line: 1.3,
  lineAfterMark: 0.15,
  blanks: 1,
  cyrillic: 0.29,
  greek: 0.38,
  semitic: 0.36,
  indic: 0.33,
  thai: 0.42,
  han: 0.78,
  kana: 0.78,
  hangul: 0.62,
  surrogate: 1.03,
  other: 0.7,
};

/** The rates of another tokenizer: so many times the Latin pieces, so many times the characters of other scripts. */
export function scaled({
  latin,
  scripts,
  digitsInGroup = 3,
}: {
  readonly latin: number;
  readonly scripts: number;
  readonly digitsInGroup?: number;
}): TextRates {
  const at = (factor: number, value: number): number => Math.round(value * factor * 1000) / 1000;
  const base = O200K_RATES;
  return {
    word: base.word.map((value) => at(latin, value)),
    wordFurther: at(latin, base.wordFurther),
    accent: at(scripts, base.accent),
    lesserWord: at(scripts, base.lesserWord),
    digits: at(latin, 1),
    digitsInGroup,
    joined: at(latin, base.joined),
    mark: at(latin, base.mark),
    markFurther: at(latin, base.markFurther),
    markBeforeWord: at(latin, base.markBeforeWord),
    line: at(latin, base.line),
    lineAfterMark: at(latin, base.lineAfterMark),
    blanks: at(latin, base.blanks),
    cyrillic: at(scripts, base.cyrillic),
    greek: at(scripts, base.greek),
    semitic: at(scripts, base.semitic),
    indic: at(scripts, base.indic),
    thai: at(scripts, base.thai),
    han: at(scripts, base.han),
    kana: at(scripts, base.kana),
    hangul: at(scripts, base.hangul),
    surrogate: at(scripts, base.surrogate),
    other: at(scripts, base.other),
  };
}
