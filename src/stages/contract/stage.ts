import { CONTRACT_FIELD_NAMES, CONTRACT_FIELDS, type ContractField } from "../../core/contract.ts";
import { memoized } from "../../core/memo.ts";
import { ALLOW, defineStage, type StageContext, type Verdict } from "../../core/stage.ts";
import { type ContractSection, contractSection } from "./section.ts";

/**
 * Limits that a caller may name but no stage of this version keeps. To accept one and not keep it would break the caller's
 * trust, so the call is refused.
 */
const NOT_KEPT: readonly ContractField[] = ["retention"];

const deny = (detail: string): Verdict => ({ kind: "deny", code: "contract_violation", detail });

/** The fields that a section does not leave to the caller. */
const ruled = memoized((section: ContractSection) =>
  CONTRACT_FIELD_NAMES.flatMap((field) => {
    const rule = field === "contract" ? "optional" : section[field];
    return rule === "optional" ? [] : [{ field, rule }];
  }),
);

/** Judges the fields of the caller's contract: known, well formed, required, forbidden, kept. */
function decide(context: StageContext, section: ContractSection): Verdict {
  const { values, unknown, problems } = context.contract;
  const [problem] = problems;
  if (problem !== undefined) return deny(`Contract: ${problem}${problem.endsWith("?") ? "" : "."}`);
  const version = values.contract ?? "1";
  if (!section.versions.some((allowed) => allowed === version))
    return deny(`Contract: version ${version} is not accepted here; accepted are ${section.versions.join(", ")}.`);
  if (section.strict && unknown.length > 0)
    return deny(
      `Contract: ${unknown.join(", ")} is not known. Known are ${CONTRACT_FIELD_NAMES.map((name) => CONTRACT_FIELDS[name].header).join(", ")}.`,
    );
  for (const { field, rule } of ruled(section)) {
    const { header } = CONTRACT_FIELDS[field];
    const given = values[field] !== undefined || (field === "useCase" && context.principal.useCase !== undefined);
    if (rule === "required" && !given) return deny(`Contract: ${header} is required.`);
    // Tenant, app and user of the credential itself are no claims.
    const claimed = given && !(field === "tenant" || field === "app" || (field === "user" && context.principal.user !== undefined));
    if (rule === "forbidden" && claimed) return deny(`Contract: ${header} must not be sent.`);
  }
  for (const field of NOT_KEPT)
    if (values[field] !== undefined)
      return deny(`Contract: ${CONTRACT_FIELDS[field].header} is not supported by this version of the gateway.`);
  if (context.useCase === undefined) return deny("Contract: name a use case of your app in x-ai-use-case or metadata.ai_use_case.");
  return ALLOW;
}

export const contractStage = defineStage({ name: "contract", section: contractSection, decide });
