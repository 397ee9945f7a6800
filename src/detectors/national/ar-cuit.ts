import { weightedOf } from "../shared/checksums.ts";
import { words } from "../shared/context.ts";
import { shapeDetector } from "../shared/shapes.ts";

/** Argentine tax and labour number (CUIT, CUIL): kind, eight digits, a check by modulus 11 (AFIP). Written with dashes it is one; bare it needs a word. */
export const arCuit = shapeDetector({
  entity: "ar_cuit",
  class: "personal",
  profile: "standard",
  shapes: ["99 99999999 9"],
  separators: "- ",
  sum: isCuit,
  check: (id, written) => /^(?:2[03-7]|3[034])/.test(id) && (/^..-........-/.test(written) ? 0.95 : true),
  alone: 0,
  near: 1,
  context: words("cuit", "cuil", "cdi"),
});

const WEIGHTS = [5, 4, 3, 2, 7, 6, 5, 4, 3, 2] as const;
function isCuit(digits: Uint8Array): boolean {
  return (11 - (weightedOf(digits, WEIGHTS) % 11)) % 11 === digits[10];
}
