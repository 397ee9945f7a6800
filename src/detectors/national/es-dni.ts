import { words } from "../shared/context.ts";
import { shapeDetector } from "../shared/shapes.ts";

/** Spanish identity number (DNI): eight digits and the letter of their rest by 23 (Ministerio del Interior). */
export const esDni = shapeDetector({
  entity: "es_dni",
  class: "personal",
  profile: "standard",
  shapes: ["99 999 999 A"],
  check: (dni, written) => LETTERS.charAt(Number(dni.slice(0, 8)) % 23) === dni.charAt(8) && (written.endsWith(dni.charAt(8)) ? 0.9 : true),
  alone: 0,
  near: 1,
  context: words("dni", "nif", "documento nacional", "identidad", "d n i"),
});

const LETTERS = "TRWAGMYFPDXBNJZSQVHLCKE";
