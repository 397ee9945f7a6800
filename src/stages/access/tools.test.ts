import assert from "node:assert/strict";
import { test } from "node:test";
import { context, decideWith, model, provider, target, view } from "../../../test/support/context.ts";
import { assertSubset } from "../../../test/support/subset.ts";
import type { AnswerGuard, CallVerdict } from "../../core/guard.ts";
import { APPROVAL_ARGUMENTS_BYTES_MAX, CALL_CHARS_MAX, CALL_VALUES_MAX } from "../../core/limits.ts";
import { ok } from "../../core/result.ts";
import type { StageContext, Verdict } from "../../core/stage.ts";
import type { TextPlace, ToolCall, ToolRef } from "../../core/view.ts";
import type { ApprovalCall, ApprovalsPort, ClaimAnswer, HeldState } from "../../ports/approvals.ts";
import { accessSection } from "./section.ts";
import { accessStage } from "./stage.ts";

const models = [model("gpt", [target(provider("openai", "openai"), "gpt")])];
const at = { kind: "string", value: "", start: 0, end: 2 } as const;
const text = (value: string, place: TextPlace = "user") => ({ place, node: { ...at, value } });
const tool = (name: string, use: ToolRef["use"] = "offered"): ToolRef => ({ name, kind: "function", use, node: at });

const NONE: ClaimAnswer = { kind: "none" };
interface Store extends ApprovalsPort {
  readonly claims: ApprovalCall[];
  readonly asked: ApprovalCall[];
  readonly tainted: Set<string>;
  readonly kept: string[];
}
/** A store of a few lines, so that tables can say what it answers. */
function store(answer: ClaimAnswer = { kind: "granted", id: "apr_1" }, held: HeldState = { kind: "none" }): Store {
  const claims: ApprovalCall[] = [];
  const asked: ApprovalCall[] = [];
  const tainted = new Set<string>();
  const kept: string[] = [];
  return {
    ...{ claims, asked, tainted, kept },
    claim: (call) => {
      claims.push(call);
      return ok(answer);
    },
    ask: (calls) => {
      asked.push(...calls);
      return ok({ kind: "asked", ids: calls.map((call) => `apr_${call.arguments}`) });
    },
    giveBack: () => {},
    keepAnswer: (ids, _of, { body }) => kept.push(`${ids.join(" ")} ${Buffer.from(body).toString()}`) > 0,
    heldAnswer: () => ok(held),
    list: () => ok([]),
    show: () => ok(undefined),
    vote: () => ({ ok: false, error: { code: "unknown" } }),
    takeUntold: () => ok([]),
    told: () => {},
    taint: (tenant, conversation) => {
      tainted.add(`${tenant} ${conversation}`);
      return ok(undefined);
    },
    isTainted: (tenant, conversation) => ok(tainted.has(`${tenant} ${conversation}`)),
    close: () => {},
  };
}

const offering = (names: readonly string[], more: Partial<StageContext> = {}): StageContext => ({
  ...context({ models, view: view({ tools: names.map((name) => tool(name)) }) }),
  ...more,
});
async function said(tools: object, of: StageContext): Promise<Verdict> {
  const verdict = await decideWith(accessStage, { models: ["*"], tools }, of);
  if ("kind" in verdict) return verdict;
  assert.ok(verdict.ok);
  return verdict.value;
}
/** What becomes of a call, and the evidence that the guard then gives. */
async function called(tools: object, name: string, text: string, of: StageContext) {
  const verdict = await said(tools, of);
  assert.equal(verdict.kind, "allow", JSON.stringify(verdict));
  const guard = verdict.effects?.find((effect) => effect.kind === "guard")?.guard;
  assert.ok(guard !== undefined);
  const waits = guard.judgesCall?.(name);
  const outcome = waits === true ? guard.judgeCall?.({ choice: 0, block: 0, name, id: "c1", arguments: text }) : { kind: "pass" as const };
  return { waits, outcome: ended(outcome), evidence: guard.evidence() };
}
/** What becomes of a call whose answer nothing else ends. */
const ended = (verdict: CallVerdict | undefined): CallVerdict | undefined =>
  verdict?.kind === "withhold" ? { kind: "stop", stop: verdict.end(undefined).stop } : verdict;
