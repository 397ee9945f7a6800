import { isOneDigit, valueAt, weighted } from "../shared/checksums.ts";
import { words } from "../shared/context.ts";
import { shapeDetector } from "../shared/shapes.ts";

/** Japanese individual number ("My Number"): twelve digits, the last by modulus 11 (Ministerial Ordinance No. 85 of 2014). */
export const jpMyNumber = shapeDetector({
  entity: "jp_my_number",
  class: "personal",
  profile: "standard",
  shapes: ["9999 9999 9999"],
  check: (id) => !isOneDigit(id) && checkDigit(id) === valueAt(id, 11),
  near: 1,
  context: words("マイナンバー", "個人番号", "my number", "mynumber", "individual number"),
});

function checkDigit(id: string): number {
  const rest = weighted(id, [6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11;
  return rest <= 1 ? 0 : 11 - rest;
}
