import { isDate, isDayOf, mod11_2CheckDigit } from "../shared/checksums.ts";
import { words } from "../shared/context.ts";
import { shapeDetector } from "../shared/shapes.ts";

/** Chinese resident identity number (GB 11643-1999): province, date of birth, order, and a check by ISO 7064 MOD 11-2. The older form of 15 digits has none and needs a word. */
export const cnResidentId = shapeDetector({
  entity: "cn_resident_id",
  class: "personal",
  profile: "standard",
  shapes: ["999999 99999999 999X", "999999 999999 999"],
  sum: (values) => PROVINCES.has((values[0] ?? 0) * 10 + (values[1] ?? 0)),
  check: (id) => (id.length === 18 ? isCurrent(id) && 1 : isDayOf(Number(id.slice(8, 10)), Number(id.slice(10, 12)))),
  alone: 0,
  near: 1,
  context: words(
    "身份证",
    "身分证",
    "身份證",
    "证件号",
    "公民身份",
    "身份号",
    "居民",
    "id card",
    "identity card",
    "identity number",
    "resident id",
    "shenfenzheng",
    "id number",
    "national id",
  ),
});

const PROVINCES: ReadonlySet<number> = new Set([
  ...[11, 12, 13, 14, 15, 21, 22, 23, 31, 32, 33, 34, 35, 36, 37, 41, 42, 43, 44, 45, 46],
  ...[50, 51, 52, 53, 54, 61, 62, 63, 64, 65, 71, 81, 82, 83],
]);
const isCurrent = (id: string): boolean =>
  /^(?:18|19|20)/.test(id.slice(6)) &&
  isDate(Number(id.slice(6, 10)), Number(id.slice(10, 12)), Number(id.slice(12, 14))) &&
  mod11_2CheckDigit(id.slice(0, 17)) === id.charAt(17);
