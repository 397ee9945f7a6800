import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/**
 * Texts written as patterns, under `test/quality/data/injection`. A line `> source | label | position | language | copies` begins a section:
 * each line below it is one pattern, turned into so many texts. A line `= name` begins a list, whose lines `{name}` stands for.
 * `{=name}` is the same line of the list throughout one text.
 * `[a|b]` is one of several. `\n` is a line's end. Lists are shared by all files. The same files always give the same texts.
 */
export interface Written {
  readonly text: string;
  readonly label: string;
  readonly position: string;
  readonly source: string;
  readonly language: string;
  /** Number of the pattern: its texts are kin. */
  readonly group: number;
}

interface Pattern extends Omit<Written, "text" | "group"> {
  readonly pattern: string;
  readonly copies: number;
}

/** How deep lists may name lists, and how long a text may become, characters. */
const DEPTH_MAX = 12;
const TEXT_CHARS_MAX = 8_000;
/** Groups of patterns are numbered from here on, beyond those of the lines of `injection.jsonl`. */
const FIRST_GROUP = 100_000;

export function writtenTexts(folder: string): readonly Written[] {
  const lists = new Map<string, string[]>();
  const patterns: Pattern[] = [];
  for (const file of readdirSync(folder).sort()) readPatterns(readFileSync(join(folder, file), "utf8"), lists, patterns);
  const texts: Written[] = [];
  for (const { pattern, copies, ...rest } of patterns) {
    const group = FIRST_GROUP + seedOf(pattern);
    const next = generator(seedOf(pattern));
    const seen = new Set<string>();
    for (let copy = 0; copy < copies; copy += 1) {
      const text = expand(pattern, { lists, bound: new Map(), next }, 0)
        .replaceAll("\\n", "\n")
        .replaceAll(/ {2,}(?=\S)/g, " ")
        .trim();
      if (text !== "" && !seen.has(text)) texts.push({ ...rest, group, text: text.slice(0, TEXT_CHARS_MAX) });
      seen.add(text);
    }
  }
  return texts;
}

function readPatterns(file: string, lists: Map<string, string[]>, patterns: Pattern[]): void {
  let list: string[] | undefined;
  let section: Omit<Pattern, "pattern"> | undefined;
  for (const line of file.split("\n")) {
    if (line.startsWith("= ")) {
      list = [];
      lists.set(line.slice(2).trim(), list);
    } else if (line.startsWith("> ")) {
      list = undefined;
      const [source = "", label = "", position = "", language = "", copies = ""] = line
        .slice(2)
        .split("|")
        .map((part) => part.trim());
      section = { source, label, position, language, copies: Number(copies) };
    } else if (list !== undefined) {
      if (line !== "") list.push(line);
    } else if (line !== "" && section !== undefined) patterns.push({ ...section, pattern: line });
  }
}

interface Source {
  readonly lists: ReadonlyMap<string, readonly string[]>;
  /** What `{=name}` stands for in this text. */
  readonly bound: Map<string, string>;
  next(): number;
}

/** Choices inside first, then lists; what is neither stands as it is. */
function expand(pattern: string, source: Source, depth: number): string {
  if (depth > DEPTH_MAX) return "";
  const { lists, bound, next } = source;
  let text = pattern;
  for (let round = 0; round < DEPTH_MAX; round += 1) {
    const chosen = text.replaceAll(/\[([^[\]\n]*\|[^[\]\n]*)\]/g, (_, choices: string) => {
      const options = choices.split("|");
      return options[next() % options.length] ?? "";
    });
    if (chosen === text) break;
    text = chosen;
  }
  return text.replaceAll(/\{(=?)([A-Za-z]\w*)\}/g, (whole, same: string, name: string) => {
    const list = lists.get(name);
    if (list === undefined) return whole;
    const before = same === "" ? undefined : bound.get(name);
    const line = before ?? expand(list[next() % list.length] ?? "", source, depth + 1);
    if (same !== "") bound.set(name, line);
    return line;
  });
}

function seedOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  return hash >>> 0;
}

/** Mulberry32: small, and the same everywhere. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
}
