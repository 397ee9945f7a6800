import { recordedExchanges } from "../support/recorded-exchanges.ts";
import type { EstimateRow, Section } from "./section.ts";
import { errorsOf, largerTexts, type Measured, measureTokens, ownExchanges, SMALL_TOKENS } from "./tokens.ts";

/** Estimates of tokens beside the providers' own counts: by side and kind of request, and apart those of text that is not small. */
export function tokensSections(): readonly Section[] {
  const recorded = recordedExchanges(/^/);
  const exchanges = recorded ?? ownExchanges();
  const measured = measureTokens(exchanges);
  const estimates: EstimateRow[] = [];
  for (const side of ["input", "output"] as const) {
    for (const kind of ["text", "tools", "media", "hosted"] as const)
      estimates.push(
        rowOf(
          `${side}, ${kind}`,
          measured.filter((each) => each.side === side && each.kind === kind),
        ),
      );
    estimates.push(rowOf(`${side}, text from ${SMALL_TOKENS} tokens`, largerTexts(measured, side)));
  }
  const name = `Estimates of tokens, ${recorded === undefined ? "the project's own exchanges" : "recorded exchanges"}`;
  return [{ name, texts: exchanges.length, rows: [], estimates: estimates.filter(({ count }) => count > 0), mistakes: [] }];
}

function rowOf(name: string, measured: readonly Measured[]): EstimateRow {
  const { count, median, p95, underP95 } = errorsOf(measured);
  return { name, count, median, p95, tooLowP95: underP95 };
}
