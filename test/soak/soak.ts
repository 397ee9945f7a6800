/**
 * Mixed load through a real Envoy for as long as asked: every surface, streams, callers that leave, hostile bodies, edits of the
 * policy. Fails on the first thing that is not as it should be at the end: an answer with another status, a broken connection, a
 * missing record, a stream that failed, memory that grew.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createReadStream } from "node:fs";
import { readdir } from "node:fs/promises";
import { request } from "node:http";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import type { ExchangeRecord } from "../../src/core/record.ts";
import { type ChildGateway, startChildGateway } from "../support/child-gateway.ts";
import { SOAK_POLICY, type SoakCall, soakCalls } from "./calls.ts";

export interface SoakOptions {
  readonly forMs: number;
  /** Calls under way at once. */
  readonly callers: number;
  readonly say: (line: string) => void;
}

const EDIT_EVERY_MS = 3_000;
const SAY_EVERY_MS = 60_000;
/** Part of the time that only warms up, and the most of it. */
const WARM_SHARE = 0.4;
const WARM_MS_MAX = 120_000;
/** Ended streams and freed buffers are gone after this. */
const QUIET_MS = 1_500;
/** Growth of the heap that is still flat: a tenth, and what a heap of this size moves by itself. */
const GROWTH = 0.1;
const NOISE_BYTES = 4 * 1024 * 1024;
/** Failures named at the end. */
const NAMED = 10;

class Tally {
  made = 0;
  left = 0;
  edits = 0;
  readonly failed: string[] = [];
  readonly byName = new Map<string, number>();

  count({ name }: SoakCall): void {
    this.made += 1;
    this.byName.set(name, (this.byName.get(name) ?? 0) + 1);
  }
}

/** Runs it and gives a summary, one line; rejects with what was wrong. */
export async function soak({ forMs, callers, say }: SoakOptions): Promise<string> {
  const gateway = await startChildGateway({ policy: SOAK_POLICY, probe: true, requestsKept: 10, env: { SLUICE_LOG_LEVEL: "warn" } });
  try {
    const tally = new Tally();
    const load = (until: number) => Array.from({ length: callers }, (_, index) => caller(gateway, tally, { endMs: until, index }));
    const warmMs = Math.min(WARM_MS_MAX, forMs * WARM_SHARE);
    // Warm: code is compiled, caches hold what they hold. Then quiet, as at the end, so that the two can be compared.
    await Promise.all(load(performance.now() + warmMs));
    await sleep(QUIET_MS);
    const before = await gateway.probe();
    const endMs = performance.now() + forMs - warmMs;
    const running = load(endMs);
    const editing = edit(gateway, tally, endMs);
    for (let said = performance.now(); performance.now() < endMs; await sleep(Math.max(1, Math.min(1_000, endMs - performance.now())))) {
      if (performance.now() - said < SAY_EVERY_MS) continue;
      said = performance.now();
      say(`${Math.round((endMs - said) / 60_000)} minutes left: ${tally.made} calls, ${tally.failed.length} failed, ${tally.edits} edits`);
    }
    await Promise.all([...running, editing]);
    return await judge(gateway, tally, { before: before.heapBytes });
  } finally {
    await gateway.stop();
  }
}

async function caller(gateway: ChildGateway, tally: Tally, { endMs, index }: { endMs: number; index: number }): Promise<void> {
  for (let round = index; performance.now() < endMs; round += 97) {
    for (const call of soakCalls(round).flatMap((one) => Array<SoakCall>(one.weight ?? 1).fill(one))) {
      if (performance.now() >= endMs) return;
      tally.count(call);
      const problem = await make(gateway, call, tally).catch((cause: unknown) => `broke: ${String(cause)}`);
      if (problem !== undefined) tally.failed.push(`${call.name}: ${problem}`);
    }
  }
}

