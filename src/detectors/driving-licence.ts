import { digitsIn, isOneDigit } from "./shared/checksums.ts";
import { words } from "./shared/context.ts";
import { shapeDetector } from "./shared/shapes.ts";

/**
 * Driving licences: every state and country has its own form, most without a checksum, so that a word must be near.
 * Source: AAMVA, "Driver License and Identification Card" numbers by state; DVLA (16 signs from the name); EU Directive 2006/126.
 */
export const drivingLicence = shapeDetector({
  entity: "driving_licence",
  class: "personal",
  profile: "standard",
  shapes: [
    ...[
      "AAAAA999999AAXAA",
      "AAXXX999999XXXXX",
      "A999 9999 9999 99",
      "A999 9999 9999",
      "A99999999999999",
      "A9999999999999",
      "A999999999999",
      "A99999999999",
      "A9999999999",
      "A999999999",
      "A99999999",
      "A9999999",
      "A999999",
    ],
    ...[
      "AA999999A",
      "AA999999",
      "999999999999",
      "99999999999",
      "9999999999",
      "999999999",
      "99999999",
      "9999999",
      "999AA9999",
      "XX99 99999999999",
      "XXXXXXXXXXX",
    ],
  ],
  separators: "- ",
  check: (number) => digitsIn(number) >= 4 && !isOneDigit(number),
  near: 0.85,
  context: words(
    ...[
      "driver license",
      "drivers license",
      "driver s license",
      "driver's license",
      "driver’s license",
      "driver's licence",
      "driver licence",
      "drivers licence",
    ],
    ...[
      "driving licence",
      "driving license",
      "driver license number",
      "dl number",
      "dl no",
      "DL",
      "licence number",
      "driver id",
      "permis de conduire",
    ],
    ...[
      "führerschein",
      "führerscheinnummer",
      "fuehrerschein",
      "permiso de conducir",
      "carnet de conducir",
      "patente",
      "patente di guida",
      "rijbewijs",
      "prawo jazdy",
    ],
    ...["carteira de motorista", "cnh", "водительское", "驾驶证", "驾照", "駕照", "運転免許", "운전면허"],
  ),
});
