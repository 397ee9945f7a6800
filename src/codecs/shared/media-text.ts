/** Base64 in a data URL (RFC 2397). Parameters before it are short. */
export const BASE64_DATA_URL: RegExp = /^data:([^,]{0,200});base64,/i;
/** A sign that base64 does not have, in either alphabet, percent-encoded or not (RFC 4648, RFC 3986). */
const OTHER = /[^A-Za-z0-9+/=_%-]/;
/** Where base64 outgrows any word, in characters. */
const MEDIA_CHARS_MIN = 1024;
/** Of an address of megabytes, which a provider decodes or refuses whole, so much of either end is looked at; UTF-16 units. */
const ENDS_CHARS = 65_536;

/**
 * Does a string hold media, which nobody reads as text? Where an address stands (`isAddress`) that is base64 in a data URL. Everywhere
 * else the model reads the very letters, so it must be long as well and not said to be text; and in no place may anything stand beside
 * it, or a few letters in front of a text would hide it from every rule.
 */
export function isMediaText(text: string, isAddress: boolean): boolean {
  if (text.length <= MEDIA_CHARS_MIN && !isAddress) return false;
  const head = BASE64_DATA_URL.exec(text);
  if (head === null || (!isAddress && /^text\//i.test(head[1] ?? ""))) return false;
  const from = head[0].length;
  if (!isAddress || text.length - from <= 2 * ENDS_CHARS) return !OTHER.test(text.slice(from));
  return !OTHER.test(text.slice(from, from + ENDS_CHARS)) && !OTHER.test(text.slice(-ENDS_CHARS));
}
