import assert from "node:assert/strict";
import { z } from "zod";
import type { ExchangeRecord } from "../../src/core/record.ts";
import { assertSubset } from "./subset.ts";

const STAGES = z.array(z.looseObject({ stage: z.string(), on: z.string().optional() }));

/** A record holds at least this; its stages by name, in order: what others between them said is not the case's matter. */
export function assertRecord(record: ExchangeRecord, { stages, ...rest }: Readonly<Record<string, unknown>>): void {
  assertSubset(record, rest, "record");
  if (stages === undefined) return;
  let from = 0;
  for (const expected of STAGES.parse(stages)) {
    const at = record.stages.findIndex(({ stage, on }, index) => index >= from && stage === expected.stage && on === expected.on);
    assert.ok(at >= 0, `record.stages has no ${expected.stage} from ${from} on: ${JSON.stringify(record.stages)}`);
    assertSubset(record.stages[at], expected, `record.stages[${at}]`);
    from = at + 1;
  }
}
