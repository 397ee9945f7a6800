import assert from "node:assert/strict";
import { resolve } from "node:path";
import { test } from "node:test";
import { measureSecrets, ownSecrets, recordedSecrets } from "./secrets.ts";

/** Recall and precision that issue 6 asks for. */
const BAR = 0.95;
const FIXTURES = resolve(process.env["SLUICE_FIXTURES"] ?? resolve(import.meta.dirname, "../../../shared/fixtures"));

test("secrets of the project's own set", (t) => {
  const { texts, recall, precision, missed, falselyFound } = measureSecrets("own", ownSecrets(2));
  t.diagnostic(`${texts} texts, recall ${recall.toFixed(4)}, precision ${precision.toFixed(4)}`);
  assert(recall >= 0.98, `recall ${recall}: ${missed.slice(0, 10).join("\n")}`);
  assert(precision >= 0.98, `precision ${precision}: ${falselyFound.slice(0, 10).join("\n")}`);
});

test("secrets of the recorded set, where it is there", (t) => {
  const texts = recordedSecrets(resolve(FIXTURES, "secrets/labelled.jsonl"));
  const { recall, precision } = measureSecrets("recorded", texts);
  t.diagnostic(`${texts.length} texts, recall ${recall.toFixed(4)}, precision ${precision.toFixed(4)}`);
  assert(texts.length === 0 || (recall >= BAR && precision >= BAR), `recall ${recall}, precision ${precision}`);
});
