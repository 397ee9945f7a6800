import { isLuhnOf, isOneDigit } from "../shared/checksums.ts";
import { words } from "../shared/context.ts";
import { shapeDetector } from "../shared/shapes.ts";

/** Israeli identity number: nine digits by Luhn (Population and Immigration Authority). */
export const ilId = shapeDetector({
  entity: "il_id",
  class: "personal",
  profile: "standard",
  shapes: ["99999999 9", "999999999"],
  separators: "-",
  sum: isLuhnOf,
  check: (id) => !isOneDigit(id),
  near: 1,
  context: words("teudat zehut", "teudat", "israeli id", "mispar zehut", "תעודת זהות", "ת ז", "מספר זהות"),
});
