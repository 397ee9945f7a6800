import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { Detector } from "../../core/detector.ts";
import { REDACT_CHOICES_MAX } from "../../core/limits.ts";
import { chosenProfile, detectorsFor } from "./profile.ts";
import { type RedactSection, redactSection } from "./section.ts";

const NONE: readonly string[] = [];

/** A full collection. */
function collect(): void {
  setFlagsFromString("--expose-gc");
  runInNewContext("gc")();
}

/** The lists of detectors, for requests and answers, that a call with these words is looked at with. */
function listsOf(section: RedactSection, redactionProfile?: string, piiMode?: string): readonly (readonly Detector[])[] {
  const choice = chosenProfile({ redactionProfile, piiMode }, section, NONE);
  assert.ok("profile" in choice && choice.profile !== undefined);
  const { profile } = choice;
  return [detectorsFor(profile.requests, profile), detectorsFor(profile.answers, profile)];
}
const WORDS = [[], ["strict"], [undefined, "mask"], ["strict", "mask"], ["own", "block"]] as const;

test("calls with the same words share their detectors, and a policy that is loaded anew has its own", () => {
  const setting = { profile: "standard", profiles: { own: { entities: { email: "mask" } } } };
  const [first, reloaded] = [redactSection.parse(setting), redactSection.parse(setting)];
  for (const words of WORDS) {
    const lists = listsOf(first, ...words);
    for (const [index, list] of listsOf(first, ...words).entries()) assert.equal(list, lists[index], words.join());
    for (const list of listsOf(reloaded, ...words)) assert.ok(!lists.includes(list), words.join());
  }
});

test("a reload without profiles or lists of its own shares nothing either", () => {
  const [first, reloaded] = [redactSection.parse({}), redactSection.parse({})];
  const lists = listsOf(first, "strict", "hash");
  for (const list of listsOf(reloaded, "strict", "hash")) assert.ok(!lists.includes(list));
});

test("of more words than are kept the oldest are made again, to the same end", () => {
  const names = Array.from({ length: REDACT_CHOICES_MAX + 1 }, (_, index) => `p${index}`);
  const section = redactSection.parse({ profiles: Object.fromEntries(names.map((name) => [name, { extends: "standard" }])) });
  const choiceOf = (name: string) => chosenProfile({ redactionProfile: name, piiMode: "mask" }, section, NONE);
  const [oldest, second] = [choiceOf("p0"), choiceOf("p1")];
  for (const name of names) choiceOf(name);
  assert.notEqual(choiceOf("p0"), oldest);
  assert.deepEqual(choiceOf("p0"), oldest);
  assert.notEqual(choiceOf("p1"), second);
  const last = names.at(-1) ?? "";
  assert.equal(choiceOf(last), choiceOf(last));
});

test("what an analyser named once is forgotten when it names other things", async () => {
  const section = redactSection.parse({ profile: "standard" });
  const profileWith = (entity: string): object => {
    const choice = chosenProfile({}, section, [entity]);
    assert.ok("profile" in choice && choice.profile !== undefined);
    return choice.profile;
  };
  const first = new WeakRef(profileWith("OTHER"));
  for (let index = 0; index < REDACT_CHOICES_MAX; index++) profileWith(`OTHER_${index}`);
  // A value that a turn of the loop has seen is kept to its end.
  await setImmediate();
  collect();
  assert.equal(first.deref(), undefined);
});
