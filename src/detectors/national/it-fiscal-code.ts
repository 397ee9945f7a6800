import { valueAt } from "../shared/checksums.ts";
import { words } from "../shared/context.ts";
import { shapeDetector } from "../shared/shapes.ts";

/** Italian fiscal code: letters of the name, year, month letter, day (women + 40), place, and a check letter; digits may be replaced by letters where two codes would be one (DM 23 December 1976). */
export const itFiscalCode = shapeDetector({
  entity: "it_fiscal_code",
  class: "personal",
  profile: "standard",
  shapes: ["AAAAAA XXAXX AXXX A"],
  separators: " ",
  check: isFiscalCode,
  alone: 1,
  near: 1,
  context: words("codice fiscale", "fiscale", "CF", "fiscal code"),
});

const FORM = /^[A-Z]{6}[0-9LMNP-V]{2}[ABCDEHLMPRST][0-9LMNP-V]{2}[A-Z][0-9LMNP-V]{3}[A-Z]$/;
/** Values of 0 to 9 and of A to J, then K to Z, at odd places (counted from 1). */
const ODD = [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23] as const;

function isFiscalCode(code: string): boolean {
  if (!FORM.test(code)) return false;
  let sum = 0;
  for (let index = 0; index < 15; index += 1) {
    const value = valueAt(code, index);
    const place = value > 9 ? value - 10 : value;
    sum += index % 2 === 0 ? (ODD[place] ?? 0) : place;
  }
  return String.fromCharCode(65 + (sum % 26)) === code.charAt(15);
}
