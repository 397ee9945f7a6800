import { isLuhnOf, isOneDigit } from "../shared/checksums.ts";
import { words } from "../shared/context.ts";
import { shapeDetector } from "../shared/shapes.ts";

/** Canadian social insurance number: nine digits by Luhn, not from 8; from 0 only in examples (Employment and Social Development Canada). */
export const caSin = shapeDetector({
  entity: "ca_sin",
  class: "personal",
  profile: "standard",
  shapes: ["999 999 999"],
  sum: isLuhnOf,
  check: (sin) => !sin.startsWith("8") && !isOneDigit(sin),
  near: 1,
  context: words("SIN", "sin no", "social insurance", "sin number", "assurance sociale", "NAS"),
});
