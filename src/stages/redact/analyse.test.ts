import assert from "node:assert/strict";
import { test } from "node:test";
import { readRequest } from "../../../test/support/codec-runs.ts";
import { context, decideWith } from "../../../test/support/context.ts";
import { testKeyring } from "../../../test/support/keyring.ts";
import { openaiChat } from "../../codecs/openai-chat.ts";
import type { Finding } from "../../core/detector.ts";
import { applyEdits } from "../../core/json.ts";
import { err, ok } from "../../core/result.ts";
import { sharedEdits } from "../../pipeline/request-edits.ts";
import type { AnalyserPort } from "../../ports/analyser.ts";
import { redactStage } from "./stage.ts";

/** Finds these words, whatever they are part of. */
function finder(words: Readonly<Record<string, string>>, asked: string[][] = []): AnalyserPort {
  return {
    entities: [...new Set(Object.values(words))],
    analyse: async (texts, { entities }) => {
      asked.push([...texts]);
      return ok(
        texts.map((text) =>
          Object.entries(words).flatMap(([word, entity]): Finding[] => {
            const start = text.indexOf(word);
            return start < 0 || !entities.has(entity) ? [] : [{ entity, start, end: start + word.length, score: 0.85 }];
          }),
        ),
      );
    },
  };
}
async function run(analyser: AnalyserPort | undefined, content: string, section: object): Promise<string> {
  const request = readRequest(openaiChat, JSON.stringify({ model: "gpt", messages: [{ role: "user", content }] }));
  const stores = { keyring: testKeyring(), analysers: { find: (name: string) => (name === "names" ? analyser : undefined) } };
  const of = { ...context({ contract: { values: {}, unknown: [], problems: [] }, stores }), request };
  const said = await decideWith(redactStage, { analyser: { name: "names" }, ...section }, of);
  const verdict = "ok" in said ? (said.ok ? said.value : said.error.code) : said;
  if (typeof verdict === "string") return verdict;
  if (verdict.kind !== "allow") return verdict.kind;
  const change = Object.assign({}, ...verdict.effects.map((effect) => (effect.kind === "change" ? effect.change : {})));
  return JSON.parse(applyEdits(request.doc, sharedEdits(request.doc, change))).messages[0].content;
}
const own = (entities: object): object => ({ profile: "own", profiles: { own: { entities } } });

test("profiles name its entities like any other: by name, by class, by *", async () => {
  const names = finder({ "Jane Roe": "person" });
  assert.equal(await run(names, "I am Jane Roe", own({ person: "mask" })), "I am <PERSON>");
  assert.equal(await run(names, "I am Jane Roe", own({ personal: "mask" })), "I am <PERSON>");
  assert.equal(await run(names, "I am Jane Roe", own({ "*": "block" })), "deny");
  assert.match(await run(names, "I am Jane Roe", { profile: "standard" }), /^I am PERSON_[A-Z0-9]{8}$/);
});
test("an entity that the profile lets pass is not looked for", async () => {
  assert.equal(await run(finder({ "Jane Roe": "person" }), "I am Jane Roe", own({ person: "pass", email: "mask" })), "I am Jane Roe");
});
test("where findings overlap, the surer one stands and nothing of the other stays", async () => {
  const names = finder({ "Roe jane.roe": "person" });
  assert.equal(await run(names, "Jane Roe jane.roe@acme-corp.com", own({ personal: "mask" })), "Jane <PERSON><EMAIL>");
});
test("what it finds and is only watched hides nothing in it that is to be replaced", async () => {
  const names = finder({ "Jane Roe jane.roe@acme-corp.com": "person" });
  assert.equal(await run(names, "Jane Roe jane.roe@acme-corp.com", own({ person: "watch", email: "mask" })), "Jane Roe <EMAIL>");
  const low = { profile: "own", profiles: { own: { entities: { person: "mask", us_ssn: "watch" } } } };
  assert.equal(await run(finder({ "536-90-4399": "person" }), "SSN 536-90-4399", low), "SSN <PERSON>");
});
test("values that the policy allows are no findings of it either", async () => {
  const names = finder({ "JANE Roe": "person", "help@acme-corp.com": "email", "Jim Poe": "person" });
  const section = { ...own({ personal: "mask" }), allow: ["Jane Roe", "HELP@acme-corp.com"] };
  assert.equal(await run(names, "JANE Roe help@acme-corp.com Jim Poe", section), "JANE Roe help@acme-corp.com <PERSON>");
});
test("findings below the profile's least score are left", async () => {
  const section = { profile: "own", profiles: { own: { entities: { person: "mask" }, minScore: 0.9 } } };
  assert.equal(await run(finder({ "Jane Roe": "person" }), "I am Jane Roe", section), "I am Jane Roe");
});
test("JSON in a text is seen without its escapes", async () => {
  const asked: string[][] = [];
  await run(finder({ x: "person" }, asked), '{"name":"J\\u0061ne"}', own({ person: "mask" }));
  assert.ok(
    asked[0]?.some((text) => text.includes("Jane")),
    JSON.stringify(asked),
  );
});
test("missing or failing: a fault of the stage", async () => {
  assert.equal(await run(undefined, "hi", { profile: "standard" }), "unavailable");
  const broken: AnalyserPort = { entities: ["person"], analyse: async () => err({ code: "corrupt" }) };
  assert.equal(await run(broken, "hi", { profile: "standard" }), "corrupt");
});
