import { isDayOf } from "../shared/checksums.ts";
import { words } from "../shared/context.ts";
import { shapeDetector } from "../shared/shapes.ts";

/** Danish CPR number: date of birth and four digits. Numbers since 2007 have no checksum: a word must be near (CPR-kontoret). */
export const dkCpr = shapeDetector({
  entity: "dk_cpr",
  class: "personal",
  profile: "standard",
  shapes: ["999999 9999"],
  separators: " -",
  check: (id) => isDayOf(Number(id.slice(2, 4)), Number(id.slice(0, 2))),
  near: 0.9,
  context: words("cpr", "cpr nr", "cpr nummer", "personnummer", "danish id"),
});
