/**
 * Every guard of every stage dies, at once and in the middle of an answer, through a real Envoy: what the caller sees then, and what the
 * record says, is as the stage's fault mode has it. The guards are those that the stages gave, so a new rule is killed here too.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { AnswerGuard, LaneReader } from "../../src/core/guard.ts";
import type { BoundStage, Effect, StageDefinition, Verdict } from "../../src/core/stage.ts";
import { STAGES } from "../../src/stages/index.ts";
import { type Gateway, startGateway } from "../support/gateway.ts";
import { assertSubset } from "../support/subset.ts";

/** Which guard dies, and after how many questions; and what was seen of the guards of the latest exchange. */
const plan: { kill: string | undefined; after: number; asked: number; seen: string[] } = { kill: undefined, after: 0, asked: 0, seen: [] };

/** Answers as long as it lives. */
function mortal(guard: AnswerGuard, name: string): AnswerGuard {
  plan.seen.push(name);
  const ask = <T>(question: () => T): T => {
    if (plan.kill === name && plan.asked++ >= plan.after) throw new Error("killed");
    return question();
  };
  const { openLane, judgesCall, judgeCall } = guard;
  const reader = (of: LaneReader | undefined): LaneReader | undefined =>
    of && { push: (text) => ask(() => of.push(text)), end: () => ask(() => of.end()) };
  return {
    begin: (found) => guard.begin?.(found),
    evidence: () => guard.evidence(),
    taints: () => guard.taints?.() === true,
    ...(openLane === undefined ? {} : { openLane: (...lane) => reader(ask(() => openLane.apply(guard, lane))) }),
    ...(judgesCall === undefined ? {} : { judgesCall: (...call) => ask(() => judgesCall.apply(guard, call)) }),
    ...(judgeCall === undefined ? {} : { judgeCall: (call) => ask(() => judgeCall.call(guard, call)) }),
  };
}

function withMortals(stage: string, verdict: Verdict): Verdict {
  const { effects } = verdict;
  if (effects === undefined) return verdict;
  let at = 0;
  return {
    ...verdict,
    effects: effects.map(
      (effect): Effect => (effect.kind === "guard" ? { ...effect, guard: mortal(effect.guard, `${stage} ${at++}`) } : effect),
    ),
  };
}

function wrap(stage: StageDefinition): () => void {
  const { bind } = stage;
  Object.assign(stage, {
    bind: (...of: Parameters<StageDefinition["bind"]>): BoundStage => {
      const bound = bind(...of);
      return {
        ...bound,
        evaluate: (context, signal) => {
          const said = bound.evaluate(context, signal);
          if (!(said instanceof Promise)) return withMortals(stage.name, said);
          return said.then((result) =>
            result.ok ? { ok: true, value: { ...result.value, verdict: withMortals(stage.name, result.value.verdict) } } : result,
          );
        },
      };
    },
  });
  return () => Object.assign(stage, { bind });
}

let gateway: Gateway;
const unwrap: (() => void)[] = [];
const RULES = (fault: string, output: string): string => `
    access: { onFault: ${fault}, models: ["*"], tools: { allow: [get_a], arguments: [{ tool: get_a, schema: { type: object } }] } }
    redact: { onFault: ${fault}, profile: strict }
    output: { onFault: ${fault}, ${output} }`;
const ALL = `maxChars: 1000, deny: [{ name: words, words: [zzzz] }, { name: code, pattern: "ZZ-[0-9]{4}" }, { name: card, entities: [payment_card] }],
      urls: { allow: [docs.example] }, systemPrompt: { words: 6, canaries: [CANARY-4711-X] }`;
const SHAPE = "schema: { type: object }";
before(async () => {
  for (const stage of STAGES) unwrap.push(wrap(stage));
  gateway = await startGateway({
    policy: `
apiVersion: sluice/v1
version: "guards.1"
providers: { openai: { format: openai, baseUrl: "\${SIM}/v1", credential: { env: SIM_KEY } } }
models: { gpt-4o-mini: { targets: [{ provider: openai, model: gpt-4o-mini }] } }
tenants: { acme: { apps: { bot: { credentials: [{ apiKey: { id: k1, sha256: "\${KEY:acme/bot}" } }], useCases: [closed, open, closed_shape, open_shape] } } } }
useCases:
  closed: ${RULES("closed", ALL)}
  open: ${RULES("open", ALL)}
  closed_shape: ${RULES("closed", SHAPE)}
  open_shape: ${RULES("open", SHAPE)}
`,
  });
});
after(async () => {
  await gateway.stop();
  for (const undo of unwrap) undo();
});

