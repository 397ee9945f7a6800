import { valueAt, weighted } from "../shared/checksums.ts";
import { words } from "../shared/context.ts";
import { shapeDetector } from "../shared/shapes.ts";

/** Thai identity number: thirteen digits, the last by modulus 11 (Department of Provincial Administration). */
export const thId = shapeDetector({
  entity: "th_id",
  class: "personal",
  profile: "standard",
  shapes: ["9 9999 99999 99 9"],
  check: (id, written) => /^[1-8]/.test(id) && checkDigit(id) === valueAt(id, 12) && (/^.-....-.....-..-.$/.test(written) ? 1 : true),
  alone: 0,
  near: 1,
  context: words("บัตรประชาชน", "เลขประจำตัวประชาชน", "thai id", "thai national", "citizen id"),
});

const checkDigit = (id: string): number => (11 - (weighted(id, [13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11)) % 10;
