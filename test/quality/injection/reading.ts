import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/**
 * Texts of public repositories that the weights are fitted on beside the project's own. They stand in a folder that is not part of the project, as
 * `FOLDER/owner/name`, each at the commit named here. All are under licences that allow it (MIT, Apache-2.0, CC0, CC-BY). None is a source
 * of the public sets that the score is measured on, nor was taken from one.
 */
export interface Corpus {
  readonly repository: string;
  readonly commit: string;
  readonly licence: string;
  /** At most so many texts of each kind are taken, the same ones each time. */
  readonly most: number;
  texts(folder: string): readonly CorpusText[];
}
export interface CorpusText {
  readonly text: string;
  /** What a user asked, what a document or a tool says, an attack by a user, a document with an attack, and an attack to put into one. */
  readonly kind: "request" | "document" | "attack" | "poisoned" | "insert";
  /** A request with words that attacks have. */
  readonly hard?: boolean;
  /** Where the attack stands. */
  readonly place?: readonly [start: number, end: number];
}

const PIECE_CHARS_MIN = 120;
/** Documents are cut into pieces of these lengths in turn, characters. */
const PIECE_CHARS = [400, 900, 1_600, 2_600] as const;

type At = (path: string) => string;
export function corpus(repository: string, commit: string, licence: string, most: number, read: (at: At) => readonly CorpusText[]): Corpus {
  return { repository, commit, licence, most, texts: (folder) => read((path) => join(folder, repository, path)) };
}

/** Markdown files, and those in folders, in pieces. */
export function markdown(...paths: readonly string[]): (at: At) => readonly CorpusText[] {
  return (at) =>
    paths
      .flatMap((path) => (path.endsWith(".md") ? [at(path)] : files(at(path), ".md")))
      .flatMap((file) => pieces(readFileSync(file, "utf8")));
}

/** A text in pieces at empty lines or line ends. */
export function pieces(whole: string): readonly CorpusText[] {
  const found: CorpusText[] = [];
  let piece = "";
  for (const line of whole.replace(/^---\n[\s\S]*?\n---\n/, "").split(/(?<=\n)/)) {
    piece += line.slice(0, 1_000);
    if (piece.length < (PIECE_CHARS[found.length % PIECE_CHARS.length] ?? 0)) continue;
    found.push({ kind: "document", text: piece.trim() });
    piece = "";
  }
  if (piece.trim().length >= PIECE_CHARS_MIN) found.push({ kind: "document", text: piece.trim() });
  return found;
}

/** Rows as Markdown, as values between commas, or as JSON. */
export function table(columns: readonly string[], rows: readonly unknown[], form: number): string {
  const cells = rows.slice(0, 14).map((row) => list(row).map((cell) => text(cell)));
  if (form % 4 === 0) return [columns, ...cells].map((row) => row.join(",")).join("\n");
  if (form % 4 === 1) return JSON.stringify(cells.map((row) => Object.fromEntries(row.map((cell, at) => [columns[at] ?? "", cell]))));
  return [columns, columns.map(() => "---"), ...cells].map((row) => `| ${row.join(" | ")} |`).join("\n");
}

const kindOf = (kind: CorpusText["kind"], least: number) => (texts: readonly string[]) =>
  texts.filter((value) => value.trim().length >= least).map((value): CorpusText => ({ kind, text: value.trim() }));
export const requests = kindOf("request", 4);
export const documents = (texts: readonly string[]): readonly CorpusText[] =>
  texts.flatMap((whole) => (whole.length > 3_000 ? pieces(whole) : kindOf("document", 40)([whole])));

export const json = (file: string): unknown => JSON.parse(readFileSync(file, "utf8"));
export const lines = (file: string): readonly string[] =>
  readFileSync(file, "utf8")
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
export const jsonLines = (file: string): readonly unknown[] => lines(file).map((line): unknown => JSON.parse(line));
export const files = (folder: string, end: string): readonly string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(end))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();

export function inside(value: unknown, ...path: readonly (string | number)[]): unknown {
  let found = value;
  for (const key of path) found = typeof found === "object" && found !== null ? Reflect.get(found, key) : undefined;
  return found;
}
export const list = (value: unknown, ...path: readonly (string | number)[]): readonly unknown[] => {
  const found = inside(value, ...path);
  return Array.isArray(found) ? found : [];
};
export const record = (value: unknown, ...path: readonly (string | number)[]): object => {
  const found = inside(value, ...path);
  return typeof found === "object" && found !== null ? found : {};
};
export function text(value: unknown, ...path: readonly (string | number)[]): string {
  const found = inside(value, ...path);
  return typeof found === "string" ? found : typeof found === "number" ? String(found) : "";
}

/** Rows of values between commas; a value in quotes may hold commas, quotes written twice and line ends. */
export function csv(file: string): readonly (readonly string[])[] {
  const rows: string[][] = [[]];
  for (const [, quoted, plain, end] of readFileSync(file, "utf8").matchAll(/(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n|$)/g)) {
    rows.at(-1)?.push(quoted?.replaceAll('""', '"') ?? plain ?? "");
    if (end !== ",") rows.push([]);
  }
  return rows.slice(1);
}