const refusedAs = (code: string) => ({ kind: "stop", stop: { kind: "refuse", denial: { code } } });

test("a call by its name: allowed passes at once, others wait for their arguments and are refused", async () => {
  const of = offering(["get"]);
  const passed = await called({ allow: ["get"] }, "get", "{}", of);
  assert.deepEqual([passed.waits, passed.evidence?.verdict], [false, "allow"]);
  const strange = await called({ allow: ["get"] }, "delete_all", "{}", of);
  assertSubset(strange.outcome, refusedAs("tool_not_allowed"));
  assertSubset(strange.evidence, { verdict: "deny", evidence: { found: [{ entity: "tool_call", action: "refuse", count: 1 }] } });
});

test("a name in another form is the same for what a policy forbids, watches or bounds, and another for what it allows", async () => {
  const rules = { allow: ["*"], deny: ["shell"], approve: ["refund"], arguments: [{ tool: "get", schema: { required: ["id"] } }] };
  const of = offering(["x"], { stores: { approvals: store(NONE) } });
  assertSubset((await called(rules, "Shell", "{}", of)).outcome, refusedAs("tool_not_allowed"));
  assertSubset((await called(rules, "ＲＥＦＵＮＤ", "{}", of)).outcome, refusedAs("approval_required"));
  assertSubset((await called(rules, "Get", "{}", of)).outcome, refusedAs("tool_not_allowed"));
  assertSubset((await called({ allow: ["get"] }, "Get", "{}", offering(["get"]))).outcome, refusedAs("tool_not_allowed"));
  const channel = { ...of, contract: { ...of.contract, values: { channel: "Email" } } };
  const tainted = await said({ ...rules, untrusted: { channels: ["email"] }, whenTainted: { deny: ["X"] } }, channel);
  assertSubset(tainted, { kind: "deny", code: "tool_not_allowed" });
});

test("arguments: a schema that holds, one that does not, and text that is no JSON; no value is repeated", async () => {
  const schema = {
    type: "object",
    properties: { amount: { type: "number", maximum: 50 } },
    required: ["amount"],
    additionalProperties: false,
  };
  const rules = { allow: ["refund"], arguments: [{ tool: "ref*", schema }] };
  const of = offering(["refund"]);
  assertSubset((await called(rules, "refund", '{"amount":50}', of)).outcome, { kind: "pass" });
  for (const text of ['{"amount":51}', "{}", "[]", '{"amount":1,"secret-word":2}', '{"amount":1,"amount":99}', "{"]) {
    const { outcome } = await called(rules, "refund", text, of);
    assertSubset(outcome, refusedAs("tool_not_allowed"));
    assert.ok(!JSON.stringify(outcome).includes("secret-word"));
  }
});

test("arguments: whole numbers that a double cannot hold are none that a schema names, and beyond its bounds", async () => {
  const rule = (schema: object) => ({ allow: ["pay"], arguments: [{ tool: "pay", schema: { properties: { to: schema } } }] });
  const of = offering(["pay"]);
  const outcome = async (schema: object, text: string) => (await called(rule(schema), "pay", text, of)).outcome?.kind;
  const account = 9_007_199_254_740_992;
  assert.equal(await outcome({ enum: [account] }, '{"to":9007199254740993}'), "stop");
  assert.equal(await outcome({ const: 41 }, '{"to":41}'), "pass");
  assert.equal(await outcome({ type: "number", maximum: account }, '{"to":9007199254740993}'), "stop");
  assert.equal(await outcome({ type: "number", minimum: -account }, '{"to":-9007199254740993}'), "stop");
  assert.equal(await outcome({ type: "number", maximum: 1 }, '{"to":0.12345678901234567890}'), "pass");
  assert.equal(await outcome({ const: "9007199254740993" }, '{"to":"9007199254740993"}'), "pass");
  assert.equal(await outcome({ type: "number" }, '{"to":1,"other":90071992547409931}'), "pass", "of what no rule speaks");
});

