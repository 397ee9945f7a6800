import type { Json } from "../../core/json.ts";
import { formatPath, type Path } from "../problems.ts";
import { entriesOf, isJsonMap, memberOf } from "../tree.ts";
import type { AddProblem, PlacedCredential } from "./kind.ts";

/** Hosts that cannot be listened in on: this machine's own. */
export const isLoopback = (host: string): boolean => host === "localhost" || host === "[::1]" || /^127(?:\.\d{1,3}){3}$/.test(host);

/** Keys that came unencrypted could be anybody's. */
export const mayFetch = (url: URL): boolean =>
  url.username === "" && url.password === "" && (url.protocol === "https:" || (url.protocol === "http:" && isLoopback(url.hostname)));

/** A key set must have a place, and a place that can be trusted. */
export function keyUrlProblem(path: Path, setting: Json, add: AddProblem): void {
  const jwks = memberOf(setting, "jwks");
  if (memberOf(jwks, "file") !== undefined) {
    if (memberOf(jwks, "caFile") !== undefined)
      add([...path, "jwks", "caFile"], "a file needs no authority", "remove caFile, or name a url instead of the file");
    return;
  }
  const [text, here]: [Json | undefined, Path] =
    memberOf(jwks, "url") === undefined
      ? [memberOf(setting, "issuer"), [...path, "issuer"]]
      : [memberOf(jwks, "url"), [...path, "jwks", "url"]];
  if (typeof text !== "string" || text === "") return;
  const discovered = here.at(-1) === "issuer";
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined)
    add(
      here,
      discovered ? "the issuer is no URL, so that its keys cannot be found by it" : "this is no URL",
      discovered ? "say where they are: jwks: { url: https://... } or { file: PATH }" : "write https://HOST/PATH",
    );
  else if (!mayFetch(url))
    add(
      here,
      "public keys must not cross the network unencrypted",
      discovered ? "write https://, or say where the keys are: jwks: { file: PATH }" : "write https://, without a user or password",
    );
}

/** Entries of different apps that every token of one would fit, too. */
export function ambiguities(entries: readonly PlacedCredential[], add: AddProblem): void {
  for (const [index, entry] of entries.entries()) {
    if (memberOf(entry.setting, "revoked") !== undefined) continue;
    for (const other of entries.slice(0, index)) {
      if (other.tenant === entry.tenant && other.app === entry.app) continue;
      if (memberOf(other.setting, "revoked") !== undefined) continue;
      if (memberOf(other.setting, "issuer") !== memberOf(entry.setting, "issuer") || !shareAudience(other.setting, entry.setting)) continue;
      const [mine, theirs] = [memberOf(entry.setting, "claims") ?? {}, memberOf(other.setting, "claims") ?? {}];
      if (!covers(mine, theirs) && !covers(theirs, mine)) continue;
      add(
        entry.path,
        `a token can fit this and ${formatPath(other.path)}, and would then prove neither app`,
        "tell them apart: another audience, or another value of the same claim in claims",
      );
      break;
    }
  }
}

function shareAudience(a: Json, b: Json): boolean {
  const list = (value: Json | undefined): readonly Json[] => (Array.isArray(value) ? value : value === undefined ? [] : [value]);
  const other = list(memberOf(b, "audience"));
  return list(memberOf(a, "audience")).some((one) => other.includes(one));
}

/** Does whatever fits `narrow` fit `wide` too? Exact for single values, lists and maps. */
function covers(wide: Json, narrow: Json): boolean {
  return entriesOf(wide).every(([name, rule]) => {
    const other = memberOf(narrow, name);
    if (other === undefined) return false;
    if (isJsonMap(rule)) return isJsonMap(other) && covers(rule, other);
    const wanted: readonly Json[] = Array.isArray(rule) ? rule : [rule];
    return (Array.isArray(other) ? other : [other]).every((value) => wanted.includes(value));
  });
}
