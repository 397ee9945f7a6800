import type { JsonString } from "../../core/json.ts";
import { SLICE_MS, YIELD_CHARS } from "../../core/limits.ts";
import type { FoundCount, StageEvidence } from "../../core/record.ts";
import { err, ok, type Result } from "../../core/result.ts";
import { finish, finishSliced } from "../../core/slice.ts";
import { ALLOW, defineStage, type Effect, type PortError, type StageContext, type Verdict } from "../../core/stage.ts";
import type { InjectionScore } from "../../detectors/injection/score.ts";
import type { ClassifierPort } from "../../ports/classifier.ts";
import { type Judged, judgeAll, type Raised, scoreAll } from "./judge.ts";
import { type InjectionSection, injectionSection } from "./section.ts";
import { isIdle, type Scanned, textSteps, textsOf } from "./texts.ts";

/** What was found before the decision, where that took time. */
interface InjectionFacts {
  readonly judged: readonly Judged[];
  /** The classifier did not answer, and the built-in score stands alone. */
  readonly classifierMissed: boolean;
}

/** Long texts are scored in slices; short ones in `decide`, without waiting. A classifier is asked while the scores are made. */
function gather(
  context: StageContext,
  section: InjectionSection,
  signal: AbortSignal,
): Promise<Result<InjectionFacts, PortError>> | undefined {
  if (isIdle(section)) return undefined;
  // The texts of a long body are many, or files to be read.
  if ((context.request?.doc.text.length ?? 0) > YIELD_CHARS)
    return finishSliced(textSteps(context, section)).then((texts) => gatherFrom(context, section, texts, signal) ?? ok(NOTHING));
  return gatherFrom(context, section, textsOf(context, section), signal);
}

const NOTHING: InjectionFacts = { judged: [], classifierMissed: false };

function gatherFrom(
  context: StageContext,
  section: InjectionSection,
  texts: readonly Scanned[],
  signal: AbortSignal,
): Promise<Result<InjectionFacts, PortError>> | undefined {
  if (texts.length === 0) return undefined;
  if (section.classifier !== undefined) return withClassifier(context, section, texts, signal);
  const long = (context.request?.doc.text.length ?? 0) + texts.reduce((sum, { text }) => sum + text.length, 0) > YIELD_CHARS;
  return long ? scoreSlowly(context, section, texts, signal) : undefined;
}

async function scoreSlowly(
  context: StageContext,
  section: InjectionSection,
  texts: readonly Scanned[],
  signal: AbortSignal,
): Promise<Result<InjectionFacts, PortError>> {
  const scores = await inSlices(scoreAll(texts, context.principal.tenant), signal);
  if (scores === undefined) return err({ code: "timeout" });
  const judged = await inSlices(judgeAll(texts, scores, termsOf(context, section)), signal);
  return judged === undefined ? err({ code: "timeout" }) : ok({ judged, classifierMissed: false });
}

async function withClassifier(
  context: StageContext,
  section: InjectionSection,
  texts: readonly Scanned[],
  signal: AbortSignal,
): Promise<Result<InjectionFacts, PortError>> {
  const asked = askClassifier(context.stores?.classifier, section, texts, signal);
  const scores = await inSlices(scoreAll(texts, context.principal.tenant), signal);
  const answered = await asked;
  if (!answered.ok && section.classifier?.onFault !== "builtin") return answered;
  const raised = answered.ok ? { raised: answered.value } : {};
  if (scores === undefined) return err({ code: "timeout" });
  const judged = await inSlices(judgeAll(texts, scores, { ...termsOf(context, section), ...raised }), signal);
  return judged === undefined ? err({ code: "timeout" }) : ok({ judged, classifierMissed: !answered.ok });
}

async function askClassifier(
  classifier: ClassifierPort | undefined,
  section: InjectionSection,
  texts: readonly Scanned[],
  signal: AbortSignal,
): Promise<Result<readonly Raised[], PortError>> {
  if (classifier === undefined) return err({ code: "unavailable" });
  const within = AbortSignal.any([signal, AbortSignal.timeout(section.classifier?.timeoutMs ?? 1)]);
  const late = new Promise<Result<never, PortError>>((resolve) => {
    within.addEventListener("abort", () => resolve(err({ code: "timeout" })), { once: true });
  });
  // A promise that fails is an adapter's mistake, and no reason to let the request pass.
  const asked = classifier
    .classify(
      texts.map(({ text, position }) => ({ text, position })),
      within,
    )
    .catch((): Result<never, PortError> => err({ code: "unavailable" }));
  const answered = await Promise.race([asked, late]);
  if (!answered.ok) return answered;
  const { value } = answered;
  const sound = value.length === texts.length && value.every(({ score }) => score >= 0 && score <= 1);
  return sound ? ok(value.map(({ score, label }) => ({ score, label: plainLabel(label) }))) : err({ code: "corrupt" });
}

