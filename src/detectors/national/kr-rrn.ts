import { isDayOf, valueAt, weighted } from "../shared/checksums.ts";
import { words } from "../shared/context.ts";
import { shapeDetector } from "../shared/shapes.ts";

/** Korean resident registration number: date of birth, sex and century, and a check digit by modulus 11 that numbers given since October 2020 no longer have (Ministry of the Interior and Safety). */
export const krRrn = shapeDetector({
  entity: "kr_rrn",
  class: "personal",
  profile: "standard",
  shapes: ["999999 9999999"],
  separators: " -",
  check: (id, written) => isDayOf(Number(id.slice(2, 4)), Number(id.slice(4, 6))) && /^[1-8]/.test(id.slice(6)) && score(id, written),
  alone: 0,
  near: 1,
  context: words("주민등록", "주민번호", "주민등록번호", "외국인등록", "resident registration", "rrn"),
});

const WEIGHTS = [2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5] as const;
const isChecked = (id: string): boolean => (11 - (weighted(id, WEIGHTS) % 11)) % 10 === valueAt(id, 12);
const score = (id: string, written: string): number => (written.charAt(6) !== "-" ? 0 : isChecked(id) ? 0.95 : 0.6);
