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
 * Where another stage has limits of its own too, the lists are joined, and the older form stays that of the first.
 */
export function rateHeaders(bounds: readonly Bound[], nowMs: number): readonly Effect[] {
  const [tightest] = bounds.toSorted((a, b) => share(a) - share(b));
  if (tightest === undefined) return [];
  const left = (bound: Bound): number => Math.max(0, bound.limit - bound.used);
  const reset = ({ resetsAtMs }: Bound): number => Math.max(0, Math.ceil(((resetsAtMs ?? nowMs) - nowMs) / 1000));
  const named = [...new Map(bounds.map((bound) => [bound.name, bound])).values()].slice(0, NAMED_MAX);
  const header = (name: string, value: string, beside: "append" | "keep" = "keep"): Effect => ({ kind: "header", name, value, beside });
  return [
    header("ratelimit-policy", named.map(({ name, quota, windowS }) => `"${name}";q=${quota};w=${windowS}`).join(", "), "append"),
    header("ratelimit", named.map((bound) => `"${bound.name}";r=${left(bound)};t=${reset(bound)}`).join(", "), "append"),
    header("ratelimit-limit", String(tightest.limit)),
    header("ratelimit-remaining", String(left(tightest))),
    header("ratelimit-reset", String(reset(tightest))),
  ];
}
const share = ({ limit, used }: Bound): number => (limit <= 0 ? 0 : (limit - used) / limit);
