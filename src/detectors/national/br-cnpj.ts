import { isOneDigit } from "../shared/checksums.ts";
import { words } from "../shared/context.ts";
import { shapeDetector } from "../shared/shapes.ts";

/** Brazilian number of legal persons (CNPJ): two check digits by modulus 11; letters since July 2026, each worth its ASCII code less 48 (Receita Federal, IN RFB 2.229/2024). Written with its signs it is one; bare it needs a word. */
export const brCnpj = shapeDetector({
  entity: "br_cnpj",
  class: "personal",
  profile: "standard",
  shapes: ["XX XXX XXX XXXX 99"],
  separators: "./-",
  sum: (values) => isChecked(values, 12) && isChecked(values, 13),
  check: (id, written) => !isOneDigit(id) && (WITH_SIGNS.test(written) ? 1 : true),
  alone: 0,
  near: 1,
  context: words("cnpj", "cadastro nacional", "pessoa jurídica"),
});

const WITH_SIGNS = /^..\....\....\/....-/;
/** A letter's ASCII code less 48 is seven more than its value. */
const worthOf = (value: number): number => (value > 9 ? value + 7 : value);
function isChecked(values: Uint8Array, place: number): boolean {
  let sum = 0;
  for (let index = 0; index < place; index += 1) sum += worthOf(values[place - 1 - index] ?? 0) * (2 + (index % 8));
  return values[place] === (sum % 11 < 2 ? 0 : 11 - (sum % 11));
}
