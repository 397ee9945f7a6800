import { valueAt, weighted } from "../shared/checksums.ts";
import { words } from "../shared/context.ts";
import { shapeDetector } from "../shared/shapes.ts";

/** Turkish identity number: eleven digits, the last two computed (NVİ). */
export const trKimlik = shapeDetector({
  entity: "tr_kimlik",
  class: "personal",
  profile: "standard",
  shapes: ["99999999999"],
  separators: " ",
  check: (id) => !id.startsWith("0") && isKimlik(id),
  near: 1,
  context: words("kimlik", "tc kimlik", "tckn", "t c no", "turkish id"),
});

function isKimlik(id: string): boolean {
  const odd = weighted(id, [1, 0, 1, 0, 1, 0, 1, 0, 1]);
  const even = weighted(id, [0, 1, 0, 1, 0, 1, 0, 1]);
  const tenth = (((odd * 7 - even) % 10) + 10) % 10;
  return tenth === valueAt(id, 9) && (odd + even + tenth) % 10 === valueAt(id, 10);
}
