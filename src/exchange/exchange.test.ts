import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { property } from "../../test/support/property.ts";
import { type Command, type Exchange, type Input, type Phase, START, step } from "./exchange.ts";

/** Runs inputs through the machine; the driver's own results (identified, decided ...) are given where it asks for them. */
interface Choices {
  /** late: the answer comes when the test gives it, or never. */
  readonly identify: "go" | "refuse" | "late";
  readonly decide: "forward" | "reply" | "late";
  readonly open: "hold" | "stream";
  readonly judge: "pass" | "replace";
}

class Run {
  now: Exchange = START;
  readonly commands: Command[] = [];
  readonly #choices: Choices;
  pendingDecision = false;
  pendingIdentity = false;

  constructor(choices: Choices) {
    this.#choices = choices;
  }

  send(input: Input): void {
    const [next, commands] = step(this.now, input);
    this.now = next;
    for (const command of commands) {
      this.commands.push(command);
      if (command.do === "identify") {
        if (this.#choices.identify === "late") this.pendingIdentity = true;
        else this.identified(this.#choices.identify === "refuse" ? "refused" : undefined);
      }
      if (command.do === "decide") {
        if (this.#choices.decide === "late") this.pendingDecision = true;
        else this.decided();
      }
      if (command.do === "open") this.send({ on: "opened", as: this.#choices.open });
      if (command.do === "judge") this.send({ on: "judged", as: this.#choices.judge, ending: "served" });
    }
  }

  identified(reply: "refused" | undefined): void {
    this.pendingIdentity = false;
    this.send({ on: "identified", reply });
  }

  decided(): void {
    this.pendingDecision = false;
    this.send({ on: "decided", reply: this.#choices.decide === "reply" ? "refused" : undefined });
  }

  count(what: Command["do"]): number {
    return this.commands.filter((command) => command.do === what).length;
  }
}

/** Messages as Envoy sends them for one request: any prefix may be the last before the stream closes. */
const session = fc.record({
  get: fc.boolean(),
  localReplyEarly: fc.boolean(),
  chunks: fc.nat({ max: 6 }),
  emptyAnswer: fc.boolean(),
  trailers: fc.boolean(),
  closeAfter: fc.nat({ max: 14 }),
  complete: fc.boolean(),
  disturb: fc.array(fc.record({ at: fc.nat({ max: 12 }), what: fc.constantFrom<"expired" | "fault" | "cut">("expired", "fault", "cut") }), {
    maxLength: 2,
  }),
  choices: fc.record<Choices>({
    identify: fc.constantFrom("go", "go", "go", "refuse", "late"),
    decide: fc.constantFrom("forward", "forward", "reply", "late"),
    open: fc.constantFrom("hold", "stream"),
    judge: fc.constantFrom("pass", "replace"),
  }),
});
type Session = typeof session extends fc.Arbitrary<infer T> ? T : never;

function messages(of: Session): Input[] {
  const list: Input[] = [{ on: "request_headers", end: of.get }];
  if (!of.get && !of.localReplyEarly) list.push({ on: "request_body", end: true });
  list.push({ on: "response_headers", end: of.emptyAnswer });
  if (of.emptyAnswer) return list;
  for (let index = 0; index < of.chunks; index++) list.push({ on: "response_body", end: false });
  list.push(of.trailers ? { on: "response_trailers" } : { on: "response_body", end: true });
  return list;
}

function disturbance(what: "expired" | "fault" | "cut", { complete }: Session): Input {
  if (what === "cut") return { on: "cut", ending: "cut" };
  return what === "expired" ? { on: "expired", complete } : { on: "fault" };
}

function play(of: Session): Run {
  const run = new Run(of.choices);
  let sent = 0;
  for (const message of messages(of)) {
    if (sent === of.closeAfter) break;
    // Envoy goes on to the answer only when the request phase was answered, unless it answers itself.
    if (run.pendingIdentity && !of.localReplyEarly) run.identified(undefined);
    if (message.on === "response_headers" && run.pendingDecision && !of.localReplyEarly) run.decided();
    if (run.now.state === "finished") break;
    run.send(message);
    for (const { at, what } of of.disturb) {
      if (at === sent) run.send(disturbance(what, of));
    }
    sent += 1;
    // Envoy has answered on its own: who was calling does not matter any more.
    if (run.pendingIdentity && sent === 2) run.identified("refused");
  }
  run.send({ on: "closed", complete: of.complete });
  if (run.pendingIdentity) run.identified(undefined);
  if (run.pendingDecision) run.decided();
  run.send({ on: "closed", complete: of.complete });
  return run;
}

property(
  "settles once and last, and decides at most once, however the stream goes",
  session,
  (of) => {
    const run = play(of);
    assert.equal(run.count("settle"), 1);
    assert.ok(run.count("decide") <= 1);
    assert.equal(run.commands.at(-1)?.do, "settle", "a command after the settlement would speak to a closed stream");
    assert.equal(run.now.state, "closed");
  },
  2000,
);

property(
  "answers every phase at most once, in Envoy's order, and only after it arrived",
  session,
  (of) => {
    const order: Phase[] = ["request_headers", "request_body", "response_headers", "response_body", "response_trailers"];
    const answered: Phase[] = [];
    for (const command of play(of).commands) {
      if (command.do === "continue" || command.do === "forward" || command.do === "reply") answered.push(command.at);
      if (command.do === "stream_headers" || command.do === "release") answered.push("response_headers");
      if (command.do === "flush") answered.push("response_trailers");
    }
    assert.equal(new Set(answered).size, answered.length, `twice: ${answered.join(" ")}`);
    assert.deepEqual(
      answered,
      order.filter((phase) => answered.includes(phase)),
    );
  },
  2000,
);

property(
  "a body of ours goes out only after one of Envoy's came in, and after the headers",
  session,
  (of) => {
    const { commands } = play(of);
    const first = commands.findIndex(({ do: what }) => what === "tail" || what === "feed" || what === "flush" || what === "finish");
    if (first < 0) return;
    assert.ok(of.chunks > 0 || commands[first]?.do !== "tail", "the tail of a stream that sent nothing");
    assert.ok(commands.slice(0, first).some(({ do: what }) => what === "stream_headers"));
  },
  2000,
);

property(
  "nothing is forwarded without a decision to forward, and nothing is sent after an own reply",
  session,
  (of) => {
    const { commands } = play(of);
    const forwards = commands.findIndex((command) => command.do === "forward");
    if (forwards >= 0) {
      assert.ok(commands.slice(0, forwards).some((command) => command.do === "decide"));
      assert.notEqual(of.choices.decide, "reply");
      assert.notEqual(of.choices.identify, "refuse");
    }
    const replied = commands.findIndex((command) => command.do === "reply");
    if (replied >= 0)
      assert.deepEqual(
        commands
          .slice(replied + 1)
          .map((command) => command.do)
          .filter((what) => what !== "settle" && what !== "fail"),
        [],
      );
  },
  2000,
);

test("a message out of turn fails the call instead of passing uninspected", () => {
  for (const first of ["request_body", "request_trailers", "response_body", "response_trailers"] as const) {
    const [, commands] = step(
      START,
      first === "response_trailers" || first === "request_trailers" ? { on: first } : { on: first, end: true },
    );
    assert.equal(commands[0]?.do, "fail");
  }
});

test("the body waits for who is calling, and a late word about it is dropped", () => {
  const choices: Choices = { identify: "late", decide: "forward", open: "hold", judge: "pass" };
  const waiting = new Run(choices);
  waiting.send({ on: "request_headers", end: false });
  assert.deepEqual(waiting.commands, [{ do: "identify", end: false }], "nothing is answered before it is known");
  waiting.identified(undefined);
  assert.equal(waiting.commands.at(-1)?.do, "continue");
  const refused = new Run(choices);
  refused.send({ on: "request_headers", end: true });
  refused.identified("refused");
  assert.deepEqual(refused.commands.at(-1), { do: "reply", at: "request_headers" });
  const left = new Run(choices);
  left.send({ on: "request_headers", end: true });
  left.send({ on: "closed", complete: false });
  left.identified(undefined);
  assert.deepEqual(
    left.commands.map((command) => command.do),
    ["identify", "settle"],
    "no decision is begun for a caller who left",
  );
});

test("a decision that arrives after Envoy answered itself is dropped", () => {
  const run = new Run({ identify: "go", decide: "late", open: "hold", judge: "replace" });
  run.send({ on: "request_headers", end: false });
  run.send({ on: "request_body", end: true });
  run.send({ on: "response_headers", end: false });
  run.decided();
  run.send({ on: "response_body", end: true });
  run.send({ on: "closed", complete: false });
  assert.deepEqual(
    run.commands.map((command) => command.do),
    ["identify", "continue", "decide", "open", "hold", "judge", "release", "settle"],
  );
});

test("a stream that expires before its first piece is judged like a held answer, its headers unsent", () => {
  const run = new Run({ identify: "go", decide: "forward", open: "stream", judge: "replace" });
  const asked: Input[] = [
    { on: "request_headers", end: false },
    { on: "request_body", end: true },
    { on: "response_headers", end: false },
  ];
  const late: Input[] = [
    { on: "expired", complete: false },
    { on: "response_body", end: false },
    { on: "closed", complete: false },
  ];
  for (const input of [...asked, ...late]) run.send(input);
  assert.deepEqual(
    run.commands.map((command) => command.do),
    ["identify", "continue", "decide", "forward", "open", "judge", "release", "settle"],
  );
});

test("the ending says how the answer went", () => {
  const ending = (choices: Choices, inputs: readonly Input[], complete = false): string | undefined => {
    const run = new Run(choices);
    for (const input of inputs) run.send(input);
    run.send({ on: "closed", complete });
    const last = run.commands.at(-1);
    return last?.do === "settle" ? last.ending : undefined;
  };
  const go: Choices = { identify: "go", decide: "forward", open: "stream", judge: "pass" };
  const asked: Input[] = [
    { on: "request_headers", end: false },
    { on: "request_body", end: true },
  ];
  const begun: Input[] = [...asked, { on: "response_headers", end: false }, { on: "response_body", end: false }];
  assert.equal(ending(go, [...begun, { on: "response_body", end: true }]), "served");
  assert.equal(ending(go, begun), "aborted");
  assert.equal(ending(go, begun, true), "served", "the answer's last event is with the caller, who hung up on it");
  assert.equal(ending({ ...go, open: "hold" }, begun, true), "aborted", "nothing of a held answer is with the caller");
  assert.equal(ending(go, [...begun, { on: "expired", complete: true }]), "served", "the provider said its last and keeps the line open");
  assert.equal(ending(go, [...begun, { on: "fault" }], true), "cut");
  assert.equal(ending(go, asked), "aborted");
  assert.equal(ending(go, [...begun, { on: "expired", complete: false }]), "cut");
  assert.equal(ending({ ...go, identify: "refuse" }, asked), "refused");
});
