import { isOneDigit, valueAt } from "../shared/checksums.ts";
import { words } from "../shared/context.ts";
import { shapeDetector } from "../shared/shapes.ts";

/** Brazilian number of legal persons (CNPJ): two check digits by modulus 11; letters since July 2026, each worth its ASCII code less 48 (Receita Federal, IN RFB 2.229/2024). Written with its signs it is one; bare it needs a word. */
export const brCnpj = shapeDetector({
  entity: "br_cnpj",
  class: "personal",
  profile: "standard",
  shapes: ["XX XXX XXX XXXX 99"],
  separators: "./-",
  check: (id, written) => !isOneDigit(id) && isCnpj(id) && (WITH_SIGNS.test(written) ? 1 : true),
  alone: 0,
  near: 1,
  context: words("cnpj", "cadastro nacional", "pessoa jurídica"),
});

const WITH_SIGNS = /^..\....\....\/....-/;
const checkDigit = (id: string): number => {
  let sum = 0;
  for (let index = 0; index < id.length; index += 1) sum += (id.charCodeAt(id.length - 1 - index) - 48) * (2 + (index % 8));
  return sum % 11 < 2 ? 0 : 11 - (sum % 11);
};
const isCnpj = (id: string): boolean => checkDigit(id.slice(0, 12)) === valueAt(id, 12) && checkDigit(id.slice(0, 13)) === valueAt(id, 13);
