import { isDayOf, valueAt, weighted } from "../shared/checksums.ts";
import { words } from "../shared/context.ts";
import { shapeDetector } from "../shared/shapes.ts";

/** Romanian personal code (CNP): sex and century, date of birth, county, order, and a check by modulus 11 (OUG 97/2005). */
export const roCnp = shapeDetector({
  entity: "ro_cnp",
  class: "personal",
  profile: "standard",
  shapes: ["9999999999999"],
  separators: " ",
  check: (id) => /^[1-9]/.test(id) && isDayOf(Number(id.slice(3, 5)), Number(id.slice(5, 7))) && checkDigit(id) === valueAt(id, 12) && 0.8,
  alone: 0,
  near: 1,
  context: words("cnp", "cod numeric", "cod numeric personal"),
});

function checkDigit(id: string): number {
  const rest = weighted(id, [2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9]) % 11;
  return rest === 10 ? 1 : rest;
}
