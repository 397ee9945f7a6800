import { valueAt } from "../shared/checksums.ts";
import { words } from "../shared/context.ts";
import { shapeDetector } from "../shared/shapes.ts";

/** Hong Kong identity card: one or two letters, six digits, and a check by modulus 11 that stands in brackets (Immigration Department). */
export const hkId = shapeDetector({
  entity: "hk_id",
  class: "personal",
  profile: "standard",
  shapes: ["AA999999(X)", "A999999(X)", "AA999999X", "A999999X"],
  separators: "",
  check: (id, written) => isHongKong(id) && (written.endsWith(")") ? 0.9 : true),
  alone: 0,
  near: 1,
  context: words("hkid", "hong kong id", "香港身份證", "香港身份证", "身份證", "identity card", "id card"),
});

function isHongKong(id: string): boolean {
  const padded = id.padStart(9, " ");
  let sum = 0;
  for (let index = 0; index < 8; index += 1) sum += (padded.charAt(index) === " " ? 36 : valueAt(padded, index)) * (9 - index);
  const check = (11 - (sum % 11)) % 11;
  return (check === 10 ? "A" : String(check)) === id.slice(-1);
}
