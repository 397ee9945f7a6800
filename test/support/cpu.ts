/**
 * Milliseconds of CPU that this thread has used: what its own work cost, however busy the machine is. For tests that bound the
 * cost of something synchronous.
 */
export function cpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}
