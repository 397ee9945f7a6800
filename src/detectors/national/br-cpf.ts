import { isOneDigit, weightedOf } from "../shared/checksums.ts";
import { words } from "../shared/context.ts";
import { shapeDetector } from "../shared/shapes.ts";

/** Brazilian number of natural persons (CPF): two check digits by modulus 11 (Receita Federal). Written with its signs it is one; bare it needs a word. */
export const brCpf = shapeDetector({
  entity: "br_cpf",
  class: "personal",
  profile: "standard",
  shapes: ["999 999 999 99"],
  sum: isCpf,
  check: (cpf, written) => !isOneDigit(cpf) && (/^[0-9]{3}\.[0-9]{3}\.[0-9]{3}-/.test(written) ? 1 : true),
  alone: 0,
  near: 1,
  context: words("cpf", "cadastro de pessoas", "contribuinte"),
});

const FIRST = [10, 9, 8, 7, 6, 5, 4, 3, 2] as const;
const SECOND = [11, 10, 9, 8, 7, 6, 5, 4, 3, 2] as const;
function isCpf(digits: Uint8Array): boolean {
  return isChecked(weightedOf(digits, FIRST) % 11, digits[9]) && isChecked(weightedOf(digits, SECOND) % 11, digits[10]);
}
const isChecked = (rest: number, digit: number | undefined): boolean => digit === (rest < 2 ? 0 : 11 - rest);
