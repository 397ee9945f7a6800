import { isOneDigit, mod11_10CheckDigit, valueAt } from "../shared/checksums.ts";
import { words } from "../shared/context.ts";
import { shapeDetector } from "../shared/shapes.ts";

/** Croatian personal identification number (OIB): eleven digits by ISO 7064 MOD 11,10. */
export const hrOib = shapeDetector({
  entity: "hr_oib",
  class: "personal",
  profile: "standard",
  shapes: ["99999999999"],
  separators: " ",
  check: (id) => !isOneDigit(id) && mod11_10CheckDigit(id.slice(0, 10)) === valueAt(id, 10),
  near: 1,
  context: words("oib", "osobni identifikacijski", "osobni identifikacijski broj"),
});
