import { isOneDigit, valueAt, weighted } from "../shared/checksums.ts";
import { words } from "../shared/context.ts";
import { shapeDetector } from "../shared/shapes.ts";

/** Portuguese tax number (NIF): nine digits, the last by modulus 11 (Autoridade Tributária). */
export const ptNif = shapeDetector({
  entity: "pt_nif",
  class: "personal",
  profile: "standard",
  shapes: ["999 999 999"],
  check: (nif) => /^(?:[1-356789]|45)/.test(nif) && !isOneDigit(nif) && checkDigit(nif) === valueAt(nif, 8),
  near: 1,
  context: words("nif", "contribuinte", "número fiscal", "numero fiscal", "nº fiscal", "identificação fiscal", "finanças"),
});

function checkDigit(nif: string): number {
  const check = 11 - (weighted(nif, [9, 8, 7, 6, 5, 4, 3, 2]) % 11);
  return check > 9 ? 0 : check;
}
