import { words } from "../shared/context.ts";
import { shapeDetector } from "../shared/shapes.ts";

/** US individual taxpayer number: 9, and a fourth and fifth digit of 50 to 65, 70 to 88, 90 to 92 or 94 to 99 (IRS, Publication 1915). */
export const usItin = shapeDetector({
  entity: "us_itin",
  class: "personal",
  profile: "standard",
  shapes: ["999 99 9999"],
  check: (compact, written) => ISSUED.test(compact) && (DASHED.test(written) ? 0.8 : true),
  alone: 0,
  near: 1,
  context: words("itin", "taxpayer", "tax id", "individual tax", "tax identification", "TIN", "IRS", "ssn"),
});

const DASHED = /^[0-9]{3}-[0-9]{2}-[0-9]{4}$/;
const ISSUED = /^9[0-9]{2}(?:5[0-9]|6[0-5]|7[0-9]|8[0-8]|9[0-24-9])/;
