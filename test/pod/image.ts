import { readFileSync } from "node:fs";
import { join } from "node:path";

const ROOT = join(import.meta.dirname, "../..");

/** One instruction of the Dockerfile. */
export interface Instruction {
  readonly word: string;
  readonly rest: string;
}

/** The Dockerfile, one list of instructions for each stage; lines that end in a backslash are joined. */
export function dockerfile(): readonly (readonly Instruction[])[] {
  const lines = readFileSync(join(ROOT, "Dockerfile"), "utf8")
    .replaceAll(/\\\n\s*/g, " ")
    .split("\n")
    .filter((line) => line.trim() !== "" && !line.startsWith("#"));
  const stages: Instruction[][] = [];
  for (const line of lines) {
    const [, word = "", rest = ""] = /^(\S+)\s+(.*)$/.exec(line) ?? [];
    if (word === "FROM") stages.push([]);
    stages.at(-1)?.push({ word, rest });
  }
  return stages;
}

/** Words of an instruction in its JSON form. */
export function words(instructions: readonly Instruction[], name: string): readonly string[] {
  const rest = instructions.findLast(({ word }) => word === name)?.rest ?? "";
  const list: unknown = JSON.parse(/\[.*\]$/.exec(rest)?.[0] ?? "[]");
  return Array.isArray(list) ? list.map(String) : [];
}

/** What a container of the image runs: the entry point with the given words, or with the image's own. */
export function commandOf(args: readonly string[]): readonly string[] {
  const last = dockerfile().at(-1) ?? [];
  return [...words(last, "ENTRYPOINT"), ...(args.length === 0 ? words(last, "CMD") : args)];
}
