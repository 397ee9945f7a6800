import { isDayOf } from "../shared/checksums.ts";
import { words } from "../shared/context.ts";
import { shapeDetector } from "../shared/shapes.ts";

/** Belgian national number: date of birth, order, and 97 less the number modulo 97, with a 2 before it for births since 2000 (Royal Decree of 3 April 1984). Written with its signs it is one; bare it needs a word. */
export const beNationalNumber = shapeDetector({
  entity: "be_national_number",
  class: "personal",
  profile: "standard",
  shapes: ["99 99 99 999 99"],
  check: (id, written) => isNational(id) && (/^..\...\...-/.test(written) ? 1 : true),
  alone: 0,
  near: 1,
  context: words(
    "rijksregister",
    "rijksregisternummer",
    "registre national",
    "numéro national",
    "numero national",
    "nationaal nummer",
    "insz",
    "niss",
    "national number",
    "nationalregister",
  ),
});

function isNational(id: string): boolean {
  const [month, day] = [Number(id.slice(2, 4)) % 20, Number(id.slice(4, 6))];
  if (!(isDayOf(month, day) || (month === 0 && day === 0))) return false;
  const check = Number(id.slice(9));
  return ["", "2"].some((century) => 97 - (Number(century + id.slice(0, 9)) % 97) === check);
}
