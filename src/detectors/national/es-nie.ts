import { words } from "../shared/context.ts";
import { shapeDetector } from "../shared/shapes.ts";

/** Spanish number of foreign residents (NIE): X, Y or Z for 0, 1, 2, seven digits, and the letter of the rest by 23 (Orden INT/2058/2008). */
export const esNie = shapeDetector({
  entity: "es_nie",
  class: "personal",
  profile: "standard",
  shapes: ["A 9999999 A"],
  check: (nie, written) => /^[XYZ]/.test(nie) && isNie(nie) && (written === written.toUpperCase() ? 0.9 : true),
  alone: 0,
  near: 1,
  context: words("NIE", "número nie", "extranjero", "extranjeros", "identidad", "nif"),
});

const LETTERS = "TRWAGMYFPDXBNJZSQVHLCKE";
const isNie = (nie: string): boolean => LETTERS.charAt(Number("XYZ".indexOf(nie.charAt(0)) + nie.slice(1, 8)) % 23) === nie.charAt(8);