test("arguments: a list keeps to no schema of members, and a bound that says no type is refused when the policy is read", async () => {
  const rule = { tool: "pay", schema: { properties: { to: { const: "me" } }, required: ["to"] } };
  const of = offering(["pay"]);
  assertSubset((await called({ allow: ["pay"], arguments: [rule] }, "pay", '{"to":"me"}', of)).outcome, { kind: "pass" });
  for (const text of ["[]", '"me"', "7", "null"])
    assertSubset((await called({ allow: ["pay"], arguments: [rule] }, "pay", text, of)).outcome, refusedAs("tool_not_allowed"));
  const read = (schema: object) =>
    accessSection.safeParse({ tools: { arguments: [{ tool: "pay", schema: { properties: { amount: schema } } }] } }).error?.issues[0]
      ?.message;
  assert.match(read({ maximum: 50 }) ?? "", /^has maximum without a type.* -> write type: number beside it$/);
  assert.match(read({ anyOf: [{ type: "string" }, { maxLength: 5 }] }) ?? "", /write type: string/);
  for (const schema of [{ type: "number", maximum: 50 }, { enum: [1, 2] }, { properties: { maximum: { type: "number" } } }])
    assert.equal(read(schema), undefined);
});

test("arguments that are a plain text: by the object that holds it, where the schema speaks of that; else as the JSON that they are", async () => {
  const judged = async (schema: object, arguments_: string, plain: ToolCall["plain"] = { key: "input" }) => {
    const verdict = await said({ allow: ["sql"], arguments: [{ tool: "sql", schema }] }, offering(["sql"]));
    const guard = verdict.kind === "allow" ? verdict.effects.find((effect) => effect.kind === "guard")?.guard : undefined;
    return guard?.judgeCall?.({
      choice: 0,
      block: 0,
      name: "sql",
      id: "c",
      arguments: arguments_,
      ...(plain === undefined ? {} : { plain }),
    }).kind;
  };
  const to = { type: "object", properties: { to: { const: "me" } } };
  assert.equal(await judged(to, '{"input":"drop everything"}'), "stop");
  assert.equal(await judged(to, '{"input":"{\\"to\\":\\"you\\"}"}'), "stop");
  assert.equal(await judged(to, '{"input":"{\\"to\\":\\"me\\"}"}'), "pass");
  const input = { properties: { input: { enum: ["SELECT 1"] } } };
  assert.equal(await judged(input, '{"input":"SELECT 1"}'), "pass");
  assert.equal(await judged(input, '{"input":"SELECT 2"}'), "stop");
  const patch = { properties: { path: { const: "notes.txt" } } };
  assert.equal(await judged(patch, '{"path":"notes.txt","diff":"+x"}', { key: "diff", beside: {} }), "pass");
  assert.equal(await judged(patch, '{"path":"other.txt","diff":"+x"}', { key: "diff", beside: {} }), "stop");
});

test("a call that is not allowed may be removed instead, and the record says why", async () => {
  const rules = { allow: ["get"], onDeniedCall: "remove", arguments: [{ tool: "get", schema: { required: ["id"] } }] };
  for (const [name, text] of [
    ["drop", "{}"],
    ["get", "{}"],
    ["get", "{"],
  ] as const) {
    const { outcome, evidence } = await called(rules, name, text, offering(["get"]));
    assertSubset(outcome, { kind: "remove", stop: { kind: "filtered", denial: { code: "tool_not_allowed" } } });
    assertSubset(evidence, { verdict: "deny", denial: { code: "tool_not_allowed" }, evidence: { found: [{ action: "remove" }] } });
  }
  assertSubset((await called(rules, "get", '{"id":1}', offering(["get"]))).outcome, { kind: "pass" });
});

test("arguments: as much as is checked passes a rule, more is refused", async () => {
  const rules = { allow: ["refund"], arguments: [{ tool: "refund", schema: {} }] };
  const of = offering(["refund"]);
  const sized = (chars: number): string => `"${"x".repeat(chars - 2)}"`;
  const listed = (values: number): string => `[${"0,".repeat(values - 2)}0]`;
  for (const text of [sized(CALL_CHARS_MAX), listed(CALL_VALUES_MAX)])
    assertSubset((await called(rules, "refund", text, of)).outcome, { kind: "pass" });
  for (const text of [sized(CALL_CHARS_MAX + 1), listed(CALL_VALUES_MAX + 1)]) {
    const { outcome } = await called(rules, "refund", text, of);
    assertSubset(outcome, {
      ...refusedAs("tool_not_allowed"),
      stop: { denial: { detail: "~refund .*1048576 characters, 10000 values" } },
    });
  }
});

