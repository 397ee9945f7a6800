import { weighted } from "./shared/checksums.ts";
import { words } from "./shared/context.ts";
import { shapeDetector } from "./shared/shapes.ts";

/** Value of each letter (49 CFR 565.15, table III); I, O and Q are not used. */
const LETTERS: Readonly<Record<string, string>> = { 1: "AJ", 2: "BKS", 3: "CLT", 4: "DMU", 5: "ENV", 6: "FW", 7: "GPX", 8: "HY", 9: "RZ" };
const VALUE_OF: ReadonlyMap<string, string> = new Map(
  Object.entries(LETTERS).flatMap(([value, letters]) => [...letters].map((letter) => [letter, value] as const)),
);
/** The ninth sign is the check itself. */
const WEIGHTS = [8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2] as const;

/** The check digit of a vehicle identification number, `X` for ten; the ninth sign given counts for nothing. */
export function vinCheckDigit(vin: string): string {
  const digits = vin.replaceAll(/[A-Z]/g, (letter) => VALUE_OF.get(letter) ?? "0");
  const rest = weighted(digits, WEIGHTS) % 11;
  return rest === 10 ? "X" : String(rest);
}

/** Vehicle identification numbers (ISO 3779): 17 signs, the last four digits. With the North American check digit, or with a word near. */
export const vin = shapeDetector({
  entity: "vin",
  class: "personal",
  profile: "strict",
  shapes: ["XXXXXXXXXXXXX9999"],
  separators: "",
  check: (vin, written) =>
    /^(?=.*[A-Z].*[A-Z])[A-HJ-NPR-Z0-9]{17}$/.test(vin) && (vin.charAt(8) === vinCheckDigit(vin) && written === vin ? 0.9 : true),
  alone: 0,
  near: 0.95,
  context: words(
    "vin",
    "vehicle identification",
    "chassis",
    "fahrgestellnummer",
    "fahrzeugidentifikationsnummer",
    "bastidor",
    "telaio",
    "车架号",
    "车辆识别",
  ),
});
