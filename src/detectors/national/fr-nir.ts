import { words } from "../shared/context.ts";
import { shapeDetector } from "../shared/shapes.ts";

/** French social security number (NIR): sex, year, month, place (Corsica 2A, 2B), orders, and the key 97 less the number modulo 97 (INSEE). */
export const frNir = shapeDetector({
  entity: "fr_nir",
  class: "personal",
  profile: "standard",
  shapes: ["9 99 99 9X 999 999 99"],
  check: isNir,
  alone: 1,
  near: 1,
  context: words("sécurité sociale", "securite sociale", "nir", "insee", "numéro de sécu", "numero de secu", "carte vitale"),
});

const FORM = /^[1-478][0-9]{2}(?:0[1-9]|1[0-2]|[2-9][0-9])(?:[0-9]{2}|2[AB])[0-9]{8}$/;

/** Corsica counts as 19 (2A) and 18 (2B). */
function isNir(nir: string): boolean {
  if (!FORM.test(nir)) return false;
  const digits = nir.replace("2A", "19").replace("2B", "18");
  return 97 - (Number(digits.slice(0, 13)) % 97) === Number(digits.slice(13));
}