test("approval: a grant lets the call pass; without one the answer ends with the id; the policy and the very arguments are named", async () => {
  const rules = { approve: ["refund"] };
  const granted = store();
  const text = '{ "b": 2, "a": 1 }';
  assertSubset((await called(rules, "refund", text, offering(["refund"], { stores: { approvals: granted } }))).outcome, { kind: "pass" });
  assertSubset(granted.claims, [{ tenant: "acme", app: "bot", tool: "refund", arguments: '{"a":1,"b":2}', policyHash: "0".repeat(64) }]);
  const waiting = store(NONE);
  const { outcome } = await called(rules, "refund", text, offering(["refund"], { stores: { approvals: waiting } }));
  assertSubset(outcome, refusedAs("approval_required"));
  assert.ok(JSON.stringify(outcome).includes('apr_{\\"a\\":1'));
  const no = store({ kind: "rejected", id: "apr_8" });
  assertSubset(
    (await called(rules, "refund", text, offering(["refund"], { stores: { approvals: no } }))).outcome,
    refusedAs("tool_not_allowed"),
  );
  assertSubset((await called(rules, "refund", text, offering(["refund"]))).outcome, refusedAs("store_unavailable"));
});

test("approval: arguments longer than people are shown are refused without being asked about, whatever blanks stand in them", async () => {
  const of = (approvals: Store) => offering(["refund"], { stores: { approvals } });
  const sized = (bytes: number) => `{"a":"${"é".repeat((bytes - 8) / 2)}"}`;
  const asked = store(NONE);
  assertSubset(
    (await called({ approve: ["refund"] }, "refund", ` ${sized(APPROVAL_ARGUMENTS_BYTES_MAX)} `, of(asked))).outcome,
    refusedAs("approval_required"),
  );
  assert.deepEqual(
    asked.asked.map((call) => Buffer.byteLength(call.arguments)),
    [APPROVAL_ARGUMENTS_BYTES_MAX],
  );
  const by = { allow: ["refund"], arguments: [{ tool: "refund", schema: { required: ["amount"] }, otherwise: "approve" }] };
  for (const rules of [{ approve: ["refund"] }, by]) {
    const unasked = store();
    const { outcome, evidence } = await called(rules, "refund", sized(APPROVAL_ARGUMENTS_BYTES_MAX + 2), of(unasked));
    assertSubset(outcome, { ...refusedAs("tool_not_allowed"), stop: { denial: { detail: "~refund.* 65536 bytes" } } });
    assertSubset(evidence, { verdict: "deny", evidence: { found: [{ entity: "tool_call", action: "refuse", count: 1 }] } });
    assert.deepEqual([unasked.claims, unasked.asked], [[], []]);
  }
});

test("approval by arguments: within bounds it passes, beyond them people are asked", async () => {
  const schema = { properties: { amount: { type: "number", maximum: 50 } } };
  const rules = { allow: ["refund"], arguments: [{ tool: "refund", schema, otherwise: "approve" }] };
  const of = offering(["refund"], { stores: { approvals: store(NONE) } });
  assertSubset((await called(rules, "refund", '{"amount":50}', of)).outcome, { kind: "pass" });
  assertSubset((await called(rules, "refund", '{"amount":51}', of)).outcome, refusedAs("approval_required"));
});

const KEYED = { exchange: { ...context().exchange, idempotencyKey: "try-1", requestDigest: "d1" } };
const WHOLE = { contentType: "text/plain", body: Buffer.from("whole") };
async function guardOf(tools: object, of: StageContext): Promise<AnswerGuard> {
  const guard = (await said(tools, of)).effects?.find((effect) => effect.kind === "guard")?.guard;
  assert.ok(guard !== undefined);
  return guard;
}
const callOf = (name: string, block: number, text: string): ToolCall => ({ choice: 0, block, name, id: "c", arguments: text });

