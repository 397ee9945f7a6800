import { mod11_10CheckDigit, valueAt } from "../shared/checksums.ts";
import { words } from "../shared/context.ts";
import { shapeDetector } from "../shared/shapes.ts";

/** German tax identification number: ISO 7064 MOD 11,10, not from 0; of the first ten digits one stands two or three times and no other does (BZSt, "Steuerliche Identifikationsnummer"). */
export const deTaxId = shapeDetector({
  entity: "de_tax_id",
  class: "personal",
  profile: "standard",
  shapes: ["99 999 999 999"],
  check: (id) => !id.startsWith("0") && isSpread(id.slice(0, 10)) && mod11_10CheckDigit(id.slice(0, 10)) === valueAt(id, 10),
  near: 1,
  context: words(
    "steuer",
    "steuer id",
    "steueridentifikationsnummer",
    "steuer identifikationsnummer",
    "identifikationsnummer",
    "idnr",
    "steuernummer",
    "tax id",
    "tax number",
    "tax identification",
    "tin",
  ),
});

/** Eight or nine different digits: one twice, or one three times. */
function isSpread(digits: string): boolean {
  const counts = new Map<string, number>();
  for (const digit of digits) counts.set(digit, (counts.get(digit) ?? 0) + 1);
  const repeated = [...counts.values()].filter((count) => count > 1);
  return repeated.length === 1 && (repeated[0] ?? 0) <= 3;
}
