import { test } from "node:test";
import fc from "fast-check";

/**
 * A property as a test: random inputs from a seed that is printed, so that a failure can be run again with
 * `FUZZ_SEED=<seed>`. `FUZZ_RUNS` multiplies the number of runs (`make fuzz`).
 */
export function property<T>(name: string, arbitrary: fc.Arbitrary<T>, check: (value: T) => void | Promise<void>, runs = 200): void {
  test(name, async (t) => {
    const seed = process.env["FUZZ_SEED"] === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(process.env["FUZZ_SEED"]);
    const numRuns = Math.ceil(runs * Number(process.env["FUZZ_RUNS"] ?? 1));
    t.diagnostic(`seed ${seed}, ${numRuns} runs`);
    await fc.assert(
      fc.asyncProperty(arbitrary, async (value) => {
        await check(value);
      }),
      { seed, numRuns },
    );
  });
}
