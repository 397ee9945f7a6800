import { isLuhnOf, isOneDigit } from "./shared/checksums.ts";
import { words } from "./shared/context.ts";
import { shapeDetector } from "./shared/shapes.ts";
import { BREAK_SIGN } from "./shared/text.ts";

/**
 * Payment cards: numbers that begin as an issuer's do, of a length that it uses, with the check digit of ISO/IEC 7812. Whole, in fours, as
 * American Express and Diners print them, or digit by digit. Source of ranges: ISO/IEC 7812-1 and the networks' published BIN ranges, 2025.
 */
export const paymentCard = shapeDetector({
  entity: "payment_card",
  class: "financial",
  profile: "standard",
  shapes: [
    ...["9999 9999 9999 9999 999", "9999 9999 9999 9999 99", "9999 9999 9999 9999 9", "9999 9999 9999 9999"],
    ...["9999 999999 99999", "9999 9999 9999 999", "9999 999999 9999", "9999 9999 9999 99", "9999 9999 99999", "9999 9999 9999"],
  ],
  // As forms write blanks, and over columns or lines.
  separators: ` -.+${BREAK_SIGN}`,
  sum: mayBeCard,
  check: scoreOf,
  alone: 0,
  near: 1,
  context: words(
    ...[
      "card",
      "cards",
      "creditcard",
      "debitcard",
      "cc",
      "credit card",
      "debit card",
      "visa",
      "mastercard",
      "amex",
      "maestro",
      "pan",
      "cvv",
      "cvc",
      "atm",
    ],
    ...[
      "carte",
      "karte",
      "kreditkarte",
      "kartennummer",
      "tarjeta",
      "carta",
      "cartão",
      "cartao",
      "kaart",
      "karta",
      "карта",
      "карты",
      "卡号",
      "卡",
      "信用卡",
      "银行卡",
      "カード",
      "카드",
    ],
  ),
});

/** First digits as they are published (`51-55`), and the lengths of numbers that begin so. */
type Range = readonly [starts: string, lengths: readonly number[]];
/** Networks whose numbers are known by their start and have few lengths: sure without a word. */
const KNOWN: readonly Range[] = [
  ["4", [13, 16, 18, 19]],
  ["51-55 2221-2720", [16]],
  ["34 37", [15]],
  ["6011 644-649 65 62", [16, 17, 18, 19]],
  ["300-305 3095 36 38-39", [14, 16, 17, 18, 19]],
  ["3528-3589", [16, 17, 18, 19]],
  ["2131 1800", [15]],
  ["2200-2204 9792 8600 9860 5019 60 81-82 508 353 356 506-507 650", [16]],
];
/** Maestro and others that share its ranges, with every length there is: a word must be near. */
const WIDE: Range = ["50 56-59 6 1", [0]];

/** By the first four digits: bits of the lengths that are sure, and bit 0 where any may be. */
const ISSUERS = new Int32Array(10_000);
for (const [starts, lengths] of [...KNOWN, WIDE])
  for (const range of starts.split(" ")) {
    const [from = "", to = from] = range.split("-");
    const bits = lengths.reduce((all, length) => all | (1 << length), 0);
    for (let start = Number(from.padEnd(4, "0")); start <= Number(to.padEnd(4, "9")); start += 1)
      ISSUERS[start] = (ISSUERS[start] ?? 0) | bits;
  }

const isIn = (issuer: number, length: number): boolean => ((issuer >>> length) & 1) === 1;

function mayBeCard(digits: Uint8Array, count: number): boolean {
  const start = (digits[0] ?? 0) * 1000 + (digits[1] ?? 0) * 100 + (digits[2] ?? 0) * 10 + (digits[3] ?? 0);
  const issuer = ISSUERS[start] ?? 0;
  return (isIn(issuer, 0) || isIn(issuer, count)) && isLuhnOf(digits, count);
}

function scoreOf(digits: string, written: string): boolean | number {
  // Columns and lines of numbers are mostly tables.
  if (written.includes(BREAK_SIGN)) return !isOneDigit(digits);
  if (isOneDigit(digits)) return false;
  if (!isIn(ISSUERS[Number(digits.slice(0, 4))] ?? 0, digits.length)) return true;
  return digits.length < 15 ? 0.9 : 1;
}
