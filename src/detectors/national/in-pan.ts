import { words } from "../shared/context.ts";
import { shapeDetector } from "../shared/shapes.ts";

/** Indian permanent account number (PAN): five letters whose fourth is the kind of holder, four digits, a letter (Income Tax Department). */
export const inPan = shapeDetector({
  entity: "in_pan",
  class: "financial",
  profile: "standard",
  shapes: ["AAAAA9999A"],
  separators: "",
  check: (pan, written) => /^[A-Z]{3}[ABCFGHJLPT][A-Z]/.test(pan) && (written === pan ? 0.75 : true),
  alone: 0,
  near: 1,
  context: words("PAN", "pan card", "pan number", "pan no", "permanent account", "income tax", "पैन"),
});
