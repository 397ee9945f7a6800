import { BLANK_IN_HTML, withoutUnseen } from "../../detectors/shared/text.ts";
import { spellingOf } from "./stand-in.ts";

/** A value as it is written elsewhere, and what makes another of the form in which it stands. */
export interface PlainForm {
  readonly plain: string;
  write(other: string): string;
}

/**
 * The plain form of a value that stands percent-encoded in a URL, or of an address whose sign is written otherwise, as the detectors find
 * them: the same person's as elsewhere.
 */
export function plainForm(entity: string, value: string): PlainForm {
  if (entity !== "email")
    return isInUrl(entity, value)
      ? decoded(value, value)
      : { plain: spellingOf(entity) === "code" ? plainBlanks(value) : value, write: same };
  if (/^[^@]+%40[^@]+$/i.test(value)) return decoded(value, plainAddress(value));
  return { plain: plainAddress(value), write: same };
}

const same = (other: string): string => other;
/** URLs and secrets are what they are. */
const isInUrl = (entity: string, value: string): boolean => spellingOf(entity) === "code" && /%[0-9a-f]{2}/i.test(value);

function decoded(value: string, otherwise: string): PlainForm {
  try {
    return { plain: decodeURIComponent(value), write: encodeURIComponent };
  } catch {
    return { plain: otherwise, write: same };
  }
}

/** As blanks of HTML are written in text. */
const plainBlanks = (value: string): string => value.replaceAll(BLANK_IN_HTML, " ");

const plainAddress = (value: string): string =>
  withoutUnseen(value)
    .replace(/%2540|&(?:#0?64|#x40|commat);|\\u0040| ?[[({]at[\])}] ?/i, "@")
    .replaceAll(/ ?[[({](?:dot|\.)[\])}] ?/gi, ".");
