import { isOneDigit, valueAt, weighted } from "../shared/checksums.ts";
import { words } from "../shared/context.ts";
import { shapeDetector } from "../shared/shapes.ts";

/** UK NHS number: ten digits, the last by modulus 11 (NHS Data Dictionary). The checksum is weak and the form is that of phone numbers: a word must be near. */
export const ukNhs = shapeDetector({
  entity: "uk_nhs",
  class: "personal",
  profile: "standard",
  shapes: ["999 999 9999"],
  check: (compact) => !isOneDigit(compact) && (11 - (weighted(compact, WEIGHTS) % 11)) % 11 === valueAt(compact, 9),
  near: 1,
  context: words("nhs", "national health", "health service", "patient", "chi number"),
});

const WEIGHTS = [10, 9, 8, 7, 6, 5, 4, 3, 2] as const;
