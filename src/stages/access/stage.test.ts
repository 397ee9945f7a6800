import { test } from "node:test";
import { context, decideWith, model, provider, target, view } from "../../../test/support/context.ts";
import { assertSubset } from "../../../test/support/subset.ts";
import { parseJson } from "../../core/json.ts";
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
    context({ models, bodyBytes: 700, view: view({ texts: () => [text("ä".repeat(60))] }) }),
    denied("input_too_large", "120.*100"),
  ],
  [
    "state at the provider",
    all,
    context({ models, view: view({ providerState: [{ kind: "file", node: undefined }] }) }),
    denied("forbidden", "file"),
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
