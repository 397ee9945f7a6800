import type { Detector } from "../../core/detector.ts";
import { err, ok, type Result } from "../../core/result.ts";
import type { PortError } from "../../core/stage.ts";
import { merged, type Weigh } from "../../detectors/index.ts";
import type { AnalyseAsk, AnalyserPort } from "../../ports/analyser.ts";
import { type Looked, lookSliced, type textsOf } from "./texts.ts";

interface Analysing {
  /** undefined: there is none of the policy's name. */
  readonly analyser: AnalyserPort | undefined;
  readonly weigh: Weigh;
  /** Values that are never findings. */
  readonly isAllowed: ((value: string) => boolean) | undefined;
}

/** Texts with what the detectors and a remote analyser find in them. It is asked about texts alone, not about JSON numbers and keys. */
export async function lookWithAnalyser(
  texts: ReturnType<typeof textsOf>,
  detectors: readonly Detector[],
  { analyser, weigh, isAllowed, ...ask }: AnalyseAsk & Analysing,
  signal: AbortSignal,
): Promise<Result<readonly Looked[], PortError>> {
  if (analyser === undefined) return err({ code: "unavailable", cause: "no analyser of that name" });
  const looked = await lookSliced(texts, detectors, signal);
  if (signal.aborted) return err({ code: "timeout" });
  const asked = looked.filter(({ place }) => place !== "number" && place !== "key");
  const answer = await analyser.analyse(
    asked.map(({ shown }) => shown),
    ask,
    signal,
  );
  if (!answer.ok) return answer;
  const found = new Map(
    asked.map((text, index) => {
      const findings = answer.value[index] ?? [];
      return [text, isAllowed === undefined ? findings : findings.filter(({ start, end }) => !isAllowed(text.shown.slice(start, end)))];
    }),
  );
  return ok(looked.map((text) => ({ ...text, findings: merged(text.shown, text.findings, found.get(text) ?? [], weigh) })));
}
