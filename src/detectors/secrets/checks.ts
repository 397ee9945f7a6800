import { Buffer } from "node:buffer";
import { crc32 } from "node:zlib";
import { ALNUM, runEnd } from "./alphabets.ts";

const BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/**
 * The last six characters of GitHub's and npm's tokens are the CRC-32 of what stands between prefix and checksum, in base 62.
 * Source: github.blog, "Behind GitHub's new authentication token formats" (2021-04-05). A token whose checksum is wrong was never
 * given out, but it may be a mistyped one: it counts, less surely.
 */
export function githubScore(token: string): number {
  const body = token.slice(token.indexOf("_") + 1);
  if (body.length !== 36) return 1;
  let left = crc32(body.slice(0, 30));
  let sum = "";
  while (sum.length < 6) {
    sum = BASE62.charAt(left % 62) + sum;
    left = Math.floor(left / 62);
  }
  return sum === body.slice(30) ? 1 : 0.9;
}

/** Keys that Google's own documentation and clients publish, which open nothing of anybody's; as CRC-32, so that no key stands here. */
const PUBLISHED_GOOGLE_KEYS: ReadonlySet<number> = new Set([
  0x08394327, 0x0ba59aba, 0x1f358cbe, 0x202f468f, 0x3627aa84, 0x3c5d7fda, 0x5c298136, 0x6159ac90, 0x6a4f7820, 0x6b66e8a8, 0x6b9463f8,
  0x7aa120d5, 0x94bb94f9, 0xafe8ff3e, 0xfbc47221, 0xffddd189,
]);
export const googleScore = (token: string): number => (PUBLISHED_GOOGLE_KEYS.has(crc32(token)) ? 0 : 1);

/** Text of base64 or base64url; undefined for what is not text. */
export function decoded(coded: string): string | undefined {
  const text = Buffer.from(coded, "base64").toString("latin1");
  return /^[\t\n\r\x20-\x7e\x80-\xff]+$/.test(text) ? text : undefined;
}

/** Whether base64url holds a JSON object; `member`: one that it must have. */
export function holdsJson(coded: string, member?: string): boolean {
  const text = decoded(coded)?.trim();
  if (text === undefined || !text.startsWith("{") || !text.endsWith("}")) return false;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && (member === undefined || Object.hasOwn(value, member));
  } catch {
    return false;
  }
}

/** A JSON Web Token (RFC 7515, 7516): header with `alg` and a second part that is JSON too, or the four more parts of an encrypted one. */
export function jwtScore(token: string): number {
  const parts = token.split(".");
  const [header = "", payload = ""] = parts;
  if (!holdsJson(header, "alg")) return 0;
  if (parts.length === 5) return 1;
  if (holdsJson(payload)) return 1;
  // What was cut short or written over still has a signature that is no word.
  return parts.length === 3 && payload.startsWith("ey") && payload.length > 16 ? 0.8 : 0;
}

/** The same, as base64 once more: how some systems pass tokens on. */
export function nestedJwtScore(token: string): number {
  const inner = decoded(token);
  if (inner === undefined) return 0;
  const header = inner.slice(0, runEnd(inner, 0, ALNUM, inner.length));
  return holdsJson(header, "alg") || /^\{"(?:alg|typ|kid|enc)"/.test(decoded(header) ?? "") ? 1 : 0;
}
