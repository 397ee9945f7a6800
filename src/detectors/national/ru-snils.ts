import { isOneDigit, weightedOf } from "../shared/checksums.ts";
import { words } from "../shared/context.ts";
import { shapeDetector } from "../shared/shapes.ts";

/** Russian insurance number (SNILS): nine digits and their weighted sum by 101 (PFR). Written with its signs it is one; bare it needs a word. */
export const ruSnils = shapeDetector({
  entity: "ru_snils",
  class: "personal",
  profile: "standard",
  shapes: ["999 999 999 99"],
  sum: isSnils,
  check: (id, written) => !isOneDigit(id) && (/^[0-9]{3}-[0-9]{3}-[0-9]{3}[ -]/.test(written) ? 0.95 : true),
  alone: 0,
  near: 1,
  context: words("снилс", "snils", "страховой номер"),
});

const WEIGHTS = [9, 8, 7, 6, 5, 4, 3, 2, 1] as const;
function isSnils(digits: Uint8Array): boolean {
  return (weightedOf(digits, WEIGHTS) % 101) % 100 === (digits[9] ?? 0) * 10 + (digits[10] ?? 0);
}
