/** Runs on a disk of 256 KiB that another file fills: says on stdout what happened while it was full and after. */
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { auditOptions, openEntry, readRecords, servedRecord } from "./fixtures.ts";
import { type AuditFault, openJsonlAudit } from "./jsonl.ts";

const [dir = ""] = process.argv.slice(2);
const faults: AuditFault[] = [];
const opened = await openJsonlAudit({ ...auditOptions(dir, faults), pendingBytesMax: 60_000 });
if (!opened.ok) process.exit(3);
const audit = opened.value;

async function exchanges(from: number, count: number): Promise<{ readonly left: string[]; readonly refused: number }> {
  const left: string[] = [];
  let refused = 0;
  for (let i = from; i < from + count; i += 1) {
    if ((await audit.open(openEntry(`e${i}`))).ok) left.push(`e${i}`);
    else refused += 1;
    audit.record(servedRecord(`e${i}`));
  }
  return { left, refused };
}

const filler = join(dir, "filler");
const before = await exchanges(0, 20);
await audit.flush();
fill();
const full = await exchanges(20, 400);
const { failing, dropped } = audit.stats;
rmSync(filler);
for (let waited = 0; waited < 5_000 && audit.stats.pendingBytes > 0; waited += 20) await sleep(20);
await sleep(100);
const after = await exchanges(420, 20);
await audit.close();
const { records, torn } = readRecords(dir);
const written = new Set(records.map((record) => record.id));
const lost = [...before.left, ...full.left, ...after.left].filter((id) => !written.has(id)).length;
process.stdout.write(
  JSON.stringify({
    failing,
    dropped,
    refused: full.refused,
    refusedAfter: after.refused,
    lost,
    torn,
    twice: records.length - written.size,
    written: written.size,
    faults: faults.length,
  }),
);

/** Takes every block that is left, so that later writes end in the middle of a page. */
function fill(): void {
  for (let size = 262_144; size >= 4_096; size /= 2) {
    try {
      for (;;) writeFileSync(filler, Buffer.alloc(size), { flag: "a" });
    } catch {
      // Full for this size.
    }
  }
}
