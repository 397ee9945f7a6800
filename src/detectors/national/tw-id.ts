import { weighted } from "../shared/checksums.ts";
import { words } from "../shared/context.ts";
import { shapeDetector } from "../shared/shapes.ts";

/** Taiwanese identity number: a letter of the place, 1 or 2 (8 or 9 for residents), and a weighted check (Ministry of the Interior). */
export const twId = shapeDetector({
  entity: "tw_id",
  class: "personal",
  profile: "standard",
  shapes: ["A999999999"],
  separators: "",
  check: (id, written) => /^[A-Z][1289]/.test(id) && isTaiwanese(id) && (written === id ? 0.8 : true),
  alone: 0,
  near: 1,
  context: words("身分證", "身份证", "身分證字號", "統一編號", "居留證", "taiwan id", "national id", "id number"),
});

/** Number of each letter, from 10, in the order of their values. */
const LETTERS = "ABCDEFGHJKLMNPQRSTUVXYWZIO";

function isTaiwanese(id: string): boolean {
  const place = LETTERS.indexOf(id.charAt(0)) + 10;
  return (Math.floor(place / 10) + (place % 10) * 9 + weighted(id.slice(1), [8, 7, 6, 5, 4, 3, 2, 1, 1])) % 10 === 0;
}
