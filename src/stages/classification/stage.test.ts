import assert from "node:assert/strict";
import { test } from "node:test";
import { context, decideWith } from "../../../test/support/context.ts";
import { assertSubset } from "../../../test/support/subset.ts";
import type { Marks } from "../../core/stage.ts";
import { classificationStage } from "./stage.ts";

const section = {
  default: "internal",
  map: { email: "confidential", "secret_*": "restricted", payment_card: "restricted" },
  classes: {
    confidential: { leave: "private", redaction: "required", cacheable: false, retention: "short" },
    restricted: { leave: "nowhere" },
  },
};
const judged = (marks: Marks, dataClass?: string, redacted = true) =>
  decideWith(
    classificationStage,
    section,
    context({
      marks,
      contract: { values: dataClass === undefined ? {} : { dataClass }, unknown: [], problems: [] },
      change: redacted ? { texts: new Map() } : {},
    }),
  );

test("what is found raises the class, and never lowers it", () => {
  assertSubset(judged({}), {
    kind: "allow",
    reason: "class internal",
    effects: [{ mark: { dataClass: "internal", privateOnly: null } }, {}],
  });
  assertSubset(judged({ entities: ["email"] }, "public"), {
    kind: "allow",
    reason: "class confidential",
    effects: [
      { kind: "mark", mark: { dataClass: "confidential", privateOnly: true, cacheable: false, retention: "short" } },
      { kind: "classes" },
    ],
  });
  assertSubset(judged({ entities: ["email"] }, "restricted"), { kind: "deny", code: "content_blocked" });
  assertSubset(judged({ dataClass: "restricted" }, "public"), { kind: "deny" });
});
test("the class of what an answer brings up is told, by the same rules", () => {
  const said = judged({});
  const classOf = "kind" in said ? said.effects?.flatMap((effect) => (effect.kind === "classes" ? [effect.classOf] : []))[0] : undefined;
  assert.deepEqual(
    ["email", "secret_jwt", "phone"].map((entity) => classOf?.(entity)),
    ["confidential", "restricted", undefined],
  );
});
test("a class that may not leave is refused, by exact entity and by prefix; the refusal keeps the mark for the record", () => {
  for (const entity of ["payment_card", "secret_jwt"])
    assertSubset(judged({ entities: [entity] }), {
      kind: "deny",
      code: "content_blocked",
      detail: "Data of class restricted may not leave.",
      effects: [{ mark: { dataClass: "restricted" } }],
    });
});
test("a class that must be redacted is refused where nothing was replaced", () => {
  assertSubset(judged({ entities: ["email"] }, undefined, false), { kind: "deny", detail: "~only leave redacted" });
  assertSubset(judged({}, "confidential", false), { kind: "allow" });
});
