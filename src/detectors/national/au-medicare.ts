import { valueAt, weighted } from "../shared/checksums.ts";
import { words } from "../shared/context.ts";
import { shapeDetector } from "../shared/shapes.ts";

/** Australian Medicare number: ten digits, or eleven with the place on the card; from 2 to 6; the ninth checks the first eight (Services Australia). */
export const auMedicare = shapeDetector({
  entity: "au_medicare",
  class: "personal",
  profile: "standard",
  shapes: ["9999 99999 9 9", "9999 99999 9"],
  separators: " -/",
  check: (id) => /^[2-6]/.test(id) && weighted(id, [1, 3, 7, 9, 1, 3, 7, 9]) % 10 === valueAt(id, 8),
  near: 1,
  context: words("medicare"),
});
