import { weightedOf } from "../shared/checksums.ts";
import { words } from "../shared/context.ts";
import { shapeDetector } from "../shared/shapes.ts";

/** Swiss social insurance number (AHV, AVS): 756 and ten digits, checked as an EAN-13 (ZAS). */
export const chAhv = shapeDetector({
  entity: "ch_ahv",
  class: "personal",
  profile: "standard",
  shapes: ["999 9999 9999 99"],
  sum: isSwiss,
  check: () => true,
  alone: 1,
  near: 1,
  context: words("ahv", "avs"),
});

const WEIGHTS = [1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3] as const;
function isSwiss(digits: Uint8Array): boolean {
  if (digits[0] !== 7 || digits[1] !== 5 || digits[2] !== 6) return false;
  return (10 - (weightedOf(digits, WEIGHTS) % 10)) % 10 === digits[12];
}
