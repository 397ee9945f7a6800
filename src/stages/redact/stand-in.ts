/**
 * Stand-ins: what a model sees in place of a value. Each keeps the form of what it stands for (a card still passes its check, an
 * address is still one) and belongs to nobody: reserved domains, test card numbers, ranges that are never given out.
 *
 * Sources: RFC 2606 (domains), RFC 5737 and 3849 (addresses), RFC 7042 section 2.1.1 (MAC), NANPA (555-0100 to 0199), Ofcom (numbers
 * for drama), ITU-T E.164 list of assigned codes (999 is not), ISO 13616 (IBAN), SSA (areas from 900 are not given out), IRS (ITIN
 * groups), card networks' published test numbers, BIP 173, GB 11643 and GB/T 2260 (regions of China).
 */

import { isIPv4, isIPv6 } from "node:net";
import { luhnCheckDigit, mod11_2CheckDigit, mod97 } from "../../detectors/shared/checksums.ts";
import { withPlainDigits } from "../../detectors/shared/text.ts";
import { CLEAR, DIGITS, type Draw } from "./draw.ts";

/**
 * How a stand-in may be spelled when it comes back. exact: but for case. code: its letters and digits, but for case, however they are
 * grouped (`4000 0012` for `40000012`).
 */
export type Spelling = "exact" | "code";
export interface StandIn {
  readonly text: string;
  readonly spelling: Spelling;
  /** There are so few that one may be a value of the caller's own. */
  readonly scarce?: true;
}

/** Form by which two spellings of one value are the same. */
export function canonical(text: string, spelling: Spelling): string {
  const plain = withPlainDigits(text.normalize("NFKC"));
  return spelling === "exact" ? plain.toLowerCase() : plain.replaceAll(/[^\p{L}\p{N}]/gu, "").toUpperCase();
}

/** Entities whose values are the same only where every sign is. */
const EXACT: ReadonlySet<string> = new Set(["email", "url", "url_with_credentials", "ip_address"]);
export const spellingOf = (entity: string): Spelling => (EXACT.has(entity) || entity.startsWith("secret_") ? "exact" : "code");

type Maker = (value: string, draw: Draw) => StandIn | undefined;
const MAKERS: ReadonlyMap<string, Maker> = new Map<string, Maker>([
  [
    "email",
    (_value, draw) => ({
      text: `${draw.pick(LETTERS)}${draw.text(CLEAR, 9)}@example.${draw.int(0, 1) === 0 ? "com" : "net"}`,
      spelling: "exact",
    }),
  ],
  ["phone", phone],
  ["payment_card", card],
  ["iban", iban],
  ["us_ssn", (value, draw) => shaped(value, `9${draw.text(DIGITS, 2)}${draw.int(10, 49)}${draw.int(1000, 9999)}`)],
  ["us_itin", (value, draw) => shaped(value, `9${draw.text(DIGITS, 2)}${draw.int(0, 1) === 0 ? 89 : 93}${draw.int(1000, 9999)}`)],
  ["cn_resident_id", residentId],
  ["ip_address", address],
  ["crypto_address", wallet],
  ["mac_address", (value, draw) => scarce(shaped(value, `00005E0053${draw.int(0, 255).toString(16).padStart(2, "0")}`))],
  ["date_of_birth", birth],
  ["url", (_value, draw) => ({ text: `https://${draw.text(CLEAR, 10)}.example.com/`, spelling: "exact" })],
  ["url_with_credentials", (_value, draw) => ({ text: `https://user:${draw.text(CLEAR, 10)}@example.com/`, spelling: "exact" })],
]);
const LETTERS = "abcdefghjkmnpqrstuvwxyz";

/** Draws a stand-in for a value. The same draw gives the same. */
export function standInFor(entity: string, value: string, draw: Draw): StandIn {
  const plain = value.normalize("NFKC");
  return MAKERS.get(entity)?.(plain, draw) ?? (isCode(entity, plain) ? anyCode(plain, draw) : label(entity, draw));
}

/** Codes of many digits keep their shape; words and secrets get a label. */
const isCode = (entity: string, value: string): boolean =>
  !entity.startsWith("secret_") && /^[A-Za-z0-9 .\-/()+]+$/.test(value) && (value.match(/[0-9]/g)?.length ?? 0) >= 6;

function label(entity: string, draw: Draw): StandIn {
  return {
    text: `${entity
      .toUpperCase()
      .replaceAll(/[^A-Z0-9]+/g, "_")
      .slice(0, 40)}_${draw.text(CLEAR, 8).toUpperCase()}`,
    // Models escape an underscore in Markdown, or write a blank or a hyphen for it.
    spelling: "code",
  };
}

/** The letters and digits of `code` where those of the value stand; undefined where they are not as many. */
function shaped(value: string, code: string): StandIn | undefined {
  let at = 0;
  const text = value.replaceAll(/[A-Za-z0-9]/g, (sign) => {
    const given = code.charAt(at++);
    return sign === sign.toLowerCase() && /[a-z]/.test(value) ? given.toLowerCase() : given;
  });
  return at === code.length ? { text, spelling: "code" } : undefined;
}

const scarce = (made: StandIn | undefined): StandIn | undefined => (made === undefined ? undefined : { ...made, scarce: true });

function anyCode(value: string, draw: Draw): StandIn {
  const text = value.replaceAll(/[A-Za-z0-9]/g, (sign) =>
    /[0-9]/.test(sign) ? draw.pick(DIGITS) : /[a-z]/.test(sign) ? draw.pick(LETTERS) : draw.pick(LETTERS.toUpperCase()),
  );
  return { text, spelling: "code" };
}

