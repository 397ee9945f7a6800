import { makeFolder } from "../config/make-folder.ts";
import { err, type Result } from "../core/result.ts";
import type { RenderedEnvoy } from "../envoy/bootstrap/render.ts";
import { type WriteError, writeDynamic } from "../envoy/bootstrap/write.ts";

/** Writes the files that Envoy watches into `dir`, which is made where it is missing. */
export async function writeEnvoyFolder(rendered: RenderedEnvoy, dir: string): Promise<Result<void, WriteError>> {
  try {
    await makeFolder(dir, 0o755);
  } catch (cause) {
    return err({ code: "write", path: dir, reason: cause instanceof Error ? cause.message : "unknown" });
  }
  return writeDynamic(rendered, dir);
}
