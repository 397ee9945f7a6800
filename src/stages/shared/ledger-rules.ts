/** What limits and budgets have in common: whose calls a rule counts, over which time, and under which name the ledger keeps it. */

import { hash } from "node:crypto";
import { z } from "zod";
import { memoized } from "../../core/memo.ts";
import { matchesAny } from "../../core/patterns.ts";
import type { StageContext } from "../../core/stage.ts";
import type { WindowSpec } from "../../core/windows.ts";

export const DIMENSIONS = ["tenant", "app", "useCase", "user", "model", "operation"] as const;
export type Dimension = (typeof DIMENSIONS)[number];
const OPERATIONS = ["chat", "embed", "image", "audio", "list", "other"] as const;

const oneOrMore = <T extends z.ZodType>(item: T, max: number) => z.union([item, z.array(item).min(1).max(max)]);

/** Members that rules of both kinds have. */
export const whose = {
  description: z.string().max(2000).optional().describe("For the reader; changes nothing."),
  per: oneOrMore(z.enum(DIMENSIONS), DIMENSIONS.length)
    .default("tenant")
    .describe(
      "What is counted apart: tenant, app, useCase, user, model, operation, or a list of them. Always within the tenant; in a use case also within it, in an app within that app.",
    ),
  operation: oneOrMore(z.enum(OPERATIONS), OPERATIONS.length).optional().describe("Only calls of this kind count; all where absent."),
  model: oneOrMore(z.string().min(1).max(128), 100)
    .optional()
    .describe("Only calls to these models count (`gpt-4o*` is understood); all where absent."),
};

/** `90s`, `1m`, `12h`, `7d`: a fixed stretch of time, the same for everybody. */
const STRETCH = /^([1-9]\d{0,7})(s|m|h|d)$/;
const SECONDS = { s: 1, m: 60, h: 3_600, d: 86_400 } as const;
export function secondsOf(text: string): number | undefined {
  const [, count, unit] = STRETCH.exec(text) ?? [];
  if (count === undefined || !(unit === "s" || unit === "m" || unit === "h" || unit === "d")) return undefined;
  const seconds = Number(count) * SECONDS[unit];
  return seconds <= 366 * 86_400 ? seconds : undefined;
}
export const stretch = z
  .string()
  .refine((text) => secondsOf(text) !== undefined, "must be a time such as 1s, 1m, 12h or 7d, at most 366d -> write for example 1m");
const CALENDAR = ["day", "week", "month"] as const;
export const anyWindow = z
  .string()
  .refine(
    (text) => CALENDAR.some((name) => name === text) || secondsOf(text) !== undefined,
    "must be day, week, month, or a time such as 1m or 12h -> write for example day",
  );
export function windowSpec(window: string, weekStartsOn: 1 | 2 | 3 | 4 | 5 | 6 | 7): WindowSpec {
  if (window === "week") return { unit: "week", startsOn: weekStartsOn };
  if (window === "day" || window === "month") return { unit: window };
  return { unit: "seconds", seconds: secondsOf(window) ?? 1 };
}

/** As the merged section holds a rule: with the layer that it stands in. */
export const layer = z.enum(["defaults", "use case", "tenant", "app"]).default("tenant");

export interface Whose {
  readonly per: Dimension | readonly Dimension[];
  readonly operation?: string | readonly string[] | undefined;
  readonly model?: string | readonly string[] | undefined;
  readonly layer: "defaults" | "use case" | "tenant" | "app";
}

const asList = <T extends string>(value: T | readonly T[] | undefined): readonly T[] =>
  value === undefined ? [] : typeof value === "string" ? [value] : value;

/** Who is calling, for names of scopes. Names of people stand in it as digests. */
export interface Caller {
  readonly app: string;
  readonly useCase: string;
  readonly user: string;
  readonly model: string;
  readonly operation: string;
}
/** `model`: the model's name in the policy, or what stands for it. */
export function callerOf(context: StageContext, model: string): Caller {
  const { principal, contract } = context;
  let digest: string | undefined;
  return {
    app: principal.app,
    useCase: context.useCase ?? "-",
    // Hashed once, and only where a rule counts users apart.
    get user() {
      digest ??= userDigest(principal.tenant, principal.user ?? contract.values.user);
      return digest;
    },
    model,
    operation: context.surface.operation,
  };
}

