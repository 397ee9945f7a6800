import { type Document, isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from "yaml";
import type { Json } from "../core/json.ts";
import type { Path, PolicyProblem } from "./problems.ts";
import { formatPath } from "./problems.ts";

/** Largest policy file, bytes. Ten thousand keys are two megabytes. */
export const POLICY_FILE_BYTES_MAX = 8 * 1024 * 1024;
/** Deepest nesting of a policy file. */
export const POLICY_DEPTH_MAX = 32;
/** Most values of one policy file, those that aliases repeat counted each time. */
export const POLICY_VALUES_MAX = 200_000;
/** Most mistakes reported of one file: beyond, they follow from each other. */
const SYNTAX_PROBLEMS_MAX = 20;

export interface Place {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}
/** Where a value stands, and its key where it has one. */
interface Entry {
  readonly key: Place | undefined;
  readonly value: Place;
}

/** One policy file as plain data with the place of every value. */
export interface YamlSource {
  readonly file: string;
  readonly value: Json;
  readonly places: ReadonlyMap<string, Entry>;
}

/** The key of a path in `places`. NUL cannot occur in a YAML key. */
export function placeKey(path: Path): string {
  return path.join("\u0000");
}

/**
 * Reads one YAML file (1.2 core schema). Refused: syntax errors, duplicate keys, tags, keys that are not plain text,
 * non-finite numbers, too much of anything. Messages never quote the file: a secret may stand in it by mistake.
 */
export function readYaml(
  file: string,
  bytes: Uint8Array,
): { readonly source: YamlSource | undefined; readonly problems: readonly PolicyProblem[] } {
  const at = (line: number, column: number, message: string, remedy: string, path: Path = []): PolicyProblem => ({
    severity: "error",
    file,
    line,
    column,
    path: formatPath(path),
    message,
    remedy,
  });
  if (bytes.byteLength > POLICY_FILE_BYTES_MAX) {
    return {
      source: undefined,
      problems: [at(0, 0, `the file is larger than ${POLICY_FILE_BYTES_MAX} bytes`, "split the policy into a folder of files")],
    };
  }
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return { source: undefined, problems: [at(0, 0, "the file is not UTF-8", "save it as UTF-8")] };
  }
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    uniqueKeys: true,
    version: "1.2",
    schema: "core",
    stringKeys: false,
  });
  const problems: PolicyProblem[] = [];
  for (const error of document.errors.slice(0, SYNTAX_PROBLEMS_MAX)) {
    const { line, col } = lines.linePos(error.pos[0]);
    if (!problems.some((problem) => problem.line === line)) problems.push(at(line, col, ...syntaxText(error.code)));
  }
  const walker = new Walker(file, document, lines, at);
  const value = document.contents === null ? {} : walker.walk(document.contents, [], undefined);
  problems.push(...walker.problems);
  if (problems.length > 0) return { source: undefined, problems };
  return { source: { file, value, places: walker.places }, problems };
}

/** Our own words for the parser's codes: its messages may quote the file. */
function syntaxText(code: string): readonly [message: string, remedy: string] {
  switch (code) {
    case "DUPLICATE_KEY":
      return ["this key stands twice in one map", "keep one of them"];
    case "MULTIPLE_DOCS":
      return ["the file holds several YAML documents", "remove the --- lines, or put each document into a file of its own"];
    case "TAB_AS_INDENT":
      return ["a tab indents this line", "indent with spaces"];
    case "BAD_INDENT":
    case "BLOCK_IN_FLOW":
      return [
        "the indentation does not fit its surroundings",
        "line it up with its neighbours, with spaces, and close the brackets above it",
      ];
    case "BAD_ALIAS":
      return ["the alias names no anchor before it", "write the value out"];
    case "MISSING_CHAR":
    case "UNEXPECTED_TOKEN":
      return ["the YAML is not well formed here", "look for a missing colon, quote or bracket"];
    default:
      return [`the YAML is not well formed here (${code.toLowerCase().replaceAll("_", " ")})`, "correct the line"];
  }
}

