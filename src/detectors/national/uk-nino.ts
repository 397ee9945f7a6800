import { words } from "../shared/context.ts";
import { shapeDetector } from "../shared/shapes.ts";

/** UK national insurance number: prefix rules and a suffix of A to D (HMRC, National Insurance Manual NIM39110). */
export const ukNino = shapeDetector({
  entity: "uk_nino",
  class: "personal",
  profile: "standard",
  shapes: ["AA 99 99 99 A"],
  check: (compact, written) => ISSUED.test(compact) && (written === written.toUpperCase() ? 0.8 : true),
  alone: 0,
  near: 1,
  context: words("national insurance", "nino", "ni number", "ni no", "insurance number"),
});

const ISSUED = /^(?!BG|GB|KN|NK|NT|TN|ZZ)[ABCEGHJ-PRSTW-Z][ABCEGHJ-NPRSTW-Z][0-9]{6}[A-D]$/;
