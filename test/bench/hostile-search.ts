/**
 * Looks for the text that costs detection most: short pieces, repeated, changed at random as long as that makes them dearer. What it
 * finds above the bar belongs into the list of test/bench/detectors.ts, once it is mended.
 * `node test/bench/hostile-search.ts [SECONDS] [SEED]`: the dearest of each climb, milliseconds of CPU a megabyte.
 */
import { DETECTORS, scan } from "../../src/detectors/index.ts";
import { ShapeDetector } from "../../src/detectors/shared/shapes.ts";
import { HOSTILE } from "../support/detectors.ts";

const MIB = 1_048_576;
/** Text of a first look and of a second, UTF-16 units: long enough to be compared by, and to be believed. */
const LOOK_CHARS = 16_384;
const PROOF_CHARS = 262_144;
const PIECE_CHARS_MAX = 48;
/** Changes without gain after which a climb ends. */
const PATIENCE = 60;

/** What texts are made of: single signs, and what detectors look for. */
const SIGNS = "0123456789012345678901234567890123456789aAbBxXzZeEfF-.,:;/=+@()[]{}<>|~#$%&*!?'\"\\_ \n\u200b年月日中是。é１";
const TOKENS = [
  ...HOSTILE,
  ...DETECTORS.flatMap((detector) => (detector instanceof ShapeDetector ? (detector.finder.words?.begins ?? []) : [])),
  ...[
    "tel",
    "call",
    "order",
    "born",
    "jan",
    "march",
    "de ",
    "of ",
    "ext",
    "www.",
    "http://",
    "@a.co",
    "mailto:",
    "is ",
    "key ",
    "token",
    "password",
  ],
  ...[
    "Bearer ",
    "--",
    "-u ",
    "curl ",
    "secret",
    "sk-",
    "AKIA",
    "ghp_",
    "eyJ",
    "-----BEGIN ",
    "AccountKey=",
    "0x",
    "bc1",
    "::",
    "ffff:",
    "%3D",
  ],
  ...["1234", "12345678", "123456789", "4242 4242", "2024-03-12", "12.03.1980", "192.168.", "+49 ", "(415)", "AB 12", "GB29", "X-1"],
];

/** A generator of numbers from a seed (mulberry32), so that a search can be run again. */
function numbersFrom(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below) | 0;
  };
}

export interface Dear {
  readonly piece: string;
  readonly msPerMib: number;
}

/** Climbs for so long; the dearest of each climb, the dearest first. */
export function searchHostile(seconds: number, seed: number): readonly Dear[] {
  const below = numbersFrom(seed);
  const until = performance.now() + seconds * 1000;
  const found: Dear[] = [];
  while (performance.now() < until) found.push(climb(below, until));
  return found.map(({ piece }) => ({ piece, msPerMib: costOf(piece, PROOF_CHARS) })).sort((a, b) => b.msPerMib - a.msPerMib);
}

function climb(below: (count: number) => number, until: number): Dear {
  let piece = Array.from({ length: 1 + below(4) }, () => partOf(below)).join("");
  let msPerMib = costOf(piece, LOOK_CHARS);
  for (let idle = 0; idle < PATIENCE && performance.now() < until; idle += 1) {
    const other = changed(piece, below);
    // The second look leaves out what a busy machine made dear.
    if (costOf(other, LOOK_CHARS) < msPerMib) continue;
    const cost = Math.min(costOf(other, LOOK_CHARS), costOf(other, LOOK_CHARS));
    if (cost <= msPerMib * 1.02) continue;
    [piece, msPerMib, idle] = [other, cost, 0];
  }
  return { piece, msPerMib };
}

const partOf = (below: (count: number) => number): string =>
  below(2) === 0 ? SIGNS.charAt(below(SIGNS.length)) : (TOKENS[below(TOKENS.length)] ?? "");

function changed(piece: string, below: (count: number) => number): string {
  const at = below(piece.length + 1);
  const behind = at + below(Math.min(4, piece.length - at + 1));
  const choice = below(5);
  const other =
    choice === 0
      ? piece.slice(0, at) + piece.slice(behind)
      : choice === 1
        ? piece.slice(0, behind) + piece.slice(at)
        : piece.slice(0, at) + partOf(below) + piece.slice(choice === 2 ? at : behind);
  return other === "" || other.length > PIECE_CHARS_MAX ? piece : other;
}

/** Milliseconds of CPU that all detectors take for a megabyte of the piece, by so many characters of it. */
function costOf(piece: string, chars: number): number {
  const text = piece.repeat(Math.ceil(chars / piece.length)).slice(0, chars);
  const { user, system } = process.threadCpuUsage();
  scan(text, DETECTORS);
  const after = process.threadCpuUsage();
  return ((after.user + after.system - user - system) / 1000) * (MIB / chars);
}

if (import.meta.main) {
  const [seconds = 30, seed = Math.floor(Math.random() * 2 ** 31)] = process.argv.slice(2).map(Number);
  for (let round = 0; round < 20; round += 1) for (const piece of HOSTILE) costOf(piece, LOOK_CHARS);
  const found = searchHostile(seconds, seed);
  process.stdout.write(`seed ${seed}, ${found.length} climbs in ${seconds} s\n`);
  for (const { piece, msPerMib } of found.slice(0, 20))
    process.stdout.write(`${msPerMib.toFixed(0).padStart(6)} ms/MB ${JSON.stringify(piece)}\n`);
}
