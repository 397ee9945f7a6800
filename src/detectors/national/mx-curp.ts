import { isDayOf } from "../shared/checksums.ts";
import { words } from "../shared/context.ts";
import { shapeDetector } from "../shared/shapes.ts";

/** Mexican population key (CURP): letters of the name, date of birth, sex, state, and a check digit (RENAPO, Instructivo normativo). */
export const mxCurp = shapeDetector({
  entity: "mx_curp",
  class: "personal",
  profile: "standard",
  shapes: ["AAAA999999AAAAAAX9"],
  separators: "",
  check: isCurp,
  alone: 1,
  near: 1,
  context: words("curp"),
});

const FORM =
  /^[A-Z][AEIOUX][A-Z]{2}[0-9]{6}[HMX](?:AS|BC|BS|CC|C[LMSH]|D[FG]|G[TR]|HG|JC|M[CNS]|N[TLE]|OC|PL|Q[TR]|S[PLR]|T[CSL]|VZ|YN|ZS)[B-DF-HJ-NP-TV-Z]{3}/;
/** Letters after N count one more: the alphabet has an Ñ. */
const SIGNS = "0123456789ABCDEFGHIJKLMNÑOPQRSTUVWXYZ";

function isCurp(curp: string): boolean {
  if (!FORM.test(curp) || !isDayOf(Number(curp.slice(6, 8)), Number(curp.slice(8, 10)))) return false;
  let sum = 0;
  for (let index = 0; index < 17; index += 1) sum += SIGNS.indexOf(curp.charAt(index)) * (18 - index);
  return String((10 - (sum % 10)) % 10) === curp.charAt(17);
}
