import assert from "node:assert/strict";
import { test } from "node:test";
import {
  isDate,
  isLuhn,
  isVerhoeff,
  luhnCheckDigit,
  mod11_2CheckDigit,
  mod11_10CheckDigit,
  mod97,
  verhoeffCheckDigit,
} from "./checksums.ts";

test("published examples", () => {
  assert.equal(luhnCheckDigit("7992739871"), 3);
  assert(isLuhn("4111111111111111"));
  assert(!isLuhn("4111111111111112"));
  assert.equal(mod97("3214282912345698765432161182"), 1);
  assert.equal(mod97("WEST12345698765432GB82"), 1);
  assert.equal(mod11_10CheckDigit("8609574271"), 9);
  assert.equal(mod11_2CheckDigit("11010519491231002"), "X");
  assert.equal(verhoeffCheckDigit("236"), 3);
  assert.equal(verhoeffCheckDigit("12345"), 1);
});

test("every single wrong digit is found, and by Verhoeff every pair that changed places", () => {
  const number = `12345678901${verhoeffCheckDigit("12345678901")}`;
  for (let at = 0; at < number.length; at += 1) {
    for (let digit = 0; digit < 10; digit += 1) {
      const other = number.slice(0, at) + String(digit) + number.slice(at + 1);
      assert.equal(isVerhoeff(other), other === number);
    }
    const [a, b] = [number.charAt(at), number.charAt(at + 1)];
    if (b !== "" && a !== b) assert(!isVerhoeff(number.slice(0, at) + b + a + number.slice(at + 2)));
  }
});

test("days that there are", () => {
  assert(isDate(2024, 2, 29) && isDate(2000, 2, 29) && isDate(1999, 12, 31));
  assert(!isDate(2023, 2, 29) && !isDate(1900, 2, 29) && !isDate(2024, 4, 31) && !isDate(2024, 13, 1) && !isDate(2024, 1, 0));
});
