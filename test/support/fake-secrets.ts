/**
 * Keys that were never given out, drawn from a seed and put together when tests run, so that no text of this repository has the shape of
 * one: scanners of pushes cannot tell a fake from a real one, and neither should Sluice.
 */

/** mulberry32: the same numbers for the same seed, in [0, 1). */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const LOWER = "abcdefghijklmnopqrstuvwxyz";
const UPPER = LOWER.toUpperCase();
const DIGITS = "0123456789";
const ALPHABETS: Readonly<Record<string, string>> = {
  d: DIGITS,
  h: `${DIGITS}abcdef`,
  H: `${DIGITS}ABCDEF`,
  l: LOWER,
  L: LOWER + UPPER,
  k: LOWER + DIGITS,
  K: UPPER + DIGITS,
  a: LOWER + UPPER + DIGITS,
  w: `${LOWER}${UPPER}${DIGITS}_`,
  s: `${LOWER}${UPPER}${DIGITS}_-`,
  b: `${LOWER}${UPPER}${DIGITS}+/`,
  t: `${UPPER}234567`,
};

/** `ghp|_|a36`: literals and runs (a letter of `ALPHABETS` and a length), parted by bars so that no literal prefix stands whole. */
function draw(pattern: string, random: () => number): string {
  return pattern
    .split("|")
    .map((part) => {
      const run = /^([dhHlLkKawsbt])(\d+)$/.exec(part);
      const alphabet = ALPHABETS[run?.[1] ?? ""];
      if (run === null || alphabet === undefined) return part === "BAR" ? "|" : part;
      return Array.from({ length: Number(run[2]) }, () => alphabet.charAt(Math.floor(random() * alphabet.length))).join("");
    })
    .join("");
}

/** Kinds by name; the value is a pattern of `draw`. */
export const PATTERNS: Readonly<Record<string, string>> = {
  github: "gh|p_|a36",
  aws: "AK|IA|t16",
  "base64-40": "b40",
  openai: "sk|-proj-|s74|T3Blbk|FJ|s74",
  "hex-32": "h32",
  "alnum-32": "a32",
  telegram: "d9|:A|s34",
  azure: "a3|8|Q|~|a34",
  terraform: "a14|.atlas|v1.|s64",
  mailchimp: "h32|-u|s|1|2",
  maxmind: "a6|_|a29|_mm|k",
  facebook: "d15|BAR|s27",
  uuid: "h8|-|h4|-4|h3|-a|h3|-|h12",
  slack: "xo|xb-|d12|-|d12|-|a24",
};

/** One key of a kind. The same `seed`, the same key. */
export function fake(kind: string, seed = 1): string {
  const random = randomOf([...kind].reduce((sum, character) => Math.imul(sum, 31) + character.charCodeAt(0), seed));
  if (kind === "jwt") return fakeJwt(random);
  if (kind === "pem") return fakePem("RSA PRIVATE", random, 12);
  const pattern = PATTERNS[kind];
  if (pattern === undefined) throw new Error(`no kind ${kind}`);
  return draw(pattern, random);
}

function fakeJwt(random: () => number): string {
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  return `${part({ alg: "HS256", typ: "JWT" })}.${part({ sub: draw("d10", random), name: draw("l8", random), iat: 1_700_000_000 })}.${draw("s43", random)}`;
}

function fakePem(kind: string, random: () => number, lines: number): string {
  const dashes = "-".repeat(5);
  const body = Array.from({ length: lines }, () => draw("b64", random)).join("\n");
  return `${dashes}BEGIN ${kind} KEY${dashes}\n${body}\n${dashes}END ${kind} KEY${dashes}`;
}
