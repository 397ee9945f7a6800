import { isDayOf, weighted } from "../shared/checksums.ts";
import { words } from "../shared/context.ts";
import { shapeDetector } from "../shared/shapes.ts";

/** Norwegian national identity number: date of birth (D numbers: day + 40), and two check digits by modulus 11 (Skatteetaten). */
export const noFodselsnummer = shapeDetector({
  entity: "no_fodselsnummer",
  class: "personal",
  profile: "standard",
  shapes: ["999999 99999"],
  separators: " -",
  check: (id) =>
    isDayOf(Number(id.slice(2, 4)) % 40, Number(id.slice(0, 2)) % 40) && weighted(id, FIRST) % 11 === 0 && weighted(id, SECOND) % 11 === 0,
  near: 1,
  context: words("fødselsnummer", "fodselsnummer", "personnummer", "fnr", "d nummer", "norwegian id", "national identity number"),
});

const FIRST = [3, 7, 6, 1, 8, 9, 4, 5, 2, 1] as const;
const SECOND = [5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1] as const;
