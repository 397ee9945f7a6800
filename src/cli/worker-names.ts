import { basename, dirname, extname, join } from "node:path";

/** Most workers of one supervisor. */
export const WORKERS_MAX = 64;

/** The sockets of N workers: `s.sock` becomes `s.0.sock`, `s.1.sock` and so on. One process keeps the plain name. */
export function workerSockets(socket: string, workers: number): readonly string[] {
  if (workers === 1) return [socket];
  const extension = extname(socket);
  const stem = join(dirname(socket), basename(socket, extension));
  return Array.from({ length: workers }, (_none, index) => `${stem}.${index}${extension}`);
}

/** Names of N workers' record files: `0`, `1`; with a name of one's own, `a-0`, `a-1`. One process keeps the plain name. */
export function workerNames(name: string, workers: number): readonly string[] {
  if (workers === 1) return [name];
  return Array.from({ length: workers }, (_none, index) => (name === "0" ? String(index) : `${name}-${index}`));
}

/** undefined: not a number of workers. */
export function parseWorkers(text: string): number | undefined {
  const count = Number(text);
  return /^\d{1,2}$/.test(text) && count >= 1 && count <= WORKERS_MAX ? count : undefined;
}