test("with an idempotency key the whole answer is kept, and given once it is approved", async () => {
  const waiting = store(NONE);
  const guard = await guardOf({ approve: ["refund"] }, offering(["refund"], { ...KEYED, stores: { approvals: waiting } }));
  const first = guard.judgeCall?.(callOf("refund", 0, "{}"));
  assert.ok(first?.kind === "withhold");
  assertSubset(first.end(WHOLE), { stop: { kind: "refuse", denial: { code: "approval_required" } }, kept: true });
  assert.deepEqual(waiting.kept, ["apr_{} whole"]);
  const given = store(undefined, { kind: "answer", id: "apr_7", answer: WHOLE });
  assertSubset(await said({ approve: ["refund"] }, offering(["refund"], { ...KEYED, stores: { approvals: given } })), {
    kind: "answer",
    whole: WHOLE,
    reason: "approved: apr_7",
  });
  const still = store(undefined, { kind: "pending", ids: ["apr_7", "apr_8"] });
  assertSubset(await said({ approve: ["refund"] }, offering(["refund"], { ...KEYED, stores: { approvals: still } })), {
    kind: "deny",
    code: "approval_required",
    detail: "~apr_7, apr_8",
  });
});

test("people are asked about all calls of an answer at once, and the caller learns each id; an answer that makes a call twice is not kept", async () => {
  for (const [texts, expected, named] of [
    [["{}", '{"n":1}'], ['apr_{} apr_{"n":1} whole'], 'apr_{}, apr_{"n":1}'],
    [["{}", "{}"], [], "approval apr_{}."],
  ] as const) {
    const approvals = store(NONE);
    const guard = await guardOf({ approve: ["refund"] }, offering(["refund"], { ...KEYED, stores: { approvals } }));
    const [first] = texts.map((text, block) => guard.judgeCall?.(callOf("refund", block, text)));
    assert.ok(first?.kind === "withhold");
    assert.deepEqual(approvals.asked, [], "before the answer's end nobody is");
    const { stop, kept } = first.end(WHOLE);
    assert.ok(stop.denial.detail?.includes(named), stop.denial.detail ?? "no detail");
    assert.deepEqual([approvals.kept, kept, approvals.asked.length], [expected, expected.length > 0, 2]);
    assertSubset(guard.evidence(), { denial: { code: "approval_required", detail: stop.denial.detail ?? "" } });
  }
});

test("where another call of the answer is refused nobody is asked, and the record has both", async () => {
  const rules = { allow: ["look"], approve: ["refund"], arguments: [{ tool: "look", schema: { required: ["city"] } }] };
  for (const refused of [callOf("look", 1, "{}"), callOf("wipe", 1, "{}")]) {
    const approvals = store(NONE);
    const guard = await guardOf(rules, offering(["refund", "look"], { stores: { approvals } }));
    assert.equal(guard.judgeCall?.(callOf("refund", 0, "{}")).kind, "withhold");
    assertSubset(guard.judgeCall?.(refused), refusedAs("tool_not_allowed"));
    assertSubset(guard.evidence(), {
      denial: { code: "tool_not_allowed" },
      evidence: { found: [{ action: "wait" }, { action: "refuse" }] },
    });
    assert.deepEqual(approvals.asked, []);
  }
});

test("offers: what is not allowed is refused, or taken out where the policy says so and the choice does not demand it", async () => {
  assertSubset(await said({ allow: ["get"] }, offering(["get", "shell"])), { kind: "deny", code: "tool_not_allowed" });
  const removed = await said({ allow: ["get"], onDenied: "remove" }, offering(["get", "shell"]));
  assert.equal(removed.kind, "allow");
  assert.equal(removed.effects?.find((effect) => effect.kind === "change")?.change.dropTools?.length, 1);
  const forced = offering([], { request: context({ view: view({ tools: [tool("shell"), tool("shell", "forced")] }) }).request });
  assertSubset(await said({ onDenied: "remove" }, forced), { kind: "deny", code: "tool_not_allowed" });
});

