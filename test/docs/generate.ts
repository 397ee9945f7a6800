/** `make docs`: writes the pages that are made from the code. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { generatedPages } from "./pages/index.ts";

const ROOT = join(import.meta.dirname, "../..");

for (const { path, text } of generatedPages()) {
  const file = join(ROOT, path);
  let before = "";
  try {
    before = readFileSync(file, "utf8");
  } catch {
    // Not there yet.
  }
  if (before !== text) writeFileSync(file, text);
  process.stdout.write(`${before === text ? "as it was" : "written  "}  ${path}\n`);
}
