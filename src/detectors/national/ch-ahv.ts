import { valueAt, weighted } from "../shared/checksums.ts";
import { words } from "../shared/context.ts";
import { shapeDetector } from "../shared/shapes.ts";

/** Swiss social insurance number (AHV, AVS): 756 and ten digits, checked as an EAN-13 (ZAS). */
export const chAhv = shapeDetector({
  entity: "ch_ahv",
  class: "personal",
  profile: "standard",
  shapes: ["999 9999 9999 99"],
  check: (id) => id.startsWith("756") && (10 - (weighted(id, [1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3]) % 10)) % 10 === valueAt(id, 12),
  alone: 1,
  near: 1,
  context: words("ahv", "avs"),
});
