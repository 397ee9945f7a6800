import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { ExchangeRecord, OpenEntry } from "../../core/record.ts";
import { systemClock } from "../../ports/clock.ts";
import type { AuditFault, JsonlAuditOptions } from "./jsonl.ts";

const policy = { name: "acme/support-bot/support-reply", version: "2026-11-23.1", hash: "a".repeat(64) };

export function openEntry(id: string): OpenEntry {
  return {
    id,
    time: "2026-11-23T10:00:00.000Z",
    tenant: "acme",
    app: "support-bot",
    useCase: "support-reply",
    surface: "openai.chat",
    provider: "openai",
    model: "gpt-4o-mini",
    policy,
  };
}

export function servedRecord(id: string): ExchangeRecord {
  return {
    v: 1,
    id,
    time: "2026-11-23T10:00:00.000Z",
    tenant: "acme",
    method: "POST",
    path: "/v1/chat/completions",
    policy,
    stages: [{ stage: "access", mode: "enforce", verdict: "allow" }],
    decision: "allowed",
    ending: "served",
    ms: { total: 612.123, sidecar: 1.234 },
    bytes: { request: 2300, answer: 900 },
    digests: { request: "b".repeat(64) },
  };
}

export function temporaryFolder(t: Pick<TestContext, "after">): string {
  const dir = mkdtempSync(join(tmpdir(), "sluice-audit-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/** Options of a quick adapter; what goes wrong is collected in `faults`. */
export function auditOptions(dir: string, faults: AuditFault[] = []): JsonlAuditOptions {
  return {
    dir,
    writerId: "w0",
    rotateBytes: 1 << 20,
    pendingBytesMax: 1 << 20,
    clock: systemClock,
    onError: (fault) => faults.push(fault),
    recordSpacingMs: 0,
    openSpacingMs: 0,
  };
}

export interface WrittenRecord {
  readonly id: string;
  readonly ending: string;
}

/** All records of all files in the folder; `torn` counts lines that are not JSON. */
export function readRecords(dir: string): { readonly records: readonly WrittenRecord[]; readonly torn: number } {
  const records: WrittenRecord[] = [];
  let torn = 0;
  for (const name of readdirSync(dir).filter((file) => file.startsWith("records-"))) {
    for (const line of readFileSync(join(dir, name), "utf8").split("\n")) {
      if (line === "") continue;
      try {
        const value: { id: string; ending: string } = JSON.parse(line);
        records.push({ id: value.id, ending: value.ending });
      } catch {
        torn += 1;
      }
    }
  }
  return { records, torn };
}
