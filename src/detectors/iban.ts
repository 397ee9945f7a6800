import { mod97, valueAt } from "./shared/checksums.ts";
import { shapeDetector } from "./shared/shapes.ts";

/** Length of the IBAN of each country. Source: SWIFT, IBAN Registry, release 99 (2025), and the countries that use the form without being in it. */
const LENGTHS: Readonly<Record<number, string>> = {
  15: "NO",
  16: "BE BI",
  18: "DK FI FK FO GL NL SD",
  19: "MK SI",
  20: "AT BA EE KZ LT LU MN XK",
  21: "CH HR LI LV",
  22: "BG BH CR DE GB GE IE ME RS VA",
  23: "AE GI IL IQ OM SO TL",
  24: "AD CZ DZ ES HN MD PK RO SA SE SK TN VG",
  25: "LY PT ST",
  26: "IR IS TR",
  27: "BF BJ CF CG CI CM DJ FR GQ GR IT KM MC MG ML MR NE SM SN TD TG",
  28: "AL AO AZ BY CV CY DO GT GW HU LB MA MZ NI PL SV UA YE",
  29: "BR EG GA PS QA",
  30: "JO KW MU",
  31: "MT SC",
  32: "LC",
  33: "RU",
};
/** By the values of a country's letters. */
const LENGTH_AT = new Uint8Array(36 * 36);
for (const [length, countries] of Object.entries(LENGTHS))
  for (const country of countries.split(" ")) LENGTH_AT[valueAt(country, 0) * 36 + valueAt(country, 1)] = Number(length);

/** `AA99 XXXX XXXX ...` of a length. */
const shapeOf = (length: number): string => `AA99${"X".repeat(length - 4)}`.replaceAll(/....(?=.)/g, "$& ");

/** International bank account numbers: a country's length and the check by ISO 7064 MOD 97-10 (ISO 13616). Whole or in fours, in any case. */
export const iban = shapeDetector({
  entity: "iban",
  class: "financial",
  profile: "standard",
  shapes: Object.keys(LENGTHS)
    .map(Number)
    .sort((a, b) => b - a)
    .map(shapeOf),
  sum: (values, count) => LENGTH_AT[(values[0] ?? 0) * 36 + (values[1] ?? 0)] === count,
  check: (iban) => mod97(iban.slice(4) + iban.slice(0, 4)) === 1,
  // As forms write blanks.
  separators: " -.+",
  alone: 1,
  near: 1,
});
