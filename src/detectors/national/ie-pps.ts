import { valueAt, weighted } from "../shared/checksums.ts";
import { words } from "../shared/context.ts";
import { shapeDetector } from "../shared/shapes.ts";

/** Irish personal public service number: seven digits, a check letter by modulus 23, and a second letter since 2013 (Department of Social Protection). */
export const iePps = shapeDetector({
  entity: "ie_pps",
  class: "personal",
  profile: "standard",
  shapes: ["9999999AA", "9999999A"],
  separators: " ",
  check: (id) => checkLetter(id) === id.charAt(7),
  near: 1,
  context: words("PPS", "ppsn", "pps number", "public service number"),
});

function checkLetter(id: string): string {
  const second = id.charAt(8) === "" || id.charAt(8) === "W" ? 0 : valueAt(id, 8) - 9;
  return "WABCDEFGHIJKLMNOPQRSTUV".charAt((weighted(id, [8, 7, 6, 5, 4, 3, 2]) + second * 9) % 23);
}