/** undefined: as it should be. */
async function make(gateway: ChildGateway, call: SoakCall, tally: Tally): Promise<string | undefined> {
  const body = call.body === undefined ? undefined : Buffer.from(call.body);
  const sent = request(`${gateway.url}${call.path}`, {
    method: body === undefined ? "GET" : "POST",
    headers: {
      authorization: `Bearer ${gateway.key()}`,
      ...(body === undefined ? {} : { "content-type": call.type ?? "application/json", "content-length": body.length }),
    },
  });
  const answered = once(sent, "response");
  sent.end(body);
  const [response] = await answered;
  if (call.leaves === true) {
    await once(response, "data");
    sent.on("error", () => undefined);
    response.on("error", () => undefined);
    sent.destroy();
    tally.left += 1;
    return undefined;
  }
  let text = "";
  for await (const piece of response) if (text.length < 300) text += String(piece);
  return response.statusCode === call.status ? undefined : `status ${response.statusCode}, not ${call.status}: ${text.slice(0, 300)}`;
}

/** Rules change under load, and now and then an edit is none. */
async function edit(gateway: ChildGateway, tally: Tally, endMs: number): Promise<void> {
  for (let number = 2; performance.now() + EDIT_EVERY_MS < endMs; number++) {
    await sleep(EDIT_EVERY_MS);
    const edited = SOAK_POLICY.replace("soak.1", `soak.${number}`).replace(
      "outputTokensMax: 500",
      `outputTokensMax: ${500 + (number % 7)}`,
    );
    await gateway.rewrite(number % 5 === 0 ? edited.replace("useCases:\n", "useCase:\n") : edited);
    tally.edits += 1;
  }
}

async function judge(gateway: ChildGateway, tally: Tally, { before }: { readonly before: number }): Promise<string> {
  const { failed, made } = tally;
  assert.deepEqual(failed.slice(0, NAMED), [], `${failed.length} of ${made} calls failed`);
  const { count, ids, aborted, internal } = await settled(gateway, made);
  assert.equal(count, made, "one record an exchange");
  assert.equal(ids, made, "no exchange twice");
  assert.ok(aborted <= tally.left, `${aborted} ended aborted, and ${tally.left} callers left`);
  assert.equal(internal, 0, "internal errors");
  await gateway.envoy.assertClean();
  const metrics = await (await fetch(`${gateway.adminUrl}/metrics`)).text();
  for (const name of ["sluice_exchanges_in_flight", "sluice_held_bytes", "sluice_records_dropped_total"])
    assert.match(metrics, new RegExp(`^${name} 0$`, "m"));
  await sleep(QUIET_MS);
  const { heapBytes, rssBytes } = await gateway.probe();
  const growth = heapBytes - before;
  assert.ok(growth < before * GROWTH + NOISE_BYTES, `the heap grew from ${mib(before)} to ${mib(heapBytes)}`);
  const { code } = await gateway.end();
  assert.equal(code, 0, gateway.said());
  assert.doesNotMatch(gateway.said(), /exchange_fault|unhandled/i);
  const heaps = `heap ${mib(before)} to ${mib(heapBytes)}, resident ${mib(rssBytes)}`;
  return `${made} exchanges of ${tally.byName.size} kinds, ${tally.left} left by their callers, ${tally.edits} edits of the policy: 0 failed, ${count} records, ${heaps}`;
}

interface Counted {
  readonly count: number;
  readonly ids: number;
  readonly aborted: number;
  readonly internal: number;
}

/** The records, once there are as many as exchanges or no more come. */
async function settled(gateway: ChildGateway, made: number): Promise<Counted> {
  for (let before = -1; ; await sleep(1_000)) {
    const counted = await countRecords(gateway.dataDir);
    if (counted.count >= made || counted.count === before) return counted;
    before = counted.count;
  }
}

/** Line by line: an hour's records are more than memory should hold. */
async function countRecords(folder: string): Promise<Counted> {
  const ids = new Set<string>();
  let [count, aborted, internal] = [0, 0, 0];
  for (const name of await readdir(folder)) {
    if (!name.startsWith("records-")) continue;
    for await (const line of createInterface({ input: createReadStream(join(folder, name)) })) {
      const record: ExchangeRecord = JSON.parse(line);
      ids.add(record.id);
      count += 1;
      if (record.ending === "aborted") aborted += 1;
      if (record.code === "internal") internal += 1;
    }
  }
  return { count, ids: ids.size, aborted, internal };
}

const mib = (bytes: number): string => `${(bytes / 1024 / 1024).toFixed(0)} MiB`;
