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
const judged = (marks: Marks, dataClass?: string) =>
  decideWith(
    classificationStage,
    section,
    context({
      marks,
      contract: { values: dataClass === undefined ? {} : { dataClass }, unknown: [], problems: [] },
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
test("a class that must be redacted is refused where what has it, or all that was found, leaves as it came", () => {
  assertSubset(judged({ entities: ["email"], unredacted: ["email"] }), { kind: "deny", detail: "~only leave redacted" });
  assertSubset(judged({ entities: ["email"] }), { kind: "allow" });
  // Another value was replaced, or by another stage: this one is there all the same.
  assertSubset(judged({ entities: ["email", "phone"], unredacted: ["email"] }), { kind: "deny", detail: "~only leave redacted" });
  // The class is the email's, which was replaced; nobody said that a phone number has one.
  assertSubset(judged({ entities: ["email", "phone"], unredacted: ["phone"] }), { kind: "allow" });
  assertSubset(judged({ entities: ["phone"], unredacted: ["phone"] }, "confidential"), { kind: "deny" });
  assertSubset(judged({}, "confidential"), { kind: "allow" });
});
test("a class of which the policy says nothing has the rules of the next lower one that has some, and its own where it has", () => {
  const of = (classes: object, dataClass: string) =>
    decideWith(classificationStage, { classes }, context({ contract: { values: { dataClass }, unknown: [], problems: [] } }));
  const rules = { confidential: { leave: "private", cacheable: false, retention: "week" } };
  assertSubset(of(rules, "restricted"), {
    kind: "allow",
    effects: [{ mark: { privateOnly: true, cacheable: false, retention: "week" } }, {}],
  });
  assertSubset(of(rules, "internal"), { kind: "allow", effects: [{ mark: { privateOnly: null } }, {}] });
  assertSubset(of({ ...rules, restricted: {} }, "restricted"), { kind: "allow", effects: [{ mark: { privateOnly: null } }, {}] });
  assertSubset(of({ internal: { leave: "nowhere" } }, "restricted"), { kind: "deny", code: "content_blocked" });
});
