import { isDayOf, isLuhn } from "../shared/checksums.ts";
import { words } from "../shared/context.ts";
import { shapeDetector } from "../shared/shapes.ts";

/** Swedish personal identity number: date of birth (coordination numbers: day + 60), `-` or `+`, order, and a check digit by Luhn over ten digits (Skatteverket). */
export const sePersonnummer = shapeDetector({
  entity: "se_personnummer",
  class: "personal",
  profile: "standard",
  shapes: ["99999999 9999", "999999 9999"],
  separators: "-+ ",
  check: (id, written) => isPersonnummer(id) && (/[-+]/.test(written) ? 0.85 : true),
  alone: 0,
  near: 1,
  context: words("personnummer", "personnr", "person nr", "samordningsnummer", "swedish id", "personal identity number"),
});

function isPersonnummer(id: string): boolean {
  if (id.length === 12 && !/^(?:18|19|20)/.test(id)) return false;
  const ten = id.slice(-10);
  return isDayOf(Number(ten.slice(2, 4)), Number(ten.slice(4, 6)) % 60) && isLuhn(ten);
}
