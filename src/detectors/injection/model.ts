import { BUCKETS, featuresVersion, STRONG, WHOLE_BUCKETS } from "./features.ts";

/** Weights of a linear model, see `features.ts`; `score = 1 / (1 + exp(-logit))`. */
export interface Model {
  readonly weak: Float32Array;
  /** As `weak`, for all words of a user's text together: what one sentence leaves open, the rest of the text tells. */
  readonly whole: Float32Array;
  /** Twice `STRONG`: for the user's own words, then for untrusted text. */
  readonly strong: Float32Array;
  /** By position (user, untrusted) and size of window (small, large). */
  readonly bias: readonly number[];
}

/** A model as `weights.ts` holds it, in base64: of each weight that is not zero how many zeros stand before it, then one signed byte. */
export interface PackedModel {
  /** `featuresVersion()` that it was trained with. */
  readonly version: number;
  readonly weak: string;
  readonly weakScale: number;
  readonly whole: string;
  readonly wholeScale: number;
  readonly strong: string;
  readonly strongScale: number;
  readonly bias: readonly number[];
}

/** A model as scoring reads it: a byte a weight, to be multiplied by the table's scale. Small tables stay in the processor's cache. */
export interface ByteModel {
  readonly weak: Int8Array;
  readonly weakScale: number;
  readonly whole: Int8Array;
  readonly wholeScale: number;
  readonly strong: Float32Array;
  readonly bias: readonly number[];
}

export function unpackModel(packed: PackedModel): ByteModel {
  const strong = unpack(packed.strong, 2 * STRONG);
  return {
    weak: unpack(packed.weak, BUCKETS),
    weakScale: packed.weakScale,
    whole: unpack(packed.whole, WHOLE_BUCKETS),
    wholeScale: packed.wholeScale,
    strong: Float32Array.from(strong, (step) => step * packed.strongScale),
    bias: packed.bias,
  };
}

/** More zeros than this are written as several gaps. */
const GAP_MAX = 255;

/** A table that is too short reads as zeros past its end; a test tells where rules and weights are of different versions. */
function unpack(base64: string, length: number): Int8Array {
  const bytes = Buffer.from(base64, "base64");
  const table = new Int8Array(length);
  let at = 0;
  for (let index = 0; index + 1 < bytes.length; index += 2) {
    at += bytes.readUInt8(index);
    const weight = bytes.readInt8(index + 1);
    if (weight === 0) continue;
    if (at < length) table[at] = weight;
    at += 1;
  }
  return table;
}

export function packModel(model: Model): PackedModel {
  const [weak, weakScale] = pack(model.weak);
  const [whole, wholeScale] = pack(model.whole);
  const [strong, strongScale] = pack(model.strong);
  return {
    version: featuresVersion(),
    weak,
    weakScale,
    whole,
    wholeScale,
    strong,
    strongScale,
    bias: model.bias.map((bias) => Math.round(bias * 1000) / 1000),
  };
}

function pack(table: Float32Array): [string, number] {
  let largest = 1e-6;
  for (const weight of table) largest = Math.max(largest, Math.abs(weight));
  const scale = Number((largest / 127).toPrecision(6));
  const bytes: number[] = [];
  let gap = 0;
  for (const exact of table) {
    const weight = Math.max(-127, Math.min(127, Math.round(exact / scale)));
    if (weight === 0) {
      gap += 1;
      if (gap < GAP_MAX) continue;
      bytes.push(GAP_MAX, 0);
    } else bytes.push(gap, weight & 0xff);
    gap = 0;
  }
  return [Buffer.from(bytes).toString("base64"), scale];
}
