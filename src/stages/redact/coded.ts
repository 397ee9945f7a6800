import type { Detector } from "../../core/detector.ts";
import { CODED_IN_TEXT_MAX } from "../../core/limits.ts";
import { longRuns } from "../../core/long-runs.ts";
import type { Steps } from "../../core/slice.ts";
import { isCodedText, textFileSteps } from "../../core/text-file.ts";
import { scan } from "../../detectors/index.ts";
import { type Looked, show } from "./texts.ts";

/** Base64 amid other words, in a data URL or not: a run that is longer than a word. */
const RUN_CHARS_MIN = 32;
/** Text that is searched in one go, UTF-16 units: a millisecond. */
const WINDOW_CHARS = 65_536;

/** What a text says in base64 amid its other words: where it stands, and the words, as a text of its own. */
export interface Coded {
  readonly start: number;
  readonly end: number;
  readonly words: Looked;
}

/**
 * Texts with what stands in them in base64: models decode it, so it is read, and written again where something in it changes. Only runs
 * that decode to text count, so identifiers, digests and addresses stay what they are.
 */
export function* readCoded(looked: readonly Looked[], detectors: readonly Detector[]): Steps<readonly Looked[]> {
  const out: Looked[] = [];
  let left = CODED_IN_TEXT_MAX;
  for (const text of looked) {
    const coded: Coded[] = [];
    // What is a file itself was decoded once already.
    for (let from = 0; text.write === undefined && from < text.shown.length; ) {
      const window = text.shown.slice(from, from + WINDOW_CHARS);
      const isLast = from + WINDOW_CHARS >= text.shown.length;
      let next = from + window.length;
      for (const { start, end } of longRuns(window, RUN_CHARS_MIN)) {
        // It goes on behind the window.
        if (!isLast && start > 0 && end >= window.length - 2) {
          next = from + start;
          break;
        }
        const run = window.slice(start, end);
        if (left === 0 || !isCodedText(run)) continue;
        left -= 1;
        const { text: source, write } = yield* textFileSteps(run);
        const words = show({ node: text.node, place: text.place, source, write });
        const findings = scan(words.shown, detectors);
        if (findings.length > 0) coded.push({ start: from + start, end: from + end, words: { ...words, findings } });
      }
      from = next;
      yield;
    }
    out.push(coded.length === 0 ? text : { ...text, coded });
  }
  return out;
}
