/** Letters, digits and `+ / _ -`: what base64 and its form for URLs are written in (RFC 4648 sections 4 and 5). */
const SIGNS = Uint8Array.from({ length: 128 }, (_, code) => (/[A-Za-z0-9+/_-]/.test(String.fromCharCode(code)) ? 1 : 0));

/** A run of signs of base64 with up to two `=` behind it: UTF-16 units, `end` exclusive. */
export interface LongRun {
  readonly start: number;
  readonly end: number;
}

/**
 * The runs of at least `least` signs of base64 in `text`, in order. Only each `least`-th sign is looked at where there are none, as every
 * run covers one of them: an expression takes fifty times as long on words.
 */
export function* longRuns(text: string, least: number): Generator<LongRun> {
  for (let probe = least - 1; probe < text.length; probe += least) {
    if (!isSign(text, probe)) continue;
    let start = probe;
    while (start > 0 && probe - start < least && isSign(text, start - 1)) start -= 1;
    let end = probe + 1;
    while (isSign(text, end)) end += 1;
    if (end - start >= least) {
      const signsEnd = end;
      while (end < signsEnd + 2 && text[end] === "=") end += 1;
      yield { start, end };
    }
    // What was seen is not looked at again: the next run begins behind this one.
    if (end > probe + least) probe = end - 1;
  }
}

const isSign = (text: string, index: number): boolean => SIGNS[text.charCodeAt(index)] === 1;
