import { valueAt, weighted } from "../shared/checksums.ts";
import { words } from "../shared/context.ts";
import { shapeDetector } from "../shared/shapes.ts";

/** German identity card: nine signs of a reduced alphabet and a check digit by weights 7, 3, 1 (ICAO 9303 part 3, section 4.9; BMI). Without the check digit a word decides. */
export const deIdCard = shapeDetector({
  entity: "de_id_card",
  class: "personal",
  profile: "standard",
  shapes: ["AXXXXXXXX9", "AXXXXXXXX"],
  separators: "",
  check: (id) => SIGNS.test(id) && (id.length === 9 ? /[0-9]/.test(id) && 0 : weighted(id, WEIGHTS) % 10 === valueAt(id, 9)),
  near: 0.9,
  context: words(
    "personalausweis",
    "ausweis",
    "ausweisnummer",
    "personalausweisnummer",
    "ausweis nr",
    "id card",
    "identity card",
    "perso",
    "dokumentennummer",
  ),
});

const SIGNS = /^[CFGHJKLMNPRTVWXYZ][0-9CFGHJKLMNPRTVWXYZ]{8}/;
const WEIGHTS = [7, 3, 1, 7, 3, 1, 7, 3, 1] as const;