test("taint: by declaration, channel, tool and conversation; high-risk tools then go or need approval", async () => {
  const rules = {
    allow: ["*"],
    onDenied: "remove",
    untrusted: { tools: ["web_*"], channels: ["email"] },
    whenTainted: { deny: ["shell"], approve: ["send_mail"] },
  };
  const marksOf = (verdict: Verdict) => verdict.effects?.find((effect) => effect.kind === "mark")?.mark.tainted;
  const clean = offering(["shell", "send_mail"]);
  assert.equal(marksOf(await said(rules, clean)), undefined);
  const declared = { ...clean, contract: { ...clean.contract, values: { untrusted: "true" } } };
  const verdict = await said(rules, declared);
  assert.deepEqual(marksOf(verdict), ["declared"]);
  assert.equal(verdict.effects?.find((effect) => effect.kind === "change")?.change.dropTools?.length, 1);
  assertSubset((await called(rules, "shell", "{}", declared)).outcome, refusedAs("tool_not_allowed"));
  const asked = { ...declared, stores: { approvals: store(NONE) } };
  assertSubset((await called(rules, "send_mail", "{}", asked)).outcome, refusedAs("approval_required"));
  const channel = { ...clean, contract: { ...clean.contract, values: { channel: "email" } } };
  assert.deepEqual(marksOf(await said(rules, channel)), ["channel:email"]);
  const results = (...names: (string | undefined)[]) => ({
    ...context({ models, view: view({ tools: [tool("shell")], toolResults: () => names.map((name) => ({ tool: name })) }) }),
  });
  assert.deepEqual(marksOf(await said(rules, results("web_search", "web_search", "clock"))), ["tool:web_search"]);
  assert.deepEqual(marksOf(await said(rules, results(undefined))), ["tool"]);
  assert.equal(marksOf(await said(rules, results("clock"))), undefined);
});

test("taint by allow-lists: of tools, of the hosts of what a request names by address", async () => {
  const marksOf = (verdict: Verdict) => verdict.effects?.find((effect) => effect.kind === "mark")?.mark.tainted;
  const results = (...names: string[]) =>
    context({ models, view: view({ tools: [tool("shell")], toolResults: () => names.map((name) => ({ tool: name })) }) });
  const byTool = { allow: ["*"], untrusted: { tools: ["*"], exceptTools: ["crm_*", "clock"] }, whenTainted: { deny: ["shell"] } };
  assert.equal(marksOf(await said(byTool, results("clock", "crm_read"))), undefined);
  assert.deepEqual(marksOf(await said(byTool, results("clock", "web_search"))), ["tool:web_search"]);
  const exact = { ...byTool, untrusted: { tools: ["crm_mail"], exceptTools: ["*"] } };
  assert.deepEqual(marksOf(await said(exact, results("crm_mail"))), ["tool:crm_mail"], "the more specific of the two decides");
  assert.equal(marksOf(await said(exact, results("web_search"))), undefined);

  const bySource = {
    allow: ["*"],
    untrusted: { sources: { allow: ["docs.acme.example", "*.cdn.example"] } },
    onDenied: "remove",
    whenTainted: { deny: ["shell"] },
  };
  const naming = (...addresses: string[]) =>
    context({
      models,
      view: view({ tools: [tool("shell")], texts: () => [text("https://elsewhere.example"), ...addresses.map((at) => text(at, "url"))] }),
    });
  const table: readonly (readonly [address: string, tainted: boolean])[] = [
    ["https://docs.acme.example/guide.pdf", false],
    ["https://DOCS.acme.example.:8443/guide.pdf", false],
    ["https://a.b.cdn.example/x.png", false],
    ["data:text/plain,hello", false],
    ["https://cdn.example/x.png", true],
    ["https://docs.acme.example@evil.example/", true],
    ["https://evil.example/?u=docs.acme.example", true],
    ["gs://bucket/file", true],
    ["the handbook", true],
  ];
  for (const [address, tainted] of table)
    assert.deepEqual(marksOf(await said(bySource, naming(address))), tainted ? ["source"] : undefined, address);
  assert.equal(marksOf(await said(bySource, naming())), undefined, "an address in a text is no source");
  const verdict = await said(bySource, naming("https://evil.example/"));
  assert.equal(verdict.effects?.find((effect) => effect.kind === "change")?.change.dropTools?.length, 1);
});

