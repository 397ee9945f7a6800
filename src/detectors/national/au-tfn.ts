import { isOneDigit, weighted } from "../shared/checksums.ts";
import { words } from "../shared/context.ts";
import { shapeDetector } from "../shared/shapes.ts";

/** Australian tax file number: nine digits, weighted sum divisible by 11 (ATO). */
export const auTfn = shapeDetector({
  entity: "au_tfn",
  class: "personal",
  profile: "standard",
  shapes: ["999 999 999"],
  check: (tfn) => !isOneDigit(tfn) && weighted(tfn, [1, 4, 3, 7, 5, 8, 6, 9, 10]) % 11 === 0,
  near: 1,
  context: words("tfn", "tax file", "tax file number"),
});
