import { hash } from "node:crypto";
import type { Detector, Finding, Found, ScanText } from "../core/detector.ts";
import { ATOM_CHARS_MAX, firstAtom, isAlnum } from "./shared/text.ts";

/**
 * Addresses of Bitcoin, Litecoin, Dogecoin, Dash and Tron (base58check), Bitcoin and Litecoin (bech32, bech32m), each by its checksum, and
 * Ethereum, whose form is nobody else's: the capitals of EIP-55 are not checked, as a hash of Keccak costs more than it would tell.
 */
export const cryptoAddress: Detector = {
  entities: ["crypto_address"],
  class: "financial",
  profile: "strict",
  needs: "digit",
  lookBehind: ATOM_CHARS_MAX + 1,
  lengthMax: ATOM_CHARS_MAX,
  find,
};

function find(text: ScanText, from: number): Found {
  const { atoms, folded, ended } = text.unescaped;
  const findings: Finding[] = [];
  for (let index = firstAtom(atoms, from); index < atoms.length; index += 1) {
    const atom = atoms[index];
    if (atom === undefined || atom.end - atom.start > ATOM_CHARS_MAX) continue;
    if (atom.end === folded.length && !ended) return { findings, open: atom.start };
    if (atom.end - atom.start < LENGTH_MIN) continue;
    const score = scoreOf(folded.slice(atom.start, atom.end));
    if (score > 0) findings.push({ entity: "crypto_address", start: atom.start, end: atom.end, score });
  }
  return { findings, open: ended ? folded.length : trailingWord(folded, findings.at(-1)?.end ?? from) };
}
const LENGTH_MIN = 26;

function trailingWord(folded: string, least: number): number {
  let start = folded.length;
  while (start > least && folded.length - start <= ATOM_CHARS_MAX && isAlnum(folded.charCodeAt(start - 1))) start -= 1;
  return folded.length - start > ATOM_CHARS_MAX || isAlnum(folded.charCodeAt(start - 1)) ? folded.length : start;
}

function scoreOf(word: string): number {
  if (/^0x[0-9a-fA-F]{40}$/.test(word)) return 0.85;
  if (/^(?:bc1|ltc1)[02-9ac-hj-np-z]{11,60}$/i.test(word)) return isBech32(word) ? 1 : 0;
  return /^[13LMDTX][1-9A-HJ-NP-Za-km-z]{25,34}$/.test(word) && isBase58Check(word) ? 1 : 0;
}

const BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
/** Version bytes of addresses. Source: each chain's parameters (`chainparams.cpp`; Tron, "Account address format"). */
const VERSIONS: ReadonlySet<number> = new Set([0x00, 0x05, 0x30, 0x32, 0x1e, 0x16, 0x4c, 0x10, 0x41]);

/** 25 bytes: version, 20 of a hash, and four of the double SHA-256 of those. */
function isBase58Check(word: string): boolean {
  let value = 0n;
  for (let at = 0; at < word.length; at += BASE58_STEP) {
    const piece = word.slice(at, at + BASE58_STEP);
    let part = 0;
    for (let index = 0; index < piece.length; index += 1) part = part * 58 + BASE58.indexOf(piece.charAt(index));
    value = value * BigInt(58 ** piece.length) + BigInt(part);
  }
  const hex = value.toString(16).padStart(50, "0");
  if (hex.length !== 50 || !VERSIONS.has(Number.parseInt(hex.slice(0, 2), 16))) return false;
  const bytes = Buffer.from(hex, "hex");
  return hash("sha256", hash("sha256", bytes.subarray(0, 21), "buffer"), "hex").slice(0, 8) === hex.slice(42);
}
/** 58^9 is the last power below 2^53. */
const BASE58_STEP = 9;

const BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
/** BIP 173 (rest 1) and BIP 350 (rest 0x2bc830a3). */
function isBech32(word: string): boolean {
  const lower = word.toLowerCase();
  if (word !== lower && word !== word.toUpperCase()) return false;
  const split = lower.lastIndexOf("1");
  const [prefix, data] = [[...lower.slice(0, split)], [...lower.slice(split + 1)]];
  const codes = prefix.map((unit) => unit.charCodeAt(0));
  const values = [...codes.map((code) => code >> 5), 0, ...codes.map((code) => code & 31), ...data.map((unit) => BECH32.indexOf(unit))];
  let rest = 1;
  for (const value of values) {
    const top = rest >>> 25;
    rest = ((rest & 0x1ffffff) << 5) ^ value;
    GENERATOR.forEach((part, bit) => {
      if (((top >> bit) & 1) === 1) rest ^= part;
    });
  }
  return rest === 1 || rest === 0x2bc830a3;
}
const GENERATOR = [0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3] as const;