test("a conversation stays tainted after the call that tainted it", async () => {
  const rules = { allow: ["*"], untrusted: { channels: ["email"] }, whenTainted: { approve: ["shell"] } };
  const approvals = store();
  const talk = (values: object) => ({ ...offering(["shell"]), stores: { approvals }, contract: { values, unknown: [], problems: [] } });
  assertSubset(await said(rules, talk({ conversation: "c1" })), { kind: "allow" });
  assert.equal(approvals.tainted.size, 0);
  await said(rules, talk({ conversation: "c1", channel: "email" }));
  assert.deepEqual([...approvals.tainted], ["acme c1"]);
  const later = await said(rules, talk({ conversation: "c1" }));
  assert.deepEqual(later.effects?.find((effect) => effect.kind === "mark")?.mark.tainted, ["conversation"]);
});

test("what the provider's own tool found taints the calls behind it in the answer, and the conversation", async () => {
  const rules = { allow: ["*"], untrusted: { tools: ["web_*", "wiki"] }, whenTainted: { deny: ["pay"] } };
  const approvals = store();
  const of = (kind: ToolRef["kind"], name: string): StageContext => ({
    ...context({ models, view: view({ tools: [tool("pay"), tool("web_page"), { ...tool(name), kind }] }) }),
    contract: { ...context().contract, values: { conversation: "c1" } },
    stores: { approvals },
  });
  const calls = async (kind: ToolRef["kind"], offered: string, names: readonly string[]) => {
    const guard = (await said(rules, of(kind, offered))).effects?.find((effect) => effect.kind === "guard")?.guard;
    return { judged: names.map((name) => guard?.judgesCall?.(name)), taints: guard?.taints?.() };
  };
  // The caller's own function brings its result in a later request.
  assert.deepEqual(await calls("provider", "web_search", ["web_page", "pay"]), { judged: [false, false], taints: false });
  assert.deepEqual(await calls("provider", "code", ["code", "pay"]), { judged: [false, false], taints: false });
  assert.equal(approvals.tainted.size, 0);
  assert.deepEqual(await calls("provider", "web_search", ["web_search", "pay"]), { judged: [false, true], taints: true });
  assert.deepEqual([...approvals.tainted], ["acme c1"]);
  approvals.tainted.clear();
  assert.deepEqual(await calls("server", "wiki", ["read_page", "pay"]), { judged: [false, true], taints: true });
  assert.deepEqual([...approvals.tainted], ["acme c1"]);
});

test("what a later stage finds in the request taints the conversation, also of a call without tools", async () => {
  const rules = { allow: ["*"], untrusted: { channels: ["email"] }, whenTainted: { deny: ["pay"] } };
  const approvals = store();
  const of = { ...offering([]), contract: { ...context().contract, values: { conversation: "c1" } }, stores: { approvals } };
  const guard = (await said(rules, of)).effects?.find((effect) => effect.kind === "guard")?.guard;
  guard?.begin?.({});
  assert.equal(approvals.tainted.size, 0);
  guard?.begin?.({ tainted: ["tool_result"] });
  assert.deepEqual([...approvals.tainted], ["acme c1"]);
});

test("what a later stage finds in the request taints the calls of its answer", async () => {
  const rules = { allow: ["*"], whenTainted: { deny: ["shell"] } };
  const verdict = await said(rules, offering(["shell", "clock"]));
  const guard = verdict.effects?.find((effect) => effect.kind === "guard")?.guard;
  assert.equal(guard?.judgesCall?.("shell"), false);
  guard?.begin?.({ tainted: ["user"] });
  assert.deepEqual([guard?.judgesCall?.("shell"), guard?.judgesCall?.("clock")], [true, false]);
  assertSubset(guard?.judgeCall?.({ choice: 0, block: 0, name: "shell", id: "c1", arguments: "{}" }), refusedAs("tool_not_allowed"));
});

