import { isLuhn, isOneDigit } from "./shared/checksums.ts";
import { words } from "./shared/context.ts";
import { shapeDetector } from "./shared/shapes.ts";

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

/** Networks whose numbers are known by their start and have few lengths: sure without a word. */
const KNOWN: readonly (readonly [start: RegExp, lengths: readonly number[]])[] = [
  [/^4/, [13, 16, 18, 19]],
  [/^(?:5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720)/, [16]],
  [/^3[47]/, [15]],
  [/^(?:6011|64[4-9]|65|622|62)/, [16, 17, 18, 19]],
  [/^(?:30[0-5]|3095|3[689])/, [14, 16, 17, 18, 19]],
  [/^35(?:2[89]|[3-8])/, [16, 17, 18, 19]],
  [/^(?:2131|1800)/, [15]],
  [/^(?:220[0-4]|9792|8600|9860|5019|60|8[12]|508|353|356|50[67]|650)/, [16]],
];
/** Maestro and others that share its ranges, with every length there is: a word must be near. */
const WIDE = /^(?:50|5[6-9]|6|1)/;

function scoreOf(digits: string): boolean | number {
  if (!isLuhn(digits) || isOneDigit(digits)) return false;
  if (KNOWN.some(([start, lengths]) => lengths.includes(digits.length) && start.test(digits))) return digits.length < 15 ? 0.9 : 1;
  return WIDE.test(digits);
}
