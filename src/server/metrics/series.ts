import type { Exemplar, HistogramPoint, Labels, MetricFamily, NumberPoint } from "../../ports/telemetry.ts";
import type { MetricDefinition } from "./definitions.ts";

/** Series that one metric may have; what comes later is counted in one series with the label values `other`. */
const SERIES_MAX = 2_000;
const OVERFLOW = "other";

/** One series of a counter, in whole units before the definition's scale, so that sums stay exact. */
export class CounterCell {
  readonly labels: Labels;
  value = 0;
  constructor(labels: Labels) {
    this.labels = labels;
  }
}

export interface TraceRef {
  readonly traceId: string;
  readonly spanId: string;
  readonly wallMs: number;
}

/** One series of a histogram. */
export class HistogramCell implements HistogramPoint {
  readonly labels: Labels;
  readonly counts: Float64Array;
  sum = 0;
  count = 0;
  readonly exemplars: (Exemplar | undefined)[] = [];
  readonly #bounds: readonly number[];
  constructor(labels: Labels, bounds: readonly number[]) {
    this.labels = labels;
    this.#bounds = bounds;
    this.counts = new Float64Array(bounds.length + 1);
  }
  /** `trace` only of sampled spans: an exemplar that leads nowhere helps nobody. */
  observe(value: number, trace: TraceRef | undefined): void {
    this.sum += value;
    this.count += 1;
    let bucket = 0;
    for (const bound of this.#bounds) {
      if (value <= bound) break;
      bucket += 1;
    }
    this.counts[bucket] = (this.counts[bucket] ?? 0) + 1;
    if (trace !== undefined) this.exemplars[bucket] = { value, traceId: trace.traceId, spanId: trace.spanId, wallMs: trace.wallMs };
  }
}

type Node<Cell> = Map<string, Node<Cell> | Cell>;

/** The series of one metric, found by label values without building a text. */
class Family<Cell extends { readonly labels: Labels }> {
  readonly definition: MetricDefinition;
  readonly #root: Node<Cell> = new Map();
  readonly cells: Cell[] = [];
  readonly #make: (labels: Labels) => Cell;
  #overflow: Cell | undefined;
  constructor(definition: MetricDefinition, make: (labels: Labels) => Cell) {
    this.definition = definition;
    this.#make = make;
  }
  /** One value a label of the definition, in its order. Callers pass names of the policy and of closed tables only. */
  at(...values: readonly string[]): Cell {
    let node = this.#root;
    const last = values.length - 1;
    for (let index = 0; index < last; index++) {
      const value = values[index] ?? "";
      const next = node.get(value);
      if (next instanceof Map) node = next;
      else {
        if (this.cells.length >= SERIES_MAX) return this.#other();
        const made: Node<Cell> = new Map();
        node.set(value, made);
        node = made;
      }
    }
    const value = values[last] ?? "";
    const known = node.get(value);
    if (known !== undefined && !(known instanceof Map)) return known;
    if (this.cells.length >= SERIES_MAX) return this.#other();
    const cell = this.#add(this.definition.labels.map((name, index) => [name, values[index] ?? ""]));
    node.set(value, cell);
    return cell;
  }
  #other(): Cell {
    this.#overflow ??= this.#add(this.definition.labels.map((name) => [name, OVERFLOW]));
    return this.#overflow;
  }
  #add(labels: readonly (readonly [string, string])[]): Cell {
    const cell = this.#make(Object.freeze(Object.fromEntries(labels)));
    this.cells.push(cell);
    return cell;
  }
}

export class Counter extends Family<CounterCell> {
  constructor(definition: MetricDefinition) {
    super(definition, (labels) => new CounterCell(labels));
  }
  family(): MetricFamily {
    const { name, unit, help, scale = 1 } = this.definition;
    // Division by a whole number rounds once; a product with 1e-9 would round twice.
    const points = this.cells.map(
      ({ labels, value }): NumberPoint => ({ labels, value: scale === 1 ? value : value / Math.round(1 / scale) }),
    );
    return { name, unit, help, kind: "counter", points };
  }
}

export class Histogram extends Family<HistogramCell> {
  constructor(definition: MetricDefinition) {
    super(definition, (labels) => new HistogramCell(labels, definition.bounds ?? []));
  }
  family(): MetricFamily {
    const { name, unit, help, bounds = [] } = this.definition;
    return { name, unit, help, kind: "histogram", bounds, points: this.cells };
  }
}
