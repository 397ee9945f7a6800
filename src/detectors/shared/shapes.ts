import assert from "node:assert/strict";
import type { Detector, Found, ScanText } from "../../core/detector.ts";
import { BEFORE_CHARS } from "./context.ts";
import { ShapeFinder, type ShapeSpec } from "./shape-finder.ts";
import { ShapeSet } from "./shape-set.ts";
import { ATOM_CHARS_MAX, LEAD_CHARS_MAX } from "./text.ts";

/** Longest that a shape may get in text: a separator or an invisible character behind each unit. */
const lengthOf = (shape: string): number => shape.length * 2;
/** How far an atom, and a sign and an atom before it, reach back; or words of context. */
const LOOK_BEHIND = Math.max(BEFORE_CHARS, 2 * ATOM_CHARS_MAX + 2);

/**
 * A detector for numbers and codes of fixed shapes. A candidate begins where a run of letters and digits begins, or at letters
 * before one (capitals: `AB 12 34 56 C`), stands alone (not part of a longer number, decimal, version or code) and is open only while the text
 * ends inside of its shape, or inside of the words behind it that it needs. A scan takes all of these together, in a `ShapeSet`.
 */
export class ShapeDetector implements Detector {
  readonly entities: readonly string[];
  readonly class: Detector["class"];
  readonly profile: Detector["profile"];
  readonly needs = "digit";
  readonly lookBehind = LOOK_BEHIND;
  readonly lengthMax: number;
  readonly finder: ShapeFinder;
  /** Made when it is first asked alone: a scan asks all together. */
  #alone: ShapeSet | undefined;

  constructor(spec: ShapeSpec) {
    this.entities = [spec.entity];
    this.class = spec.class;
    this.profile = spec.profile;
    this.lengthMax = Math.max(...spec.shapes.map(lengthOf));
    this.finder = new ShapeFinder(spec);
    assert(this.finder.lead <= LEAD_CHARS_MAX, "the scan holds no longer lead");
  }

  find(text: ScanText, from: number): Found {
    const froms = [from];
    this.#alone ??= new ShapeSet([this.finder]);
    const findings = this.#alone.find(text, froms);
    return { findings, open: froms[0] ?? from };
  }
}

/** The detector of a spec. */
export const shapeDetector = (spec: ShapeSpec): ShapeDetector => new ShapeDetector(spec);
