import { isOneDigit, weighted } from "../shared/checksums.ts";
import { words } from "../shared/context.ts";
import { shapeDetector } from "../shared/shapes.ts";

/** Dutch citizen service number (BSN): the eleven test, whose last weight is -1 (RvIG, Logisch Ontwerp BSN). */
export const nlBsn = shapeDetector({
  entity: "nl_bsn",
  class: "personal",
  profile: "standard",
  shapes: ["999 999 999", "9999 99 999", "9999 9999"],
  check: (bsn) => !isOneDigit(bsn) && weighted(bsn.padStart(9, "0"), [9, 8, 7, 6, 5, 4, 3, 2, -1]) % 11 === 0,
  near: 1,
  context: words("bsn", "burgerservicenummer", "burger service nummer", "sofinummer", "sofi nummer", "citizen service number", "sofi"),
});
