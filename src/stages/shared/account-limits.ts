import { z } from "zod";
import { parseUsd } from "../../core/money.ts";
import { anyWindow, secondsOf } from "./ledger-rules.ts";

/** A budget's dollars: exact to a nano-dollar, at most nine million. */
export const usdAmount = z
  .union([z.number(), z.string()])
  .refine((usd) => parseUsd(usd) !== undefined, "must be dollars, below 9 million and with at most nine decimals -> write for example 50")
  .describe("US dollars for each window.");

const accountLimit = z
  .strictObject({
    description: z.string().max(2000).optional().describe("For the reader; changes nothing."),
    requests: z.int().min(1).max(1_000_000_000).optional().describe("Calls for each window."),
    tokens: z.int().min(1).max(Number.MAX_SAFE_INTEGER).optional().describe("Tokens, input and output together, for each window."),
    usd: usdAmount.optional(),
    concurrent: z.int().min(1).max(1_000_000).optional().describe("Calls at once."),
    window: anyWindow.optional().describe("1s, 1m, 12h ..., or day, week, month (of UTC)."),
    burst: z.int().min(1).max(1_000_000_000).optional().describe("Calls that may come at once; as many as requests where absent."),
  })
  .refine(
    ({ requests, tokens, usd, concurrent }) => [requests, tokens, usd, concurrent].filter((one) => one !== undefined).length === 1,
    "must limit one thing -> write tokens: 2000000 with window: 1m, or requests, usd or concurrent",
  )
  .refine(
    ({ concurrent, window }) => (window === undefined) === (concurrent !== undefined),
    "requests, tokens and usd need a window, concurrent has none -> write window: 1m, or take it out",
  )
  .refine(
    ({ requests, window }) => requests === undefined || window === undefined || secondsOf(window) !== undefined,
    "requests need a fixed time -> write window: 1m or 24h",
  )
  .refine(({ requests, burst }) => burst === undefined || requests !== undefined, "burst goes with requests -> take it out");

/** What a provider account may take. */
export const accountLimits = z.array(accountLimit).max(16);
