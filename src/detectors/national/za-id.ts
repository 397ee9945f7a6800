import { isDayOf, isLuhn } from "../shared/checksums.ts";
import { words } from "../shared/context.ts";
import { shapeDetector } from "../shared/shapes.ts";

/** South African identity number: date of birth, order, citizenship, and a check digit by Luhn (Department of Home Affairs). */
export const zaId = shapeDetector({
  entity: "za_id",
  class: "personal",
  profile: "standard",
  shapes: ["999999 9999 99 9"],
  separators: " ",
  check: (id) => isDayOf(Number(id.slice(2, 4)), Number(id.slice(4, 6))) && /^[012][0-9]{2}$/.test(id.slice(10)) && isLuhn(id),
  near: 1,
  context: words("south african id", "sa id", "id number", "identity number", "rsa id", "id no"),
});
