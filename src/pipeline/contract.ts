import { CONTRACT_FIELD_NAMES, CONTRACT_FIELDS, CONTRACT_VERSIONS, type Contract, type ContractField } from "../core/contract.ts";
import { UNKNOWN_FIELDS_MAX } from "../core/limits.ts";
import { inOnePiece } from "../core/one-piece.ts";
import type { Principal } from "../core/policy.ts";
import type { RequestHead } from "./work.ts";

const BY_HEADER = new Map<string, ContractField>(CONTRACT_FIELD_NAMES.map((field) => [CONTRACT_FIELDS[field].header, field]));
const BY_MEMBER = new Map<string, ContractField>(CONTRACT_FIELD_NAMES.map((field) => [CONTRACT_FIELDS[field].member, field]));
const LIMITING = CONTRACT_FIELD_NAMES.filter((field) => CONTRACT_FIELDS[field].limiting).map((field) => CONTRACT_FIELDS[field].header);

/**
 * The fields of one call: headers, else `ai_*` members of the body's metadata, narrowed by what the credential proves.
 * Never refuses: what is wrong goes into `problems`, field names and rules only, for the contract stage to judge.
 */
export function readContract(head: RequestHead, members: ReadonlyMap<string, string>, principal: Principal): Contract {
  const values: Partial<Record<ContractField, string>> = {};
  const unknown: string[] = [];
  const problems: string[] = [];
  const take = (field: ContractField, value: string, as: string): void => {
    if (CONTRACT_FIELDS[field].pattern.test(value)) values[field] = inOnePiece(value);
    else problems.push(`${as} must be ${CONTRACT_FIELDS[field].expects}`);
  };
  const stranger = (header: string, as: string): void => {
    if (unknown.length < UNKNOWN_FIELDS_MAX) unknown.push(as.slice(0, 64));
    const near = LIMITING.find((known) => isNear(header, known));
    if (near !== undefined) problems.push(`${as.slice(0, 64)} is not known; did you mean ${near}?`);
  };
  for (const [member, value] of members) {
    const field = BY_MEMBER.get(member);
    if (field === undefined) stranger(`x-${member.replaceAll("_", "-")}`, member);
    // Headers win.
    else if (head.get(CONTRACT_FIELDS[field].header) === undefined) take(field, value, member);
  }
  for (const name of head.names()) {
    if (!name.startsWith("x-ai-")) continue;
    const field = BY_HEADER.get(name);
    if (field === undefined) stranger(name, name);
    else take(field, head.get(name) ?? "", name);
  }
  const version = values.contract;
  if (version !== undefined && !CONTRACT_VERSIONS.some((known) => known === version))
    problems.push(`contract version ${version} is not known; known are ${CONTRACT_VERSIONS.join(", ")}`);
  narrow("tenant", principal.tenant, values, problems);
  narrow("app", principal.app, values, problems);
  narrow("user", principal.user, values, problems);
  return { values, unknown, problems };
}

/** A claim may repeat what the credential proves, never change it. */
function narrow(
  field: ContractField,
  proven: string | undefined,
  values: Partial<Record<ContractField, string>>,
  problems: string[],
): void {
  if (proven === undefined) return;
  if (values[field] !== undefined && values[field] !== proven)
    problems.push(`${CONTRACT_FIELDS[field].header} is not the credential's own`);
  values[field] = proven;
}

/** One edit apart (a letter more, less, or other), or the same but for plural, dashes and underscores. */
function isNear(name: string, known: string): boolean {
  const plain = (text: string): string => text.replace(/[-_]/g, "");
  if (plain(name) === plain(known)) return true;
  if (Math.abs(name.length - known.length) > 1) return false;
  let same = 0;
  while (same < name.length && same < known.length && name[same] === known[same]) same++;
  const rest = (text: string, skip: number): string => text.slice(same + skip);
  return rest(name, 1) === rest(known, 1) || rest(name, 1) === rest(known, 0) || rest(name, 0) === rest(known, 1);
}