function phone(value: string, draw: Draw): StandIn | undefined {
  const [, number, word = "", extension = ""] = EXTENDED.exec(value) ?? [];
  const extended = number === undefined ? undefined : phone(number, draw);
  if (extended !== undefined) return { ...extended, text: extended.text + word + draw.text(DIGITS, extension.length) };
  const digits = value.replaceAll(/[^0-9]/g, "");
  const northAmerican = /^1?[2-9][0-9]{9}$/.test(digits) && !/^\s*(?:\+|00)(?!\s*1)/.test(value);
  if (northAmerican) {
    const number = `${draw.int(2, 9)}${draw.int(0, 8)}${draw.int(0, 9)}55501${draw.text(DIGITS, 2)}`;
    return scarce(shaped(letterless(value), digits.length === 11 ? `1${number}` : number));
  }
  if (/^\s*(?:\+|00)\s*44/.test(value) && digits.length >= 12) {
    const before = digits.startsWith("00") ? "0044" : "44";
    const rest = digits.length - before.length;
    return scarce(shaped(letterless(value), `${before}${"7700900".padStart(rest - 3, "0").slice(0, rest - 3)}${draw.text(DIGITS, 3)}`));
  }
  const before = digits.startsWith("00") ? "00999" : value.trim().startsWith("+") ? "999" : `${digits.charAt(0)}99`;
  return scarce(shaped(letterless(value), before + draw.text(DIGITS, Math.max(0, digits.length - before.length))));
}
/** A number with an extension: its word stays, so that the stand-in is read as the value was. */
const EXTENDED = /^([^\p{L}]{1,60}[0-9])([ ,;]{0,2}(?:x|ext(?:ension|n)?|分机|转)[. :]{0,2})([0-9]{1,6})$/iu;
/** Other letters are no part of the number. */
const letterless = (value: string): string => value.replaceAll(/[A-Za-z]+/g, "-");

/** Prefixes of the networks' published test numbers, by the first digits and the length of the value. */
function testPrefix(digits: string): string {
  if (digits.length === 15) return "378282";
  if (digits.length === 14) return "305693";
  if (digits.startsWith("35")) return "353011";
  if (/^[25]/.test(digits)) return "555555";
  return digits.startsWith("6") ? "601111" : "400000";
}

function card(value: string, draw: Draw): StandIn | undefined {
  const digits = value.replaceAll(/[^0-9]/g, "");
  if (digits.length < 12) return undefined;
  const prefix = testPrefix(digits);
  const body = prefix + draw.text(DIGITS, digits.length - prefix.length - 1);
  return shaped(value, `${body}${luhnCheckDigit(body)}`);
}

/** Same country and length, a bank that has no code, valid check digits (ISO 7064 MOD 97-10). */
function iban(value: string, draw: Draw): StandIn | undefined {
  const code = canonical(value, "code");
  if (!/^[A-Z]{2}[0-9]{2}[A-Z0-9]{8,30}$/.test(code)) return undefined;
  const account = [...code.slice(4)]
    .map((sign, at) => (/[A-Z]/.test(sign) ? draw.pick("ABCDEFGHJKLMNPQRSTUVWXYZ") : at < 3 ? "0" : draw.pick(DIGITS)))
    .join("");
  const country = code.slice(0, 2);
  return shaped(value, `${country}${String(98 - mod97(`${account}${country}00`)).padStart(2, "0")}${account}`);
}

/** Of a region that there is not (99), with a date and a valid check digit (GB 11643-1999). */
function residentId(value: string, draw: Draw): StandIn | undefined {
  const body = `99${draw.text(DIGITS, 4)}${draw.int(1930, 2005)}${two(draw)}${two(draw)}${draw.text(DIGITS, 3)}`;
  return shaped(value, body + mod11_2CheckDigit(body));
}

function address(value: string, draw: Draw): StandIn | undefined {
  if (isIPv4(value)) return { text: `${NETS[draw.int(0, 2)] ?? "192.0.2"}.${draw.int(1, 254)}`, spelling: "exact", scarce: true };
  if (!isIPv6(value)) return undefined;
  const groups = Array.from({ length: 6 }, () => draw.int(1, 0xffff).toString(16));
  return { text: `2001:db8:${groups.join(":")}`, spelling: "exact" };
}
/** The chain's prefix and alphabet stay, and no checksum holds. Ethereum has none in small letters: a range that nobody's key gives (0xdead...). */
function wallet(value: string, draw: Draw): StandIn | undefined {
  const [hex] = /^0x(?=[0-9a-f]{40}$)/i.exec(value) ?? [];
  if (hex !== undefined) return { text: `${hex}dead0000${draw.text("0123456789abcdef", 32)}`, spelling: "code" };
  const [segwit] = /^[a-z]{2,4}1(?=[02-9ac-hj-np-z]+$)/i.exec(value) ?? [];
  const head = segwit ?? value.charAt(0);
  const text = head + draw.text(segwit === undefined ? BASE58 : BECH32, value.length - head.length);
  return { text: value === value.toUpperCase() ? text.toUpperCase() : text, spelling: "code" };
}
/** The alphabets of Bitcoin's addresses: of legacy ones, and BIP 173. */
const BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
const BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";

const NETS = ["192.0.2", "198.51.100", "203.0.113"];

/** Numbers of days and months become one to twelve, which is right for both; names of months stay. */
function birth(value: string, draw: Draw): StandIn {
  const text = value.replaceAll(/[0-9]+/g, (number) =>
    number.length === 4
      ? String(draw.int(1930, 2005))
      : number.length > 4
        ? `${draw.int(1930, 2005)}${two(draw)}${two(draw)}`.slice(0, number.length)
        : two(draw).slice(2 - Math.min(2, number.length)),
  );
  return { text, spelling: "exact", scarce: true };
}
const two = (draw: Draw): string => String(draw.int(1, 9)).padStart(2, "0");
