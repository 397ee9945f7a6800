import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";

export const ROOT = join(import.meta.dirname, "../..");

/** A fenced block of a page. */
export interface Block {
  /** `docs/install.md:12`, the line of the fence. */
  readonly place: string;
  readonly file: string;
  /** What stands behind the fence: `sh`, `yaml fragment`. */
  readonly info: string;
  readonly text: string;
}

/** Every page that people read: the README, docs/ and the READMEs of Envoy and Kubernetes. */
export const PAGES: readonly string[] = ["README.md", "envoy/*.md", "k8s/**/*.md", "docs/**/*.md"].flatMap((glob) =>
  globSync(glob, { cwd: ROOT }).sort(),
);

export function blocksOf(file: string): readonly Block[] {
  const blocks: Block[] = [];
  let open: { info: string; line: number; lines: string[] } | undefined;
  for (const [index, line] of readFileSync(join(ROOT, file), "utf8").split("\n").entries()) {
    const fence = /^\s*```(.*)$/.exec(line);
    if (fence === null) open?.lines.push(line);
    else if (open === undefined) open = { info: (fence[1] ?? "").trim(), line: index + 1, lines: [] };
    else {
      blocks.push({ place: `${file}:${open.line}`, file, info: open.info, text: `${open.lines.join("\n")}\n` });
      open = undefined;
    }
  }
  if (open !== undefined) throw new Error(`${file}:${open.line}: a block that is not closed`);
  return blocks;
}

export const allBlocks = (): readonly Block[] => PAGES.flatMap(blocksOf);

/** The README's first policy: what fragments are added to, and what commands find as policy.yaml. */
export function firstPolicy(): string {
  const found = blocksOf("README.md").find(({ info, text }) => info === "yaml" && text.startsWith("apiVersion: sluice/"));
  if (found === undefined) throw new Error("the README has no policy");
  return found.text;
}
