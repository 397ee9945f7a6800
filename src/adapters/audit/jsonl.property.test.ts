import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { property } from "../../../test/support/property.ts";
import type { AuditPort } from "../../ports/audit.ts";
import { auditOptions, openEntry, readRecords, servedRecord } from "./fixtures.ts";
import { openJsonlAudit } from "./jsonl.ts";
import { makeWriteBytes, type WriteBytes } from "./line-file.ts";

const writeBytes = makeWriteBytes();

/** A disk that can die: the write under way keeps some of its bytes, later ones none. Until then it may write in pieces. */
class MortalDisk {
  dead = false;
  readonly #piece: number;
  constructor(piece: number) {
    this.#piece = piece;
  }
  readonly write: WriteBytes = (fd, bytes, offset, length, done) => {
    const gone = Object.assign(new Error("input/output error"), { code: "EIO" });
    if (this.dead) return void setImmediate(() => done(gone, 0));
    writeBytes(fd, bytes, offset, Math.min(length, this.#piece), done);
  };
}

type Step =
  | { readonly do: "open" }
  | { readonly do: "refuse" }
  | { readonly do: "flush" }
  | { readonly do: "record"; readonly pick: number }
  | { readonly do: "crash"; readonly piece: number };
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.constant<Step>({ do: "open" }) },
  { weight: 5, arbitrary: fc.nat(99).map((pick): Step => ({ do: "record", pick })) },
  { weight: 1, arbitrary: fc.constant<Step>({ do: "refuse" }) },
  { weight: 2, arbitrary: fc.constant<Step>({ do: "flush" }) },
  { weight: 1, arbitrary: fc.constantFrom(7, 300, 5_000).map((piece): Step => ({ do: "crash", piece })) },
);

class World {
  readonly dir = mkdtempSync(join(tmpdir(), "sluice-audit-"));
  readonly promised: string[] = [];
  /** Records that a flush confirmed. */
  readonly kept: string[] = [];
  #recent: string[] = [];
  #running: string[] = [];
  #disk = new MortalDisk(1 << 20);
  #audit: AuditPort | undefined;
  #next = 0;

  async start(piece: number): Promise<void> {
    this.#disk = new MortalDisk(piece);
    const opened = await openJsonlAudit({
      ...auditOptions(this.dir),
      rotateBytes: 2_000,
      journalBytesMax: 1_500,
      flushWaitMsMax: 100,
      write: this.#disk.write,
    });
    assert.ok(opened.ok);
    this.#audit = opened.value;
  }

  async run(step: Step): Promise<void> {
    const audit = this.#audit;
    assert.ok(audit !== undefined);
    const id = `e${this.#next++}`;
    if (step.do === "open") {
      if ((await audit.open(openEntry(id))).ok) this.promised.push(id);
      this.#running.push(id);
    } else if (step.do === "record") {
      const [running] = this.#running.splice(step.pick % Math.max(1, this.#running.length), 1);
      if (running !== undefined) this.#record(running);
    } else if (step.do === "refuse") this.#record(id);
    else if (step.do === "flush") {
      await audit.flush();
      this.kept.push(...this.#recent.splice(0));
    } else await this.#crash(step.piece);
  }

  #record(id: string): void {
    assert.ok(this.#audit?.record(servedRecord(id)));
    this.#recent.push(id);
  }

  /** `close` on a dead disk writes nothing more: what is left is what a dead process leaves. */
  async #crash(piece: number): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    this.#disk.dead = true;
    await this.close();
    this.#running = [];
    this.#recent = [];
    await this.start(piece);
  }

  async close(): Promise<void> {
    await this.#audit?.close();
  }
}

property(
  "over any sequence with crashes: one record for each promised open, none lost after a flush, none twice",
  fc.array(step, { maxLength: 60 }),
  async (steps) => {
    const world = new World();
    try {
      await world.start(1 << 20);
      for (const one of steps) await world.run(one);
      await world.run({ do: "crash", piece: 1 << 20 });
      await world.close();
      const ids = readRecords(world.dir).records.map((record) => record.id);
      const unique = new Set(ids);
      assert.equal(unique.size, ids.length, `twice: ${ids.filter((id, at) => ids.indexOf(id) !== at).join()}`);
      for (const id of world.promised) assert.ok(unique.has(id), `promised ${id}`);
      for (const id of world.kept) assert.ok(unique.has(id), `kept ${id}`);
    } finally {
      rmSync(world.dir, { recursive: true, force: true });
    }
  },
  60,
);
