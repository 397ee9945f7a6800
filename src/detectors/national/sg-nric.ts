import { weighted } from "../shared/checksums.ts";
import { words } from "../shared/context.ts";
import { shapeDetector } from "../shared/shapes.ts";

/** Singapore NRIC and FIN: S, T, F, G or M, seven digits, and a check letter (ICA). */
export const sgNric = shapeDetector({
  entity: "sg_nric",
  class: "personal",
  profile: "standard",
  shapes: ["A9999999A"],
  separators: "",
  check: (id, written) => isNric(id) && (written === id ? 0.9 : true),
  alone: 0,
  near: 1,
  context: words("nric", "FIN", "fin number", "identity card", "work pass", "singpass"),
});

const LETTERS: Readonly<Record<string, string>> = {
  S: "JZIHGFEDCBA",
  T: "JZIHGFEDCBA",
  F: "XWUTRQPNMLK",
  G: "XWUTRQPNMLK",
  M: "KLJNPQRTUWX",
};
const ADDED: Readonly<Record<string, number>> = { T: 4, G: 4, M: 3 };

function isNric(id: string): boolean {
  const first = id.charAt(0);
  const rest = (weighted(id.slice(1), [2, 7, 6, 5, 4, 3, 2]) + (ADDED[first] ?? 0)) % 11;
  const letters = LETTERS[first];
  return letters !== undefined && letters.charAt(first === "M" ? 10 - rest : rest) === id.charAt(8);
}
