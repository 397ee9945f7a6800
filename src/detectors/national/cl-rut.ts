import { words } from "../shared/context.ts";
import { shapeDetector } from "../shared/shapes.ts";

/** Chilean RUT: digits and a check by modulus 11, K for ten (Registro Civil). Written with its signs it is one; bare it needs a word. */
export const clRut = shapeDetector({
  entity: "cl_rut",
  class: "personal",
  profile: "standard",
  shapes: ["99 999 999 X", "9 999 999 X"],
  sum: isRut,
  check: (_, written) => (/^[0-9]{1,2}\.[0-9]{3}\.[0-9]{3}-/.test(written) ? 0.95 : written.includes("-")),
  alone: 0,
  near: 1,
  context: words("RUT", "rol tributario", "RUN", "rol único", "rol unico"),
});

const K = 20;
function isRut(values: Uint8Array, count: number): boolean {
  let sum = 0;
  for (let index = 0; index < count - 1; index += 1) sum += (values[count - 2 - index] ?? 0) * (2 + (index % 6));
  const check = (11 - (sum % 11)) % 11;
  return (check === 10 ? K : check) === values[count - 1];
}
