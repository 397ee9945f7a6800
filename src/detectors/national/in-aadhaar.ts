import { isOneDigit, isVerhoeff } from "../shared/checksums.ts";
import { words } from "../shared/context.ts";
import { shapeDetector } from "../shared/shapes.ts";

/** Indian Aadhaar number: twelve digits, not from 0 or 1, checked by Verhoeff (UIDAI). */
export const inAadhaar = shapeDetector({
  entity: "in_aadhaar",
  class: "personal",
  profile: "standard",
  shapes: ["9999 9999 9999"],
  check: (id) => /^[2-9]/.test(id) && !isOneDigit(id) && isVerhoeff(id),
  near: 1,
  context: words("aadhaar", "aadhar", "adhaar", "uidai", "UID", "आधार"),
});