type ProblemAt = (line: number, column: number, message: string, remedy: string, path?: Path) => PolicyProblem;

/** Turns the syntax tree into plain data, notes places, and stops at the caps. */
class Walker {
  readonly places = new Map<string, Entry>();
  readonly problems: PolicyProblem[] = [];
  readonly #file: string;
  readonly #document: Document.Parsed | Document;
  readonly #lines: LineCounter;
  readonly #at: ProblemAt;
  /** Where the outermost alias stands whose value is being walked: there the reader must look. */
  #aliasPlace: Place | undefined;
  #values = 0;
  #stopped = false;

  constructor(file: string, document: Document.Parsed | Document, lines: LineCounter, at: ProblemAt) {
    this.#file = file;
    this.#document = document;
    this.#lines = lines;
    this.#at = at;
  }

  walk(node: unknown, path: Path, keyPlace: Place | undefined): Json {
    const place = this.#place(node) ?? keyPlace ?? { file: this.#file, line: 1, column: 1 };
    this.places.set(placeKey(path), { key: keyPlace, value: place });
    if (this.#stopped) return null;
    this.#values++;
    if (this.#values > POLICY_VALUES_MAX || path.length > POLICY_DEPTH_MAX) {
      this.#stopped = true;
      this.#report(
        this.#aliasPlace ?? place,
        path,
        this.#values > POLICY_VALUES_MAX ? `more than ${POLICY_VALUES_MAX} values` : `nested deeper than ${POLICY_DEPTH_MAX}`,
        "make the file smaller or flatter; aliases count each time they are used",
      );
      return null;
    }
    if (isAlias(node)) {
      const anchor = node.resolve(this.#document);
      // An anchor inside itself would go round for ever; the depth cap ends it.
      if (anchor === undefined) return null;
      const outermost = this.#aliasPlace === undefined;
      this.#aliasPlace ??= place;
      const value = this.walk(anchor, path, keyPlace);
      if (outermost) this.#aliasPlace = undefined;
      return value;
    }
    if (hasTag(node)) this.#report(place, path, "YAML tags are not allowed", "remove the tag (the word that begins with !)");
    if (isMap(node)) return this.#map(node, path);
    if (isSeq(node)) return node.items.map((item, index) => this.walk(item, [...path, index], undefined));
    return this.#scalar(node, place, path);
  }

  #map(node: { readonly items: readonly { readonly key: unknown; readonly value: unknown }[] }, path: Path): Json {
    const result: Record<string, Json> = {};
    for (const { key, value } of node.items) {
      const place = this.#place(key) ?? { file: this.#file, line: 1, column: 1 };
      const name = isScalar(key) && key.value !== null ? (key.source ?? String(key.value)) : undefined;
      if (name === undefined || name === "__proto__" || name === "") {
        this.#report(place, path, "this key is not a plain name", "write a name before the colon");
        continue;
      }
      result[name] = this.walk(value, [...path, name], place);
    }
    return result;
  }

  #scalar(node: unknown, place: Place, path: Path): Json {
    if (!isScalar(node)) return null;
    const value = node.value;
    if (value === null || typeof value === "string" || typeof value === "boolean") return value;
    if (typeof value === "number" && Number.isFinite(value)) return value;
    this.#report(place, path, "this number is not finite", "write an ordinary number");
    return null;
  }

  #place(node: unknown): Place | undefined {
    const range = isNode(node) ? node.range : undefined;
    if (range === undefined || range === null) return undefined;
    const { line, col } = this.#lines.linePos(range[0]);
    return { file: this.#file, line, column: col };
  }

  #report(place: Place, path: Path, message: string, remedy: string): void {
    if (this.problems.length < SYNTAX_PROBLEMS_MAX) this.problems.push(this.#at(place.line, place.column, message, remedy, path));
  }
}

function isNode(value: unknown): value is Node {
  return isScalar(value) || isMap(value) || isSeq(value) || isAlias(value);
}
function hasTag(node: unknown): boolean {
  return (isScalar(node) || isMap(node) || isSeq(node)) && node.tag !== undefined;
}
