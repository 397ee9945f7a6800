import type { Effect } from "../../core/stage.ts";

/** How one limit stands, for the caller. */
export interface Bound {
  /** `requests-1s`, `tokens-1m`. */
  readonly name: string;
  readonly quota: number;
  readonly windowS: number;
  /** What may be used at once, and what of it is. */
  readonly limit: number;
  readonly used: number;
  readonly resetsAtMs: number | undefined;
}

/** Limits named in one header. */
const NAMED_MAX = 4;

/**
 * `ratelimit` and `ratelimit-policy` as structured fields (draft-ietf-httpapi-ratelimit-headers-10), and for those that read the older
 * form, `ratelimit-limit`, `-remaining` and `-reset` of the limit with the least left. Seconds until a reset count from `nowMs`.
 * Of limits with one name the list has the one with the least left. Where another stage has limits of its own too, the lists are joined,
 * and the older form stays that of the first, unless the second one refuses (`refuses`).
 */
export function rateHeaders(bounds: readonly Bound[], nowMs: number, refuses = false): readonly Effect[] {
  const [first] = bounds;
  if (first === undefined) return [];
  let tightest = first;
  let policy = "";
  let standing = "";
  let named = 0;
  for (const bound of bounds) {
    if (share(bound) < share(tightest)) tightest = bound;
    if (named >= NAMED_MAX || !standsFor(bound, bounds)) continue;
    const { name, quota, windowS } = bound;
    const comma = named === 0 ? "" : ", ";
    policy += `${comma}"${name}";q=${quota};w=${windowS}`;
    standing += `${comma}"${name}";r=${left(bound)};t=${resetS(bound, nowMs)}`;
    named += 1;
  }
  const older = refuses ? {} : KEPT;
  return [
    { kind: "header", name: "ratelimit-policy", value: policy, beside: "append" },
    { kind: "header", name: "ratelimit", value: standing, beside: "append" },
    { kind: "header", name: "ratelimit-limit", value: String(tightest.limit), ...older },
    { kind: "header", name: "ratelimit-remaining", value: String(left(tightest)), ...older },
    { kind: "header", name: "ratelimit-reset", value: String(resetS(tightest, nowMs)), ...older },
  ];
}
const KEPT = { beside: "keep" } as const;
/** Is it the first of those with its name that have the least left? */
function standsFor(bound: Bound, bounds: readonly Bound[]): boolean {
  let before = true;
  for (const other of bounds) {
    if (other === bound) before = false;
    else if (other.name === bound.name && (share(other) < share(bound) || (before && share(other) === share(bound)))) return false;
  }
  return true;
}
const share = ({ limit, used }: Bound): number => (limit <= 0 ? 0 : (limit - used) / limit);
const left = ({ limit, used }: Bound): number => Math.max(0, limit - used);
const resetS = ({ resetsAtMs }: Bound, nowMs: number): number => Math.max(0, Math.ceil(((resetsAtMs ?? nowMs) - nowMs) / 1000));
