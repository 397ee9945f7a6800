import { isOneDigit, valueAt, weighted } from "../shared/checksums.ts";
import { words } from "../shared/context.ts";
import { shapeDetector } from "../shared/shapes.ts";

/** Brazilian number of natural persons (CPF): two check digits by modulus 11 (Receita Federal). Written with its signs it is one; bare it needs a word. */
export const brCpf = shapeDetector({
  entity: "br_cpf",
  class: "personal",
  profile: "standard",
  shapes: ["999 999 999 99"],
  check: (cpf, written) => !isOneDigit(cpf) && isCpf(cpf) && (/^[0-9]{3}\.[0-9]{3}\.[0-9]{3}-/.test(written) ? 1 : true),
  alone: 0,
  near: 1,
  context: words("cpf", "cadastro de pessoas", "contribuinte"),
});

const checkDigit = (digits: string, weights: readonly number[]): number => {
  const rest = weighted(digits, weights) % 11;
  return rest < 2 ? 0 : 11 - rest;
};
const FIRST = [10, 9, 8, 7, 6, 5, 4, 3, 2] as const;
const SECOND = [11, 10, 9, 8, 7, 6, 5, 4, 3, 2] as const;
const isCpf = (cpf: string): boolean => checkDigit(cpf, FIRST) === valueAt(cpf, 9) && checkDigit(cpf, SECOND) === valueAt(cpf, 10);
