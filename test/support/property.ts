import { appendFileSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";

/**
 * A property as a test: random inputs from a seed that is printed, so that a failure can be run again with
 * `FUZZ_SEED=<seed>`. For `make fuzz`: `FUZZ_RUNS` multiplies the number of runs, `FUZZ_SECONDS` ends them after that time, and
 * `FUZZ_LOG` names a file that gets a line for each property: runs done, milliseconds, seed, name.
 */
export function property<T>(name: string, arbitrary: fc.Arbitrary<T>, check: (value: T) => void | Promise<void>, runs = 200): void {
  test(name, async (t) => {
    const seed = process.env["FUZZ_SEED"] === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(process.env["FUZZ_SEED"]);
    const numRuns = Math.ceil(runs * Number(process.env["FUZZ_RUNS"] ?? 1));
    const seconds = process.env["FUZZ_SECONDS"];
    t.diagnostic(`seed ${seed}, ${numRuns} runs`);
    const began = performance.now();
    let done = 0;
    try {
      await fc.assert(
        fc.asyncProperty(arbitrary, async (value) => {
          done += 1;
          await check(value);
        }),
        { seed, numRuns, ...(seconds === undefined ? {} : { interruptAfterTimeLimit: Number(seconds) * 1000 }) },
      );
    } finally {
      const log = process.env["FUZZ_LOG"];
      if (log !== undefined) appendFileSync(log, `${done}\t${Math.round(performance.now() - began)}\t${seed}\t${name}\n`);
    }
  });
}
