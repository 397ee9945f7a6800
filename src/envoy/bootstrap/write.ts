import { randomBytes } from "node:crypto";
import { mkdir, open, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Json } from "../../core/json.ts";
import { err, ok, type Result } from "../../core/result.ts";
import { CDS_FILE } from "./names.ts";
import type { RenderedEnvoy } from "./render.ts";

/** `write`: the folder or a file in it cannot be written. `path` is safe to show. */
export interface WriteError {
  readonly code: "write";
  readonly path: string;
  readonly reason: string;
}

/**
 * Puts CDS and SDS files in the folder that Envoy watches: secrets first, then the clusters that use them, then what is
 * no longer used goes. Each file is moved into place whole, so that Envoy never reads a half. They hold no secret and may be
 * read by all, because Envoy often runs as another user.
 */
export async function writeDynamic(rendered: RenderedEnvoy, dir: string): Promise<Result<void, WriteError>> {
  try {
    await mkdir(dir, { recursive: true, mode: 0o755 });
    for (const [name, value] of rendered.sds) await replaceFile(join(dir, name), value);
    await replaceFile(join(dir, CDS_FILE), rendered.cds);
    for (const name of await readdir(dir)) {
      if (name.startsWith("sds-") && !rendered.sds.has(name)) await rm(join(dir, name), { force: true });
    }
    return ok(undefined);
  } catch (cause) {
    return err({ code: "write", path: dir, reason: cause instanceof Error ? cause.message : "unknown" });
  }
}

/** Puts one JSON file in place whole; for the bootstrap. */
export async function writeJsonFile(path: string, value: Json): Promise<Result<void, WriteError>> {
  try {
    await replaceFile(path, value);
    return ok(undefined);
  } catch (cause) {
    return err({ code: "write", path, reason: cause instanceof Error ? cause.message : "unknown" });
  }
}

/** Moves a JSON file into place whole. */
async function replaceFile(path: string, value: Json): Promise<void> {
  const draft = `${path}.${randomBytes(6).toString("hex")}.tmp`;
  try {
    const file = await open(draft, "wx", 0o644);
    try {
      await file.writeFile(`${JSON.stringify(value, undefined, 2)}\n`);
    } finally {
      await file.close();
    }
    await rename(draft, path);
  } catch (cause) {
    await rm(draft, { force: true });
    throw cause;
  }
}
