import assert from "node:assert/strict";
import { test } from "node:test";
import { context, decideWith, model, provider, target, view } from "../../../test/support/context.ts";
import { testKeyring } from "../../../test/support/keyring.ts";
import { assertSubset } from "../../../test/support/subset.ts";
import { parseJson } from "../../core/json.ts";
import { ok } from "../../core/result.ts";
import type { CreatedState, StateOwner, StatePlace } from "../../core/state.ts";
import { familyOfAny } from "../../core/tokens/families.ts";
import { requestTokens } from "../../core/tokens/request.ts";
import type { ProviderStateRef } from "../../core/view.ts";
import { accessStage } from "./stage.ts";

const openai = provider("openai", "openai");
const gpt = model("gpt", [target(openai, "gpt")], "gpt-family");
const other = model("other", [target(openai, "other")], "gpt-family");
const models = [gpt, other];
const text = (value: string) => {
  const doc = parseJson(Buffer.from(JSON.stringify(value)));
  if (!doc.ok || doc.value.root.kind !== "string") throw new Error("no string");
  return { place: "user", node: doc.value.root } as const;
};
const tool = (name: string, use: "offered" | "forced" = "offered") => ({ name, use, kind: "function" as const, node: text(name).node });
const only = (...names: string[]) => ({
  kind: "allow",
  effects: [{ kind: "candidates", candidates: names.map((name) => ({ model: { name } })) }],
});
const denied = (code: string, detail = "") => ({ kind: "deny", code, detail: `~${detail}` });
const all = { models: ["*"], tools: { allow: ["*"] } };
const LONG = view({ texts: () => [text("word ".repeat(20_000))] });
/** Tokens of it, counted in one piece. */
const WHOLE = requestTokens(LONG, familyOfAny(["gpt", LONG.model]), undefined);

