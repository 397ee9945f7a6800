import { isDate, isDayOf, mod11_2CheckDigit } from "../shared/checksums.ts";
import { words } from "../shared/context.ts";
import { shapeDetector } from "../shared/shapes.ts";

/** Chinese resident identity number (GB 11643-1999): province, date of birth, order, and a check by ISO 7064 MOD 11-2. The older form of 15 digits has none and needs a word. */
export const cnResidentId = shapeDetector({
  entity: "cn_resident_id",
  class: "personal",
  profile: "standard",
  shapes: ["999999 99999999 999X", "999999 999999 999"],
  check: (id) => PROVINCE.test(id) && (id.length === 18 ? isCurrent(id) && 1 : isDayOf(Number(id.slice(8, 10)), Number(id.slice(10, 12)))),
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

const PROVINCE = /^(?:1[1-5]|2[1-3]|3[1-7]|4[1-6]|5[0-4]|6[1-5]|71|8[1-3])/;
const isCurrent = (id: string): boolean =>
  /^(?:18|19|20)/.test(id.slice(6)) &&
  isDate(Number(id.slice(6, 10)), Number(id.slice(10, 12)), Number(id.slice(12, 14))) &&
  mod11_2CheckDigit(id.slice(0, 17)) === id.charAt(17);