test("a conversation whose mark cannot be written is a fault: later calls in it would not know", async () => {
  const approvals: ApprovalsPort = { ...store(), taint: () => ({ ok: false, error: { code: "unavailable" } }) };
  const of = { ...offering(["clock"]), stores: { approvals } };
  const contract = { values: { conversation: "c1" }, unknown: [], problems: [] };
  const tools = { allow: ["*"], untrusted: { tools: ["web_*"] }, whenTainted: { deny: ["shell"] } };
  const declared = { ...contract, values: { ...contract.values, untrusted: "true" } };
  const gathered = await decideWith(accessStage, { models: ["*"], tools }, { ...of, contract: declared });
  assert.deepEqual(gathered, { ok: false, error: { code: "unavailable" } });
  const verdict = await said(tools, { ...of, contract });
  const guard = verdict.kind === "allow" ? verdict.effects.find((effect) => effect.kind === "guard")?.guard : undefined;
  assert.equal(guard?.judgesCall?.("web_search"), true);
  assertSubset(guard?.judgeCall?.({ choice: 0, block: 0, name: "web_search", id: "c1", arguments: "{}" }), refusedAs("store_unavailable"));
  const later = await said(tools, { ...of, contract });
  const other = later.kind === "allow" ? later.effects.find((effect) => effect.kind === "guard")?.guard : undefined;
  assert.equal(other?.begin?.({ tainted: ["tool_result"] }), "fault");
});

test("remote tool servers on other hosts are as tools that are not allowed, whatever their label; what is known by it goes too", async () => {
  const server = (name: string, url?: string): ToolRef => ({
    name,
    kind: "server",
    use: "offered",
    node: { ...at },
    ...(url === undefined ? {} : { url }),
  });
  const of = (...tools: readonly ToolRef[]) => ({ ...context({ models, view: view({ tools }) }) });
  const tools = { allow: ["*"], servers: { allow: ["mcp.acme.example"] } };
  assertSubset(await said(tools, of(server("search_kb", "https://mcp.acme.example/sse"), server("drive"))), { kind: "allow" });
  for (const url of [
    "https://evil.example/",
    "https://mcp.acme.example@evil.example/",
    "mcp.acme.example",
    "https://mcp.acme.example.evil.example/",
  ])
    assertSubset(await said(tools, of(server("search_kb", url))), {
      kind: "deny",
      code: "tool_not_allowed",
      detail: "The server search_kb is on a host that is not allowed for this use case.",
    });
  // Anthropic names the server apart from its tools.
  const verdict = await said(
    { ...tools, onDenied: "remove" },
    of(server("a"), server("a", "https://evil.example/"), tool("a"), server("b")),
  );
  assert.equal(verdict.effects?.find((effect) => effect.kind === "change")?.change.dropTools?.length, 2);
  assertSubset(await said({ allow: ["*"] }, of(server("search_kb", "https://evil.example/"))), { kind: "allow" });
});

test("a call that is offered by another name: its own name where a list names it, else the offer's; tainted exchanges lose it by either", async () => {
  const github: ToolRef = { name: "github", kind: "server", use: "offered", node: at };
  const of = (more: object = {}) => ({
    ...context({ models, view: view({ tools: [github] }) }),
    contract: { values: more, unknown: [], problems: [] },
  });
  const waits = async (tools: object, more: object = {}): Promise<string | undefined> => {
    const verdict = await said(tools, of(more));
    const guard = verdict.kind === "allow" ? verdict.effects.find((effect) => effect.kind === "guard")?.guard : undefined;
    if (guard?.judgesCall?.("create_issue", "github") !== true) return guard === undefined ? "refused" : "pass";
    const call = { choice: 0, block: 0, name: "create_issue", id: "c", arguments: "{}", offeredAs: "github" };
    const outcome = guard.foreseeCall?.(call);
    return outcome?.kind === "stop" ? outcome.stop.denial.code : outcome?.kind;
  };
  assert.equal(await waits({ allow: ["github"] }), "pass");
  assert.equal(await waits({ allow: ["github"], deny: ["*"] }), "pass");
  assert.equal(await waits({ allow: ["*"], deny: ["create_*"] }), "tool_not_allowed");
  assert.equal(await waits({ allow: ["github"], approve: ["create_issue"] }), "approval_required");
  const tainted = { untrusted: "true" };
  assert.equal(await waits({ allow: ["github", "create_issue"], whenTainted: { approve: ["github"] } }, tainted), "approval_required");
  assert.equal(await waits({ allow: ["github"], whenTainted: { approve: ["create_issue"] } }, tainted), "approval_required");
  assert.equal(await waits({ allow: ["github"], whenTainted: { deny: ["create_issue"] } }, tainted), "tool_not_allowed");
  assert.equal(await waits({ allow: ["github"], whenTainted: { deny: ["github"] } }, tainted), "refused");
});
