import { relative } from "node:path";
import type { TestEvent } from "node:test/reporters";

/**
 * Reports a run of node:test in few lines: every failure with its cause as it happens, what was skipped and why, the
 * failures by name once more, and at the very end `N passed, N failed`. With `TEST_OUTPUT=1` also what tests print.
 */
async function* report(source: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const failed: string[] = [];
  const skipped = new Map<string, number>();
  let passed = 0;
  for await (const event of source) {
    if (event.type === "test:pass") {
      const { skip, details, name } = event.data;
      if (skip !== undefined && skip !== false) {
        const why = typeof skip === "string" ? skip : name;
        skipped.set(why, (skipped.get(why) ?? 0) + 1);
      } else if (details.type !== "suite") passed += 1;
    } else if (event.type === "test:fail") {
      const why = causeOf(event.data.details.error);
      if (why === undefined) continue;
      const line = `${placeOf(event.data)} ${event.data.name}`;
      failed.push(line);
      yield `FAILED ${line}\n${why.replaceAll(/^/gm, "    ")}\n`;
    } else if ((event.type === "test:stderr" || event.type === "test:stdout") && process.env["TEST_OUTPUT"] !== undefined) {
      yield event.data.message;
    }
  }
  for (const [why, count] of skipped) yield `skipped ${count}: ${why}\n`;
  if (failed.length > 0) yield `\nFailed:\n${failed.map((line) => `  ${line}\n`).join("")}`;
  yield `${passed} passed, ${failed.length} failed\n`;
}

/** undefined for a test that failed only because one inside it did. */
function causeOf(error: Error & { readonly failureType?: unknown; readonly cause?: unknown }): string | undefined {
  if (error.failureType === "subtestsFailed") return undefined;
  const { cause } = error;
  if (cause instanceof Error) return cause.stack ?? cause.message;
  return cause === undefined ? error.message : String(cause);
}

function placeOf({ file, line }: { readonly file?: string; readonly line?: number }): string {
  return file === undefined ? "" : `${relative(process.cwd(), file)}:${line ?? 1}`;
}

// biome-ignore lint/style/noDefaultExport: node:test takes a reporter as a module's default.
export default report;