const table = [
  ["a model by name", { models: ["gpt"] }, context({ models }), only("gpt")],
  ["nothing is allowed unless said", {}, context({ models }), denied("model_not_allowed")],
  ["a model that does not exist", { models: ["*"] }, context({ models, view: view({ model: "nope" }) }), denied("model_not_allowed")],
  ["a family by name", { families: ["gpt-family"] }, context({ models, view: view({ model: "family:gpt-family" }) }), only("gpt", "other")],
  [
    "a family holds only what is allowed",
    { models: ["other"] },
    context({ models, view: view({ model: "family:gpt-family" }) }),
    only("other"),
  ],
  [
    "a tier brings its models",
    { tiers: ["cheap"] },
    context({ models, tiers: { cheap: ["other"] }, view: view({ model: "tier:cheap" }) }),
    only("other"),
  ],
  [
    "a tier that is not allowed",
    { models: ["*"] },
    context({ models, tiers: { cheap: ["other"] }, view: view({ model: "tier:cheap" }) }),
    denied("model_not_allowed"),
  ],
  ["a tier that does not exist", all, context({ models, view: view({ model: "tier:best" }) }), denied("model_not_allowed")],
  ["no model at all", all, context({ models, view: view({ model: undefined }) }), denied("invalid_request")],
  ["an operation", { ...all, operations: ["embed"] }, context({ models }), denied("forbidden", "chat")],
  ["a tool", { models: ["*"] }, context({ models, view: view({ tools: [tool("shell")] }) }), denied("tool_not_allowed", "shell")],
  [
    "a forced tool",
    { models: ["*"], tools: { allow: ["get"] } },
    context({ models, view: view({ tools: [tool("get"), tool("shell", "forced")] }) }),
    denied("tool_not_allowed", "shell"),
  ],
  [
    "all tools but one",
    { models: ["*"], tools: { allow: ["*"], deny: ["shell"] } },
    context({ models, view: view({ tools: [tool("shell")] }) }),
    denied("tool_not_allowed"),
  ],
  [
    "a tool's name that is no name is not repeated",
    { models: ["*"] },
    context({ models, view: view({ tools: [tool("<b>my secret</b>")] }) }),
    denied("tool_not_allowed", "^The tool is not"),
  ],
  ["bytes", { ...all, inputBytesMax: 99 }, context({ models, bodyBytes: 100 }), denied("input_too_large", "100.*99")],
  [
    "tokens: the body is small enough to need no look",
    { ...all, inputTokensMax: 100 },
    context({ models, bodyBytes: 100, view: view({ texts: () => [text("x".repeat(500))] }) }),
    only("gpt"),
  ],
  [
    "tokens: the texts are too large",
    { ...all, inputTokensMax: 100 },
    context({ models, bodyBytes: 700, view: view({ texts: () => [text("word ".repeat(140))] }) }),
    denied("input_too_large", "[0-9]+ tokens; 100"),
  ],
  [
    "tokens: a long text is counted no further than it takes to refuse it",
    { ...all, inputTokensMax: 1_000 },
    context({ models, bodyBytes: 20_000_000, view: view({ texts: () => [text("word ".repeat(4_000_000))] }) }),
    denied("input_too_large", "more than [0-9]{4} tokens; 1000"),
  ],
  [
    "tokens: a long text that is not far over is counted whole",
    { ...all, inputTokensMax: WHOLE - 10 },
    context({ models, bodyBytes: 100_000, view: LONG }),
    denied("input_too_large", `about ${WHOLE} tokens; ${WHOLE - 10}`),
  ],
  [
    "tokens: a long text that fits",
    { ...all, inputTokensMax: WHOLE + 10 },
    context({ models, bodyBytes: 100_000, view: LONG }),
    only("gpt"),
  ],
  [
    "tokens: more bytes than the limit, and fewer tokens",
    { ...all, inputTokensMax: 100 },
    context({ models, bodyBytes: 400, view: view({ texts: () => [text("word ".repeat(70))] }) }),
    only("gpt"),
  ],
  [
    "tokens: the model that makes most of the text counts",
    { ...all, inputTokensMax: 100 },
    context({
      models: [model("gpt", [target(openai, "gpt-4o"), target(openai, "claude-opus-4-8")])],
      bodyBytes: 500,
      view: view({ texts: () => [text("word ".repeat(85))] }),
    }),
    denied("input_too_large", "12[0-9] tokens; 100"),
  ],
  [
    "tokens: exact where there is a tokenizer",
    { ...all, inputTokensMax: 100 },
    context({
      models: [model("gpt", [target(openai, "gpt-4o")])],
      bodyBytes: 500,
      view: view({ texts: () => [text("word ".repeat(85))] }),
      stores: { tokens: { prepare: () => {}, count: () => 123 } },
    }),
    denied("input_too_large", "123 tokens; 100"),
  ],
  [
    "state at the provider where the policy denies it",
    { ...all, providerState: "deny" },
    context({ models, view: view({ providerState: [{ kind: "file", node: undefined }] }) }),
    denied("forbidden", "file"),
  ],
  [
    "an answer that the provider would keep, where the policy denies it",
    { ...all, providerState: "deny" },
    context({ models, view: view({ providerState: [{ kind: "store", node: undefined }] }) }),
    denied("forbidden", "store: false"),
  ],
  [
    "an answer that the provider keeps is the caller's own",
    all,
    context({ models, view: view({ providerState: [{ kind: "store", node: undefined }] }) }),
    only("gpt"),
  ],
  [
    "state at the provider where the policy allows it",
    { ...all, providerState: "allow" },
    context({ models, view: view({ providerState: [{ kind: "file", node: undefined }] }) }),
    only("gpt"),
  ],
] as const;
for (const [name, section, of, expected] of table) test(name, () => assertSubset(decideWith(accessStage, section, of), expected));

test("a list shows what may be used, and nothing else", () => {
  const of = context({ models, view: undefined, surface: { name: "openai.models", dialect: "openai", operation: "list" } });
  assertSubset(decideWith(accessStage, { models: ["other"] }, of), only("other"));
});

