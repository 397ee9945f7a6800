/** Whether a call keeps its cap of cost, and what would. */
import { type Forecast, forecast, NO_HINTS, type PriceHints, priceHints } from "../../core/forecast.ts";
import { formatUsd } from "../../core/money.ts";
import type { StageContext } from "../../core/stage.ts";
import { callSize, inputBound, inputTokens, lostAttempts } from "../shared/call-size.ts";

export type CostFit =
  | { readonly kind: "fits" }
  /** The output may be at most so many tokens a choice; 0: the rest of it costs too much already. */
  | { readonly kind: "over"; readonly detail: string; readonly outputTokens: number }
  | { readonly kind: "unpriced" };

/** Output that a call without any cap may have, tokens of a choice. */
const UNCAPPED_TOKENS = 1_000_000;

/** `cap`: output tokens of a choice; undefined: there is none. Tokens are counted only where the bound does not fit. */
export function fitCost(context: StageContext, maxNanoUsd: number, cap: number | undefined): CostFit {
  const { plan, request, surface } = context;
  if (plan === undefined) return { kind: "fits" };
  const hints: PriceHints = request === undefined ? NO_HINTS : priceHints(request);
  const most = surface.operation === "chat" ? (cap ?? UNCAPPED_TOKENS) : 0;
  const at = (input: number, output: number): Forecast =>
    forecast(callSize(context, input, output), plan.chain, { hints, lostAttempts: lostAttempts(context) });
  const coarse = at(inputBound(context), most).nanoUsd;
  if (coarse === undefined) return { kind: "unpriced" };
  if (coarse <= maxNanoUsd) return { kind: "fits" };
  const input = inputTokens(context);
  const cost = (output: number): number => at(input, output).nanoUsd ?? Number.MAX_SAFE_INTEGER;
  const worst = cost(most);
  if (worst <= maxNanoUsd) return { kind: "fits" };
  const least = cost(0);
  // The most output that fits, by halving: cost grows with output.
  let [fits, over] = [0, most];
  if (least <= maxNanoUsd) {
    while (over - fits > 1) {
      const middle = Math.floor((fits + over) / 2);
      if (cost(middle) <= maxNanoUsd) fits = middle;
      else over = middle;
    }
  }
  const usd = (nano: number): string => `${formatUsd(nano)} USD`;
  const detail =
    fits === 0
      ? `The call costs ${usd(least)} or more before it has any output; its cap is ${usd(maxNanoUsd)}. A shorter input or a cheaper model would fit.`
      : `The call may cost ${cap === undefined ? "any amount, for it has no cap of output" : usd(worst)}; its cap is ${usd(maxNanoUsd)}. With at most ${fits} output tokens it would fit.`;
  return { kind: "over", detail, outputTokens: fits };
}
