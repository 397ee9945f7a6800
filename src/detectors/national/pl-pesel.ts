import { isDayOf, valueAt, weighted } from "../shared/checksums.ts";
import { words } from "../shared/context.ts";
import { shapeDetector } from "../shared/shapes.ts";

/** Polish PESEL: date of birth with the century in the month, order, check digit by weights 1, 3, 7, 9 (Ministerstwo Cyfryzacji). */
export const plPesel = shapeDetector({
  entity: "pl_pesel",
  class: "personal",
  profile: "standard",
  shapes: ["999999 99999"],
  separators: " -",
  check: (id) =>
    isDayOf(Number(id.slice(2, 4)) % 20, Number(id.slice(4, 6))) && (10 - (weighted(id, WEIGHTS) % 10)) % 10 === valueAt(id, 10),
  near: 1,
  context: words("pesel", "numer ewidencyjny", "nr ewidencyjny"),
});

const WEIGHTS = [1, 3, 7, 9, 1, 3, 7, 9, 1, 3] as const;