const azure = provider("azure", "openai");
const both = model("both", [target(openai, "both"), target(azure, "both")]);
const homes: Readonly<Record<string, StatePlace>> = {
  resp_1: { provider: "azure", model: "both", providerModel: "both" },
  cntr_1: { provider: "azure", model: "both", providerModel: "both" },
  file_1: { provider: "openai", model: "both", providerModel: "both" },
  resp_gone: { provider: "gone", model: "both", providerModel: "both" },
  resp_old: { provider: "azure", model: "retired", providerModel: "retired-1" },
};
const stores = {
  state: {
    find: async (owner: StateOwner, things: readonly CreatedState[]) =>
      ok(things.map(({ id }) => (owner.tenant === "acme" && owner.app === "bot" ? homes[id] : undefined))),
  },
};
const catalog = {
  providers: new Map([
    ["openai", openai],
    ["azure", azure],
  ]),
  models: new Map([["both", both]]),
  tiers: new Map(),
};
const refs = (...references: ProviderStateRef[]) => ({
  ...context({ view: view({ model: "both", providerState: references }) }),
  catalog,
  stores,
});
const to = (kind: ProviderStateRef["kind"], id: string): ProviderStateRef => ({ kind, node: undefined, id });
const subject = (id: string) => {
  const of = refs({ kind: "previous_response", node: undefined, id, subject: true });
  return of.request === undefined ? of : { ...of, request: { ...of.request, view: { ...of.request.view, model: undefined } } };
};
const at = (name: string, as: string, by: string) => ({
  ok: true,
  value: {
    kind: "allow",
    effects: [
      // What is kept may hold calls.
      { kind: "guard" },
      { kind: "candidates", candidates: [{ model: { name, targets: [{ model: as, provider: { name: by } }] } }] },
      { kind: "home", choice: { model: { targets: [{ provider: { name: by } }] } } },
    ],
  },
});
test("a response that the provider keeps brings its taint and class along", async () => {
  const sealed = Buffer.from('{"tainted":true,"dataClass":"restricted"}');
  const place = { provider: "azure", model: "both", providerModel: "both", note: sealed };
  const of = { ...refs(to("previous_response", "resp_1")), stores: { keyring: testKeyring(), state: { find: async () => ok([place]) } } };
  const effects = async (tools: object) => {
    const said = await decideWith(accessStage, { models: ["*"], tools }, of);
    assert.ok("ok" in said && said.ok && said.value.kind === "allow");
    return said.value.effects.flatMap((effect) => (effect.kind === "mark" ? [effect.mark] : []));
  };
  assert.deepEqual(await effects({ whenTainted: { deny: ["pay"] } }), [{ tainted: ["conversation"] }, { dataClass: "restricted" }]);
  assert.deepEqual(await effects({}), [{ dataClass: "restricted" }]);
});

const no = (code: string, detail: string) => ({ ok: true, value: denied(code, detail) });
const stateTable = [
  ["a reference to the app's own goes where it is kept", {}, refs(to("previous_response", "resp_1")), at("both", "both", "azure")],
  ["two things at one provider", {}, refs(to("previous_response", "resp_1"), to("container", "cntr_1")), at("both", "both", "azure")],
  ["things at two providers", {}, refs(to("previous_response", "resp_1"), to("file", "file_1")), no("forbidden", "different providers")],
  ["what nobody made", {}, refs(to("previous_response", "resp_x")), no("forbidden", "previous response. that this app did not make")],
  [
    "what another app made, in the same words",
    {},
    { ...refs(to("previous_response", "resp_1")), principal: { ...context().principal, app: "other" } },
    no("forbidden", "previous response. that this app did not make"),
  ],
  ["one of several is not the app's", {}, refs(to("container", "cntr_1"), to("file", "file_x")), no("forbidden", "file")],
  ["a provider that no longer serves the model", {}, refs(to("previous_response", "resp_gone")), no("no_target", "kept")],
  ["a call about one thing goes to it", {}, subject("resp_1"), at("both", "both", "azure")],
  ["a call about a thing whose model is gone", {}, subject("resp_old"), at("retired", "retired-1", "azure")],
  ["a call about a thing whose provider is gone", {}, subject("resp_gone"), no("no_target", "no longer")],
  ["a call about another's thing", {}, subject("resp_x"), no("forbidden", "did not make")],
  ["unknown, where any reference is allowed", { providerState: "allow" }, refs(to("file", "file_x")), { ok: true, value: only("both") }],
  [
    "known, where any reference is allowed",
    { providerState: "allow" },
    refs(to("previous_response", "resp_1")),
    at("both", "both", "azure"),
  ],
] as const;
for (const [name, section, of, expected] of stateTable)
  test(`state: ${name}`, async () => assertSubset(await decideWith(accessStage, { models: ["*"], ...section }, of), expected));

test("state: without a store references are the stage's fault, and requests without any never ask", async () => {
  const of = { ...refs(to("file", "file_1")), stores: {} };
  assertSubset(await decideWith(accessStage, all, of), { ok: false, error: { code: "unavailable" } });
  assertSubset(decideWith(accessStage, all, refs()), { kind: "allow" });
});
test("state: too many references", () => {
  const of = refs(...Array.from({ length: 1001 }, (_, index) => to("item", `i_${index}`)));
  assertSubset(decideWith(accessStage, all, of), denied("forbidden", "more than 1000"));
});
