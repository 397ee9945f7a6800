import { test } from "node:test";
import { context, decideWith } from "../../../test/support/context.ts";
import { assertSubset } from "../../../test/support/subset.ts";
import { contractStage } from "./stage.ts";

const says = (values: Record<string, string>, more: { unknown?: string[]; problems?: string[]; useCase?: string | undefined } = {}) =>
  context({
    contract: { values, unknown: more.unknown ?? [], problems: more.problems ?? [] },
    ...("useCase" in more ? { useCase: more.useCase } : {}),
  });
const refused = (about: string) => ({ kind: "deny", code: "contract_violation", detail: `~${about}` });

const table = [
  ["nothing said", {}, says({}), { kind: "allow" }],
  ["a malformed field", {}, says({}, { problems: ["x-ai-max-tokens must be a whole number"] }), refused("x-ai-max-tokens")],
  ["a required field", { user: "required" }, says({}), refused("x-ai-user is required")],
  ["a required field that is there", { user: "required" }, says({ user: "u" }), { kind: "allow" }],
  ["a forbidden field", { channel: "forbidden" }, says({ channel: "web" }), refused("x-ai-channel must not")],
  ["the credential's own tenant is no claim", { tenant: "forbidden" }, says({ tenant: "acme" }), { kind: "allow" }],
  ["unknown fields are ignored", {}, says({}, { unknown: ["x-ai-colour"] }), { kind: "allow" }],
  [
    "unknown fields where the policy is strict",
    { strict: true },
    says({}, { unknown: ["x-ai-colour"] }),
    refused("x-ai-colour.*x-ai-use-case"),
  ],
  ["a limit that nothing keeps", {}, says({ retention: "none" }), refused("x-ai-retention is not supported")],
  ["no use case at all", {}, says({}, { useCase: undefined }), refused("x-ai-use-case")],
] as const;
for (const [name, section, of, expected] of table) test(name, () => assertSubset(decideWith(contractStage, section, of), expected));
