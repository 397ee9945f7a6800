import { z } from "zod";

/** What every kind of credential may say besides what it is: when it holds, and what it is bound to. */

/** Ids of credentials that the policy gives itself. */
export const CREDENTIAL_ID = /^[A-Za-z0-9][A-Za-z0-9-]{0,63}$/;

export const timestamp = z
  .string()
  .regex(/^\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,3})?)?(?:Z|[+-]\d{2}:\d{2}))?$/, {
    error: "must be a time -> write a date (2026-12-31) or a time with its zone (2026-12-31T18:00:00Z)",
    abort: true,
  })
  .refine(exists, "this time does not exist -> correct the day or the hour");

/** `Date.parse` takes the 31st of February for the 3rd of March. */
function exists(time: string): boolean {
  const day = new Date(`${time.slice(0, 10)}T00:00:00Z`);
  return Number.isFinite(Date.parse(time)) && Number.isFinite(day.getTime()) && day.toISOString().startsWith(time.slice(0, 10));
}

/** What a user id may be, whether the policy or a token names it. */
export const USER_ID = /^[\x21-\x7e]{1,256}$/;

export const facts = {
  notBefore: timestamp.optional().describe("Not valid before this time."),
  expires: timestamp.optional().describe("Not valid from this time on."),
  revoked: timestamp.optional().describe("When it was revoked. A key with this line is not valid, whatever the time."),
  useCase: z.string().optional().describe("Bound to this use case."),
  user: z
    .string()
    .regex(USER_ID, "must be an id of visible ASCII characters -> remove blanks and accents")
    .optional()
    .describe("Bound to this user."),
  note: z.string().max(500).optional(),
};

/** From when to when an entry holds, milliseconds since 1970; never, where it was revoked. */
export interface Validity {
  readonly fromMs: number;
  readonly untilMs: number;
}
export function validityOf(entry: {
  readonly notBefore?: string | undefined;
  readonly expires?: string | undefined;
  readonly revoked?: string | undefined;
}): Validity {
  if (entry.revoked !== undefined) return { fromMs: Number.POSITIVE_INFINITY, untilMs: Number.NEGATIVE_INFINITY };
  return {
    fromMs: entry.notBefore === undefined ? Number.NEGATIVE_INFINITY : Date.parse(entry.notBefore),
    untilMs: entry.expires === undefined ? Number.POSITIVE_INFINITY : Date.parse(entry.expires),
  };
}
export const isValid = ({ fromMs, untilMs }: Validity, nowMs: number): boolean => nowMs >= fromMs && nowMs < untilMs;
