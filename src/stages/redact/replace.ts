import { plainForm } from "./plain-form.ts";
import type { Pseudonyms } from "./pseudonyms.ts";
import type { Action } from "./section.ts";
import { canonical, spellingOf } from "./stand-in.ts";

/** Says what stands in place of a value. */
export interface Replacer {
  readonly pseudonyms: Pseudonyms;
  /** Keyed, hex: for the record and for `hash`. */
  digest(text: string): string;
  replacement(entity: string, value: string, action: Action): string;
  /** For changes of JSON numbers. */
  readonly numbers: { readonly inNumber?: string };
}

export function makeReplacer(pseudonyms: Pseudonyms, digest: (text: string) => string, inNumber: string | undefined): Replacer {
  const name = (entity: string): string => entity.toUpperCase();
  const replacement = (entity: string, value: string, action: Action): string => {
    if (action === "partial") {
      const { plain, write } = plainForm(entity, value);
      const last = lastFour(plain);
      return last === undefined ? `<${name(entity)}>` : write(last);
    }
    // Of two spellings of one value it is the same.
    if (action === "hash")
      return `<${name(entity)}:${digest(canonical(plainForm(entity, value).plain, spellingOf(entity))).slice(0, HASH_CHARS)}>`;
    if (action === "pseudonymise") return pseudonyms.of(entity, value) ?? `<${name(entity)}>`;
    return `<${name(entity)}>`;
  };
  return { pseudonyms, digest, replacement, numbers: inNumber === undefined ? {} : { inNumber } };
}

/** Hex digits of a value's digest in a text. */
const HASH_CHARS = 12;
/** Shorter values would be told by their last four signs. */
const PARTIAL_SIGNS_MIN = 9;

function lastFour(value: string): string | undefined {
  const signs = value.match(/[\p{L}\p{N}]/gu)?.length ?? 0;
  if (signs < PARTIAL_SIGNS_MIN) return undefined;
  let left = signs - 4;
  return value.replaceAll(/[\p{L}\p{N}]/gu, (sign) => (left-- > 0 ? "*" : sign));
}
