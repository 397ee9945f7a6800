import { createHash } from "node:crypto";
import { readdir, readFile, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { inOnePiece } from "../core/one-piece.ts";
import { err, ok, type Result } from "../core/result.ts";
import type { StageDefinition } from "../core/stage.ts";
import { referenceProblems } from "./checks.ts";
import { shapeProblems } from "./issues.ts";
import { PRICE_CATALOG, type PriceCatalog } from "./prices/catalog.ts";
import type { PolicyProblem } from "./problems.ts";
import { ruleProblems } from "./rules.ts";
import { documentSchema, documentTypes, type PolicyDocument } from "./schema.ts";
import { SourceTree } from "./tree.ts";
import { POLICY_FILE_BYTES_MAX, readYaml, type YamlSource } from "./yaml-source.ts";

/** Most files of a policy folder. */
export const POLICY_FILES_MAX = 1000;
/** All files of a policy together, bytes. */
export const POLICY_BYTES_MAX = 4 * POLICY_FILE_BYTES_MAX;
/** Most problems reported at once. */
export const POLICY_PROBLEMS_MAX = 500;

/** One file of a policy as it was read. */
export interface PolicyFile {
  /** As problems name it: the path that was asked for, joined with the file's name. */
  readonly file: string;
  readonly bytes: Uint8Array;
}

/** A policy that is valid as a whole. */
export interface LoadedPolicy {
  readonly name: string;
  readonly version: string;
  /** SHA-256 over the files' bytes in name order, lower-case hex (of one file: what `sha256sum` prints). */
  readonly hash: string;
  readonly files: readonly string[];
  /** Absolute folder that relative paths in the policy start from. */
  readonly folder: string;
  readonly document: PolicyDocument;
  /** The raw document with the place of each value. */
  readonly tree: SourceTree;
  readonly prices: PriceCatalog;
  /** What is allowed and still looks wrong. */
  readonly warnings: readonly PolicyProblem[];
}

/**
 * Reads and checks a policy: one YAML file, or every `*.yaml` and `*.yml` of a folder (hidden ones left out), merged by their
 * top-level maps. Finds all problems in one pass; errors mean no policy.
 */
export async function loadPolicy(
  path: string,
  stages: readonly StageDefinition[],
  prices: PriceCatalog = PRICE_CATALOG,
): Promise<Result<LoadedPolicy, readonly PolicyProblem[]>> {
  const files = await readPolicyFiles(path);
  if (!files.ok) return err([files.error]);
  return checkPolicy(files.value, stages, { prices, folder: await policyFolder(path) });
}

/** Reads a policy's files in name order, without a look inside. */
export async function readPolicyFiles(path: string): Promise<Result<readonly PolicyFile[], PolicyProblem>> {
  const fail = (file: string, message: string, remedy: string): Result<never, PolicyProblem> =>
    err({ severity: "error", file, line: 0, column: 0, path: "", message, remedy });
  let names: string[];
  try {
    const isFolder = (await stat(path)).isDirectory();
    names = isFolder
      ? (await readdir(path))
          .filter((name) => /^[^.].*\.ya?ml$/.test(name))
          .sort()
          .map((name) => join(path, name))
      : [path];
  } catch (error) {
    return fail(path, `the policy cannot be read (${errorCode(error)})`, "check the path and its permissions");
  }
  if (names.length === 0) return fail(path, "the folder has no *.yaml file", "put the policy into it, or name the file itself");
  if (names.length > POLICY_FILES_MAX) return fail(path, `the folder has more than ${POLICY_FILES_MAX} files`, "join some of them");
  const files: PolicyFile[] = [];
  let bytesLeft = POLICY_BYTES_MAX;
  for (const file of names) {
    try {
      const { size } = await stat(file);
      bytesLeft -= size;
      if (bytesLeft < 0)
        return fail(
          file,
          `the policy is larger than ${POLICY_BYTES_MAX} bytes`,
          "remove expired keys, or split the policy between gateways",
        );
      files.push({ file, bytes: await readFile(file) });
    } catch (error) {
      return fail(file, `the file cannot be read (${errorCode(error)})`, "check its permissions");
    }
  }
  return ok(files);
}

/** Checks a policy that is in memory already: for edits, before they are written. */
export function checkPolicy(
  files: readonly PolicyFile[],
  stages: readonly StageDefinition[],
  options: { readonly folder: string; readonly prices?: PriceCatalog },
): Result<LoadedPolicy, readonly PolicyProblem[]> {
  const prices = options.prices ?? PRICE_CATALOG;
  const hash = createHash("sha256");
  const sources: YamlSource[] = [];
  const problems: PolicyProblem[] = [];
  for (const { file, bytes } of files) {
    hash.update(bytes);
    const read = readYaml(file, bytes);
    problems.push(...read.problems);
    if (read.source !== undefined) sources.push(read.source);
  }
  // With a file missing, references to it would look broken: what can be told without them has been told.
  if (problems.length > 0) return err(problems.slice(0, POLICY_PROBLEMS_MAX));
  const { tree, problems: conflicts } = SourceTree.merge(sources);
  if (conflicts.some((problem) => problem.path === "")) return err(conflicts);
  const shape = shapeProblems(tree, documentSchema(stages));
  problems.push(...conflicts, ...shape, ...referenceProblems(tree, prices));
  const typed = documentTypes.safeParse(tree.root);
  if (shape.length === 0 && typed.success) problems.push(...ruleProblems(tree, typed.data, stages, prices));
  const sorted = sortProblems(problems);
  if (!typed.success || sorted.some((problem) => problem.severity === "error")) return err(sorted.slice(0, POLICY_PROBLEMS_MAX));
  const { name, version } = typed.data;
  return ok({
    name,
    version: inOnePiece(version),
    hash: hash.digest("hex"),
    files: files.map(({ file }) => file),
    folder: options.folder,
    document: typed.data,
    tree,
    prices,
    warnings: sorted.slice(0, POLICY_PROBLEMS_MAX),
  });
}

/** The absolute folder of a policy file, or the policy folder itself. */
export async function policyFolder(path: string): Promise<string> {
  const full = resolve(path);
  try {
    return (await stat(full)).isDirectory() ? full : dirname(full);
  } catch {
    return dirname(full);
  }
}

/** In reading order: by file, line and column. */
function sortProblems(problems: readonly PolicyProblem[]): readonly PolicyProblem[] {
  return [...problems].sort((a, b) => a.file.localeCompare(b.file) || a.line - b.line || a.column - b.column);
}

function errorCode(error: unknown): string {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "unknown error";
}
