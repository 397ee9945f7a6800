/** A process of the crash test: opens and records exchanges as fast as it can, and says on stdout what it was promised. */
import { writeSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { auditOptions, openEntry, servedRecord } from "./fixtures.ts";
import { openJsonlAudit } from "./jsonl.ts";

const [dir = "", run = ""] = process.argv.slice(2);
const opened = await openJsonlAudit({ ...auditOptions(dir), rotateBytes: 60_000, journalBytesMax: 20_000 });
if (!opened.ok) process.exit(3);
const audit = opened.value;
const count = { started: 0 };

async function worker(): Promise<void> {
  for (;;) {
    const id = `${run}-${count.started++}`;
    const result = await audit.open(openEntry(id));
    if (result.ok) writeSync(1, `${id}\n`);
    await sleep(Math.random() * 3);
    audit.record(servedRecord(id));
  }
}
await Promise.all(Array.from({ length: 16 }, worker));
