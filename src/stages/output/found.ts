import type { Detector, Finding } from "../../core/detector.ts";
import { StreamScan } from "../../detectors/index.ts";
import type { Hit, Search } from "./rule.ts";

/**
 * Finds what detectors find. `counts` says of a finding and its text whether the rule is about it. Give the same list of detectors each
 * time: what a scan needs of them is made once for each list.
 */
export class FoundSearch implements Search {
  readonly #scan: StreamScan;
  readonly #counts: (finding: Finding, written: string) => boolean;
  #kept = "";
  #base = 0;
  #decided = 0;

  constructor(detectors: readonly Detector[], counts: (finding: Finding, written: string) => boolean) {
    this.#scan = new StreamScan(detectors);
    this.#counts = counts;
  }

  get decided(): number {
    return this.#decided;
  }

  push(piece: string): readonly Hit[] {
    this.#kept += piece;
    return this.#take(this.#scan.push(piece));
  }
  end(): readonly Hit[] {
    return this.#take(this.#scan.end());
  }

  #take({ findings, released }: { readonly findings: readonly Finding[]; readonly released: number }): readonly Hit[] {
    const hits =
      findings.length === 0
        ? findings
        : findings.filter((finding) => this.#counts(finding, this.#kept.slice(finding.start - this.#base, finding.end - this.#base)));
    if (released > this.#base) this.#kept = this.#kept.slice(released - this.#base);
    this.#base = released;
    this.#decided = released;
    return hits;
  }
}
