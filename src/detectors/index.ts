import type { Detector } from "../core/detector.ts";
import { email } from "./email.ts";

export { type Decided, StreamScan, scan, scanSliced } from "./shared/scan.ts";

/** Everything that Sluice knows to find. Where two findings overlap and are equally sure and long, the one earlier in this list stands. */
export const DETECTORS: readonly Detector[] = [email];

/** The detectors of the named entities; one that reports several is taken when any of them is named. */
export const detectorsOf = (entities: ReadonlySet<string>): readonly Detector[] =>
  DETECTORS.filter((detector) => detector.entities.some((entity) => entities.has(entity)));

/** The entities that a profile looks for. `strict` has all of `standard`. */
export const entitiesOf = (profile: "standard" | "strict"): readonly string[] =>
  DETECTORS.filter((detector) => detector.profile === "standard" || detector.profile === profile).flatMap(({ entities }) => entities);
