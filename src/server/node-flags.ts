/**
 * V8's settings for a process that serves, measured under load (test/bench). Whoever starts `sluice serve` gives them to Node:
 * `sluice up`, the supervisor of `--workers`, the container image.
 *
 * - A young generation of 16 MB a half: an exchange allocates some 60 KB, and what is still under way at a scavenge is copied.
 *   Halves of 32 MB save 1 % of CPU at most, and cost 35 MB of resident memory with 500 streams open.
 * - One thread scavenges: the young generation is small, and four threads that share it spend more on each other than on it.
 * - No allocation straight into the old generation: V8 does so from places whose objects happened to live long when it looked, and then
 *   keeps to it. In about one process of three such a moment of the warm-up took the objects of every exchange with it: three times the
 *   full collections, a third more CPU a call for good.
 *
 * Together about a tenth of the CPU of a unary exchange, and a steady price from one process to the next.
 */
export const NODE_FLAGS: readonly string[] = [
  "--min-semi-space-size=16",
  "--max-semi-space-size=16",
  "--no-parallel-scavenge",
  "--no-allocation-site-pretenuring",
];

/** Arguments of Node for a child that serves; this process's own come last, so that an operator's word counts. */
export const servingNodeFlags = (): string[] => [...NODE_FLAGS, ...process.execArgv];
