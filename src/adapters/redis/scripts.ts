import { hash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { RedisClient } from "./connect.ts";

export type ScriptName = "enter" | "hold" | "settle" | "renew" | "sweep" | "list" | "admin";
const NAMES: readonly ScriptName[] = ["enter", "hold", "settle", "renew", "sweep", "list", "admin"];

interface Script {
  readonly source: string;
  /** What `EVALSHA` knows it by. */
  readonly sha1: string;
}

/** The ledger's scripts: each with common.lua before it. */
export class Scripts {
  readonly #scripts = new Map<ScriptName, Script>();

  constructor() {
    const folder = join(import.meta.dirname, "scripts");
    const common = readFileSync(join(folder, "common.lua"), "utf8");
    for (const name of NAMES) {
      const source = `${common}\n${readFileSync(join(folder, `${name}.lua`), "utf8")}`;
      this.#scripts.set(name, { source, sha1: hash("sha1", source) });
    }
  }

  /** Runs a script; one that the server does not know (a new master, a flushed cache) is sent whole. Rejects as ioredis does. */
  async run(client: RedisClient, name: ScriptName, key: string, args: readonly (string | number)[]): Promise<readonly string[]> {
    const script = this.#scripts.get(name);
    if (script === undefined) throw new Error(`no script ${name}`);
    let reply: unknown;
    try {
      reply = await client.evalsha(script.sha1, 1, key, ...args);
    } catch (cause) {
      if (!(cause instanceof Error && cause.message.startsWith("NOSCRIPT"))) throw cause;
      reply = await client.eval(script.source, 1, key, ...args);
    }
    if (!Array.isArray(reply)) throw new Error(`the script ${name} gave no list`);
    return reply.map(String);
  }
}
