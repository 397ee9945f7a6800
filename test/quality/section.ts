/** What one kind of detection did on one set. */
export interface Section {
  readonly name: string;
  readonly texts: number;
  readonly rows: readonly Row[];
  /** For whoever improves it. */
  /** More lines to print below the figures. */
  readonly notes?: readonly string[];
  readonly mistakes: readonly string[];
}
export interface Row {
  readonly name: string;
  readonly labels: number;
  readonly precision: number;
  readonly recall: number;
  readonly f1: number;
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
