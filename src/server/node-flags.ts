/**
 * V8's settings for a process that serves, measured under load (test/bench). Whoever starts `sluice serve` gives them to Node:
 * `sluice up`, the supervisor of `--workers`, the container image, the service of docs/install.md.
 *
 * - A young generation of 16 MB a half: an exchange allocates some 60 KB, and what is still under way at a scavenge is copied.
 *   Halves of 32 MB save 1 % of CPU at most, and cost 35 MB of resident memory with 500 streams open.
 * - One thread scavenges: the young generation is small, and four threads that share it spend more on each other than on it.
 * - No allocation straight into the old generation: V8 does so from places whose objects happened to live long when it looked, and then
 *   keeps to it. In about one process of three such a moment of the warm-up took the objects of every exchange with it: three times the
 *   full collections, a third more CPU a call for good.
 * - Code is optimised for good after 1,000 calls of a function, not 3,000: most of what an exchange runs, it runs once. Otherwise V8 goes on
 *   compiling through the first thirty thousand exchanges, a tenth of their CPU on its helper threads, and runs slower code till then. After 300 it optimises what an event of a stream runs before it has seen enough of it.
 *
 * Together about a fifth of the CPU of a unary exchange, and a steady price from one process to the next.
 */
export const NODE_FLAGS: readonly string[] = [
  "--min-semi-space-size=16",
  "--max-semi-space-size=16",
  "--no-parallel-scavenge",
  "--no-allocation-site-pretenuring",
  "--invocation-count-for-turbofan=1000",
];

/** Arguments of Node for a child that serves; this process's own come last, so that an operator's word counts. */
export const servingNodeFlags = (): string[] => [...NODE_FLAGS, ...process.execArgv];
