/**
 * One process of several that share a ledger; its task comes as JSON in the first argument. It says on stdout what it is about
 * to do and what was answered, at once, so that whoever kills it knows how far it came.
 */
import { writeSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { TimeWindow } from "../../src/core/windows.ts";
import type { BudgetScope, LedgerPort } from "../../src/ports/ledger.ts";
import { must, openRedis, openSqlite } from "./stores.ts";

export interface WorkerTask {
  readonly store: { readonly dir: string } | { readonly host: string; readonly port: number };
  readonly name: string;
  /** race: each caller holds once, all at the same moment. load: hold and settle for ever. */
  readonly work: "race" | "load";
  readonly callers: number;
  readonly startAtMs: number;
  readonly leaseMs: number;
  readonly limit: number;
  readonly amount: number;
  readonly window: TimeWindow;
}
export const tenant = { kind: "tenant", name: "acme" } as const;
export const scopesOf = (task: Pick<WorkerTask, "window" | "limit">, amount: number): readonly BudgetScope[] =>
  ["tenant", "app"].map((key) => ({ key, unit: "nanoUsd", window: task.window, limit: task.limit, amount }));

const say = (...words: readonly (string | number)[]): void => {
  writeSync(1, `${words.join(" ")}\n`);
};

export async function load(
  ledger: LedgerPort,
  task: Pick<WorkerTask, "name" | "callers" | "leaseMs" | "limit" | "window">,
  told: (...words: readonly (string | number)[]) => void,
  goesOn: () => boolean,
): Promise<void> {
  let count = 0;
  await Promise.all(
    Array.from({ length: task.callers }, async () => {
      while (goesOn()) {
        const exchange = `${task.name}-${count++}`;
        const amount = 100 + Math.floor(Math.random() * 900);
        const scopes = scopesOf(task, amount);
        told("holding", exchange, amount);
        const held = await ledger.hold({ partition: tenant, exchange, leaseMs: task.leaseMs, onLapse: "charge", scopes });
        if (!held.ok || held.value.kind !== "admitted") {
          // An unknown outcome: released later by the ledger itself.
          told("refused", exchange);
          await sleep(5);
          continue;
        }
        told("held", exchange);
        await sleep(Math.random() * 20);
        const actual = Math.floor(Math.random() * amount);
        told("settling", exchange, actual);
        const settled = await ledger.settle({ partition: tenant, exchange, charges: scopesOf(task, actual) });
        if (settled.ok && settled.value !== "queued") told("settled", exchange);
      }
    }),
  );
}

if (process.argv[1] === import.meta.filename) {
  const task: WorkerTask = JSON.parse(process.argv[2] ?? "{}");
  const ledger = "dir" in task.store ? await openSqlite(task.store.dir) : await openRedis(task.store);
  if (task.work === "race") {
    say("ready");
    await sleep(Math.max(0, task.startAtMs - Date.now()));
    const answers = await Promise.all(
      Array.from({ length: task.callers }, (_, at) =>
        ledger.hold({
          ...{ partition: tenant, exchange: `${task.name}-${at}`, leaseMs: task.leaseMs, onLapse: "charge" },
          scopes: scopesOf(task, task.amount),
        }),
      ),
    );
    say("passed", answers.map(must).filter(({ kind }) => kind === "admitted").length);
    await ledger.close();
  } else {
    say("ready");
    await load(ledger, task, say, () => true);
  }
}
