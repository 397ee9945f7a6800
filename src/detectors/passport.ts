import { digitsIn, isOneDigit } from "./shared/checksums.ts";
import { words } from "./shared/context.ts";
import { shapeDetector } from "./shared/shapes.ts";

/** Passport numbers: the forms that countries use have no checksum, so that a word must be near. Source: ICAO 9303 part 4; issuers' own pages. */
export const passport = shapeDetector({
  entity: "passport",
  class: "personal",
  profile: "standard",
  shapes: ["AA 9999999", "AA 999999", "A 99999999", "A 9999999", "AXXXXXXXX", "99AA99999", "999999999", "99 9999999", "99999999"],
  separators: " ",
  check: (number) => digitsIn(number) >= 3 && !isOneDigit(number),
  near: 0.8,
  context: words(
    ...[
      "passport",
      "passports",
      "passport no",
      "travel document",
      "passeport",
      "reisepass",
      "passnummer",
      "reisepassnummer",
      "pasaporte",
      "passaporto",
    ],
    ...["passaporte", "paspoort", "paszport", "паспорт", "паспорта", "护照", "護照", "パスポート", "여권"],
  ),
});
