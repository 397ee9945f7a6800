/** What one kind of detection did on one set. */
export interface Section {
  readonly name: string;
  readonly texts: number;
  readonly rows: readonly Row[];
  /** How far estimates are from the counts that they stand for. */
  readonly estimates?: readonly EstimateRow[];
  /** More lines to print below the figures. */
  readonly notes?: readonly string[];
  /** For whoever improves it. */
  readonly mistakes: readonly string[];
}
export interface Row {
  readonly name: string;
  readonly labels: number;
  readonly precision: number;
  readonly recall: number;
  readonly f1: number;
}

/** Errors of estimates, as shares of the true count. */
export interface EstimateRow {
  readonly name: string;
  readonly count: number;
  readonly median: number;
  readonly p95: number;
  /** 95th percentile of by how much one is too low. */
  readonly tooLowP95: number;
}

export function scoreOf(found: number, missed: number, wrong: number): Omit<Row, "name"> {
  const share = (part: number, whole: number): number => (whole === 0 ? 1 : part / whole);
  return {
    labels: found + missed,
    precision: share(found, found + wrong),
    recall: share(found, found + missed),
    f1: share(2 * found, 2 * found + wrong + missed),
  };
}