/** Labels go to the record, so only a plain name passes. */
const plainLabel = (label: string): string => (/^[\w.:-]{1,64}$/.test(label) ? label : "other");

/** Runs a generator with a rest for others after each `SLICE_MS`; undefined where `signal` ended it. */
async function inSlices<T>(steps: Generator<undefined, T>, signal: AbortSignal): Promise<T | undefined> {
  for (;;) {
    const until = performance.now() + SLICE_MS;
    do {
      const step = steps.next();
      if (step.done === true) return step.value;
    } while (performance.now() < until);
    await new Promise((resolve) => setImmediate(resolve));
    if (signal.aborted) return undefined;
  }
}

/** What makes the marks of spotlighting unknown to authors of texts, and stable for a tenant and a policy. */
const termsOf = ({ exchange, principal }: StageContext, { datamark }: InjectionSection): { datamark: boolean; secret: string } => ({
  datamark,
  secret: `${exchange.policy.hash} ${principal.tenant}`,
});

const TOKENS = "The policy looks for attacks, and tokens cannot be looked into. Send the text itself in place of its tokens.";

function decide(context: StageContext, section: InjectionSection, facts: InjectionFacts | undefined): Verdict {
  if (context.request?.view.tokens === true && !isIdle(section)) return { kind: "deny", code: "content_blocked", detail: TOKENS };
  if (facts !== undefined) return verdictOn(facts.judged, facts.classifierMissed);
  const texts = textsOf(context, section);
  if (texts.length === 0) return ALLOW;
  const scores: readonly InjectionScore[] = finish(scoreAll(texts, context.principal.tenant));
  return verdictOn(finish(judgeAll(texts, scores, termsOf(context, section))), false);
}

function verdictOn(judged: readonly Judged[], classifierMissed: boolean): Verdict {
  const [first, ...others] = judged;
  if (first === undefined) return ALLOW;
  const strongest = others.reduce((best, next) => (rank(next) > rank(best) ? next : best), first);
  const acted = judged.filter(({ action }) => action !== "none");
  const found = countsOf(acted);
  const evidence: StageEvidence = {
    ...(found.length === 0 ? {} : { found }),
    score: Math.round(strongest.score * 1000) / 1000,
    families: strongest.families,
    place: strongest.scanned.place,
  };
  const missed = classifierMissed ? ["the classifier did not answer"] : [];
  const tainted = [...new Set(acted.filter(isForeign).map(({ scanned }) => scanned.place))];
  const effects: Effect[] = tainted.length === 0 ? [] : [{ kind: "mark", mark: { tainted } }];
  const said = acted.filter(isSuspicion);
  if (said.length > 0) {
    const { action, score, scanned } = said.reduce((best, next) => (rank(next) > rank(best) ? next : best));
    effects.push({ kind: "header", name: "x-ai-injection", value: `action=${action}, score=${score.toFixed(2)}, place=${scanned.place}` });
    if (action === "refuse")
      return {
        kind: "deny",
        code: "injection_suspected",
        detail: `A text of the request (${scanned.place.replaceAll("_", " ")}) looks like an attempt to take over the model.`,
        ...{ effects, evidence },
      };
  }
  const texts = new Map<JsonString, string>();
  for (const { scanned, text } of judged)
    if (text !== undefined) texts.set(scanned.node, scanned.write === undefined ? text : finish(scanned.write(text)));
  if (texts.size > 0) effects.push({ kind: "change", change: { texts } });
  const reasons = [...missed, ...found.map(({ action, place, count }) => `${action} ${count} x ${place}`)];
  return { kind: "allow", effects, evidence, ...(reasons.length === 0 ? {} : { reason: reasons.join("; ") }) };
}

/** The strictest action first, then the higher score. */
const ORDER = ["none", "spotlight", "warn", "strip", "refuse"] as const;
const rank = ({ action, score }: Judged): number => ORDER.indexOf(action) + score / 2;

/** Spotlighting from 0 on marks every foreign text; only a score above a half makes it a suspicion. */
const isSuspicion = ({ action, score }: Judged): boolean => action !== "spotlight" || score >= 0.5;
const isForeign = (judged: Judged): boolean => judged.scanned.position === "untrusted" && isSuspicion(judged);

function countsOf(acted: readonly Judged[]): readonly FoundCount[] {
  const counts = new Map<string, FoundCount>();
  for (const { action, scanned } of acted) {
    const key = `${action} ${scanned.place}`;
    counts.set(key, { entity: "injection", place: scanned.place, action, count: (counts.get(key)?.count ?? 0) + 1 });
  }
  return [...counts.values()];
}

export const injectionStage = defineStage({ name: "injection", section: injectionSection, gather, decide });