/** Callers whose rules are remembered with a section; past it all are forgotten. */
const CALLERS_KEPT_MAX = 1_000;

/** Callers by one word of theirs after the other: words of the policy are found without a new one made of them all. */
interface Branch<Found> {
  found: Found | undefined;
  readonly next: Map<string | undefined, Branch<Found>>;
}
const branch = <Found>(): Branch<Found> => ({ found: undefined, next: new Map() });

/**
 * What a section's rules come to for a caller, found once for all calls that are alike: `find` is asked anew only for other words of the
 * caller's.
 */
export class ByCaller<Found extends object> {
  readonly #users: boolean;
  #known = branch<Found>();
  #size = 0;

  constructor(rules: readonly Whose[]) {
    this.#users = rules.some((rule) => readingOf(rule).apart.includes("user"));
  }

  of(context: StageContext, model: string, find: (caller: Caller) => Found): Found {
    const { principal, contract, surface, useCase } = context;
    const user = this.#users ? (principal.user ?? contract.values.user) : undefined;
    const words = [principal.tenant, principal.app, useCase, surface.operation, model, user];
    let at: Branch<Found> | undefined = this.#known;
    for (const word of words) {
      at = at.next.get(word);
      if (at === undefined) break;
    }
    return at?.found ?? this.#remember(words, find(callerOf(context, model)));
  }

  #remember(words: readonly (string | undefined)[], found: Found): Found {
    if (this.#size >= CALLERS_KEPT_MAX) {
      this.#known = branch();
      this.#size = 0;
    }
    let at = this.#known;
    for (const word of words) {
      const next = at.next.get(word) ?? branch();
      at.next.set(word, next);
      at = next;
    }
    at.found = found;
    this.#size += 1;
    return found;
  }
}

/** Names a person in keys of the ledger: the same for one tenant, of no use outside it. `-`: the call names nobody. */
export function userDigest(tenant: string, user: string | undefined): string {
  if (user === undefined) return "-";
  return hash("sha256", `${tenant}\u0000${user}`, "hex").slice(0, 16);
}

/** The ledger's keys hold 256 characters; a longer one is cut and told apart by a digest. */
const KEY_CHARS_MAX = 200;

/** What a rule's words come to, read once for each rule. */
interface Reading {
  readonly operations: readonly string[];
  readonly models: readonly string[];
  readonly apart: readonly (keyof Caller)[];
  /** What its own lists add to the key. */
  readonly tail: readonly string[];
}
const readingOf = memoized((rule: Whose): Reading => {
  const operations = asList(rule.operation);
  const models = asList(rule.model);
  const apart = new Set<Dimension>(asList(rule.per));
  if (rule.layer === "use case") apart.add("useCase");
  if (rule.layer === "app") apart.add("app");
  const tail: string[] = [];
  if (operations.length > 0 && !apart.has("operation")) tail.push(`operation=${[...operations].sort().join("|")}`);
  if (models.length > 0 && !apart.has("model")) tail.push(`model=${[...models].sort().join("|")}`);
  const named = (["app", "useCase", "user", "model", "operation"] as const).filter((name) => apart.has(name));
  return { operations, models, apart: named, tail };
});

/**
 * `app=bot,user=3f2a..`: whose calls a rule counts, as the ledger's key. Rules that count the same calls have the same key. undefined: the
 * rule does not count this call.
 */
export function scopeKey(rule: Whose, caller: Caller): string | undefined {
  const { operations, models, apart, tail } = readingOf(rule);
  if (operations.length > 0 && !operations.includes(caller.operation)) return undefined;
  if (models.length > 0 && !matchesAny(models, caller.model)) return undefined;
  let key = "";
  for (const name of apart) key += `${key === "" ? "" : ","}${name}=${caller[name]}`;
  for (const part of tail) key += `${key === "" ? "" : ","}${part}`;
  if (key === "") return "tenant";
  if (key.length <= KEY_CHARS_MAX) return key;
  return `${key.slice(0, KEY_CHARS_MAX - 17)}~${hash("sha256", key, "hex").slice(0, 16)}`;
}
