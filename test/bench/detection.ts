import { openaiChat } from "../../src/codecs/openai-chat.ts";
import type { StageContext } from "../../src/core/stage.ts";
import { createInjectionScorer } from "../../src/detectors/injection/score.ts";
import { Gate } from "../../src/pipeline/guards/gate.ts";
import type { WorkGuard } from "../../src/pipeline/work.ts";
import { redactStage } from "../../src/stages/redact/stage.ts";
import { readRequest } from "../support/codec-runs.ts";
import { context } from "../support/context.ts";
import { LANE, seat } from "../support/guards.ts";
import { testKeyring } from "../support/keyring.ts";

const PROSE = "Please look at the order and tell the customer when it ships, in plain words and without promises. ";
/** Two kilobytes of a letter, with an address, a number and an order in it. */
const KB2 = `${PROSE.repeat(7)}Order 4711 of 12 May, version 2.1.0. ${PROSE.repeat(6)}Write to jane.doe@acme-corp.com or call +1 415 623 2671. ${PROSE.repeat(6)}`;
const RUNS = 2_000;

/** Microseconds that data protection takes by itself, on one warm core: of a prompt of 2 KB (and its score for injection), an answer of 2 KB, an event of a stream. */
export function detectionShares(): {
  readonly promptUs: number;
  readonly answerUs: number;
  readonly eventUs: number;
  readonly injectionUs: number;
} {
  const stage = redactStage.bind({ profile: "strict" }, { mode: "enforce", onFault: "closed" });
  const request = requestOf(KB2);
  const { signal } = new AbortController();
  const decide = () => stage.evaluate(request, signal);
  const said = decide();
  const guards: WorkGuard[] =
    said instanceof Promise || said.kind !== "allow"
      ? []
      : said.effects.flatMap((effect) => (effect.kind === "guard" ? [seat("redact", effect.guard)] : []));
  const frame = (text: string) => ({ bytes: Buffer.from(text), deltas: [{ ...LANE, text }], rewrite: () => Buffer.from(text) });
  const whole = frame(KB2);
  const events = KB2.match(/.{1,5}/gs)?.map(frame) ?? [];
  const scorer = createInjectionScorer();
  const answer = (frames: readonly (typeof whole)[]): void => {
    const gate = new Gate(guards, Number.POSITIVE_INFINITY);
    for (const one of frames) gate.push([one]);
    gate.end([]);
  };
  return {
    promptUs: timed(decide),
    answerUs: timed(() => answer([whole])),
    // As of a text seen first; that of a text seen before is looked up.
    injectionUs: timed(() => scorer.score(KB2, "user")),
    eventUs: timed(() => answer(events), RUNS / 20) / events.length,
  };
}

function requestOf(content: string): StageContext {
  const request = readRequest(openaiChat, JSON.stringify({ model: "gpt", messages: [{ role: "user", content }] }));
  return { ...context({ stores: { keyring: testKeyring() } }), request };
}

function timed(work: () => unknown, runs = RUNS): number {
  for (let run = 0; run < runs; run++) work();
  const begun = performance.now();
  for (let run = 0; run < runs; run++) work();
  return ((performance.now() - begun) / runs) * 1000;
}
