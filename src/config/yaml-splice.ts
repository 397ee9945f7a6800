import { isDeepStrictEqual } from "node:util";
import { type Document, isMap, isNode, isScalar, isSeq, parseDocument, stringify, type YAMLMap } from "yaml";
import type { Path } from "./problems.ts";

/** One change of a YAML text: the member `name` of the map at `path`, which may be new; a missing top-level map is made. */
export interface YamlSet {
  readonly path: Path;
  readonly name: string;
  readonly value: string | Readonly<Record<string, string>>;
}

/**
 * Changes a YAML text. Only the lines that change are touched, where a splice gives exactly what an edit of the syntax tree
 * gives; else the tree is written out, which keeps comments but not every blank and bracket.
 */
export function setInYaml(text: string, sets: readonly YamlSet[]): string {
  const document = parseDocument(text, { version: "1.2", schema: "core" });
  for (const set of sets) mapFor(document, set.path).set(set.name, document.createNode(set.value));
  let spliced: string | undefined = text;
  for (const set of sets) spliced = spliced === undefined ? undefined : splice(spliced, set);
  if (spliced !== undefined) {
    const again = parseDocument(spliced, { version: "1.2", schema: "core" });
    if (again.errors.length === 0 && isDeepStrictEqual(dataOf(again), dataOf(document))) return spliced;
  }
  return document.toString({ lineWidth: 0, ...layoutOf(text) });
}

/** The value at a path; numbers that stand as keys are found by their text. */
function nodeAt(document: Document, path: Path): unknown {
  let here: unknown = document.contents;
  for (const part of path) {
    if (isSeq(here)) here = here.items[Number(part)];
    else if (isMap(here)) here = here.items.find(({ key }) => isScalar(key) && (key.source ?? String(key.value)) === part)?.value;
    else return undefined;
  }
  return here;
}

function mapFor(document: Document, path: Path): YAMLMap {
  const there = nodeAt(document, path);
  if (isMap(there)) {
    // An empty `{}` would keep its one-line form and grow out of sight.
    if (there.items.length === 0) there.flow = false;
    return there;
  }
  const [name] = path;
  if (path.length !== 1 || name === undefined) throw new TypeError("the map to change is not where the checked policy has it");
  const made = document.createNode({});
  made.flow = false;
  document.set(name, made);
  return made;
}

function dataOf(document: Document): unknown {
  try {
    return document.toJS();
  } catch {
    // Too many aliases to compare: a value that equals nothing makes the caller write the tree out.
    return Number.NaN;
  }
}

function splice(text: string, { path, name, value }: YamlSet): string | undefined {
  const document = parseDocument(text, { version: "1.2", schema: "core" });
  const map = nodeAt(document, path);
  const step = " ".repeat(layoutOf(text).indent);
  const top = document.contents;
  if (map === undefined && path.length === 1) {
    if (top !== null && (!isMap(top) || top.flow === true)) return undefined;
    const start = text === "" || text.endsWith("\n") ? text : `${text}\n`;
    return `${start}${path[0]}:\n${memberLines(name, value, step, step)}\n`;
  }
  if (!isMap(map)) return undefined;
  if (map.items.length === 0) {
    if (path.length !== 1 || !map.range) return undefined;
    return `${text.slice(0, map.range[0]).trimEnd()}\n${memberLines(name, value, step, step)}${text.slice(map.range[1])}`;
  }
  const there = map.items.find(({ key }) => isScalar(key) && String(key.value) === name)?.value;
  if (isScalar(there) && there.range && typeof value === "string") {
    return text.slice(0, there.range[0]) + JSON.stringify(value) + text.slice(there.range[1]);
  }
  const last = map.items.at(-1)?.value;
  const first = map.items[0]?.key;
  if (there !== undefined || !isNode(last) || !last.range || !isNode(first) || !first.range) return undefined;
  if (map.flow === true) {
    if (typeof value !== "string") return undefined;
    return `${text.slice(0, last.range[1])}, ${name}: ${JSON.stringify(value)}${text.slice(last.range[1])}`;
  }
  const lineStart = text.lastIndexOf("\n", first.range[0] - 1) + 1;
  // A map that begins behind a dash is as far in as its first key stands.
  const indent = " ".repeat(first.range[0] - lineStart);
  // A block ends where its last line does, trailing blanks and the next lines' comments not included.
  const content = text.slice(0, last.range[1]).trimEnd().length;
  const lineEnd = text.indexOf("\n", content);
  const end = lineEnd === -1 ? text.length : lineEnd;
  return `${text.slice(0, end)}\n${memberLines(name, value, indent, step)}${text.slice(end)}`;
}

function memberLines(name: string, value: YamlSet["value"], indent: string, step: string): string {
  const key = stringify(name).trimEnd();
  const scalar = (one: string): string => stringify(one, { lineWidth: 0, defaultStringType: "PLAIN", blockQuote: false }).trimEnd();
  if (typeof value === "string") return `${indent}${key}: ${scalar(value)}`;
  return [`${indent}${key}:`, ...Object.entries(value).map(([member, one]) => `${indent}${step}${member}: ${scalar(one)}`)].join("\n");
}

/** The file's own habits of indentation. */
function layoutOf(text: string): { readonly indent: number; readonly indentSeq: boolean } {
  const first = /^( {1,8})[^\s#-]/m.exec(text)?.[1]?.length ?? 2;
  const flat = /^( *)[^\s#-][^\n]*:[ \t]*(?:#[^\n]*)?\n\1- /m.test(text);
  return { indent: first, indentSeq: !flat };
}
