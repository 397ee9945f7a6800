import { isDayOf } from "../shared/checksums.ts";
import { words } from "../shared/context.ts";
import { shapeDetector } from "../shared/shapes.ts";

/** Finnish personal identity code: date of birth, a sign of the century, order, and a check sign by the rest by 31 (DVV; signs added in 2023). */
export const fiHetu = shapeDetector({
  entity: "fi_hetu",
  class: "personal",
  profile: "standard",
  shapes: ["999999A999X", "999999 999X"],
  separators: "-+",
  check: isHetu,
  alone: 1,
  near: 1,
  context: words("hetu", "henkilötunnus", "henkilotunnus", "sotu", "personbeteckning"),
});

const SIGNS = "0123456789ABCDEFHJKLMNPRSTUVWXY";

function isHetu(id: string, written: string): boolean {
  if (!/^[0-9]{6}[-+A-FU-Y][0-9]{3}/i.test(written) || !isDayOf(Number(id.slice(2, 4)), Number(id.slice(0, 2)))) return false;
  return SIGNS.charAt(Number(id.slice(0, 6) + id.slice(-4, -1)) % 31) === id.slice(-1);
}