const PIECES = ['{"a":"on', "e tw", "o thr", 'ee"}'];
const CALL = { id: "call_1", type: "function", function: { name: "get_a", arguments: '{"n":1}' } };
function answers(stream: boolean): void {
  const head = { id: "chatcmpl-1", created: 1, model: "gpt-4o-mini" };
  const usage = { prompt_tokens: 9, completion_tokens: 5, total_tokens: 14 };
  const chunk = (delta: object, finish: string | null = null): string =>
    `data: ${JSON.stringify({ ...head, object: "chat.completion.chunk", choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`;
  const message = { role: "assistant", content: PIECES.join(""), tool_calls: [CALL] };
  const whole = { ...head, object: "chat.completion", choices: [{ index: 0, message, finish_reason: "tool_calls" }], usage };
  const chunks = [
    ...PIECES.map((content) => chunk({ content })),
    chunk({ tool_calls: [{ index: 0, ...CALL }] }),
    chunk({}, "tool_calls"),
    "data: [DONE]\n\n",
  ];
  gateway.simulator.respondWith(() => ({
    status: 200,
    headers: { "content-type": stream ? "text/event-stream" : "application/json" },
    chunks: stream ? chunks : [JSON.stringify(whole)],
  }));
}

async function call(useCase: string, stream: boolean) {
  answers(stream);
  plan.asked = 0;
  plan.seen = [];
  const answer = await fetch(`${gateway.url}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${gateway.key()}`, "x-ai-use-case": useCase },
    body: JSON.stringify({
      model: "gpt-4o-mini",
      stream,
      messages: [
        { role: "system", content: "Never tell anyone how the price of the thing is made up." },
        { role: "user", content: "go" },
      ],
      tools: [{ type: "function", function: { name: "get_a" } }],
    }),
  });
  const text = await answer.text();
  return { status: answer.status, text, record: await gateway.record(answer.headers.get("x-ai-request-id") ?? "") };
}

/** Names as they are given out: the stages that have guards, each with its number. */
const EXPECTED = {
  "": ["access 0", "output 0", "output 1", "output 2", "output 3", "output 4", "output 5", "output 6", "redact 0"],
  _shape: ["access 0", "output 0", "redact 0"],
} as const;

for (const shape of ["", "_shape"] as const)
  describe(shape === "" ? "guards that look at each piece" : "a guard that waits for the whole", () => {
    test("all alive: the answer passes, and these are the guards that there are", async () => {
      plan.kill = undefined;
      for (const stream of [false, true]) {
        const { status, text, record } = await call(`closed${shape}`, stream);
        assert.deepEqual([status, record.decision, record.ending], [200, "allowed", "served"], text);
        assert.deepEqual(plan.seen.toSorted(), EXPECTED[shape]);
      }
    });
    for (const name of EXPECTED[shape])
      for (const after_ of [0, 1, 2, 3])
        test(`${name} dies ${after_ === 0 ? "at once" : `after ${after_} questions`}`, async () => {
          plan.kill = name;
          plan.after = after_;
          for (const stream of [false, true]) {
            const closed = await call(`closed${shape}`, stream);
            assert.ok(after_ > 0 || plan.asked > 0, "it was never asked");
            // A guard that is asked less often than that has lived.
            if (plan.asked <= after_) continue;
            const [stage = ""] = name.split(" ");
            assert.ok(!closed.text.includes("get_a"), "the call that nobody judged any more has left");
            assert.match(closed.text, /"code":"internal"/);
            assert.equal(closed.status, closed.text.includes("data: {") && closed.text.includes("delta") ? 200 : 500);
            assertSubset(closed.record, { decision: "refused", code: "internal", ending: "cut", status: closed.status });
            const fault = (onFault: string) => ({
              stage,
              on: "answer",
              verdict: "fault",
              code: "internal",
              reason: `exception; ${onFault}`,
            });
            assertSubset(
              closed.record.stages.find(({ verdict }) => verdict === "fault"),
              fault("closed"),
            );
            const open = await call(`open${shape}`, stream);
            assert.deepEqual([open.status, open.record.ending], [200, "served"], open.text);
            assert.ok(open.text.includes("get_a") && !open.text.includes("internal"));
            assertSubset(
              open.record.stages.find(({ verdict }) => verdict === "fault"),
              fault("open"),
            );
          }
        });
  });
