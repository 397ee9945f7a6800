import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { frameOf, gated, LANE, REFUSE, seat, through, wordGuard } from "../../../test/support/guards.ts";
import { property } from "../../../test/support/property.ts";
import type { Frame } from "../../core/codec.ts";
import type { AnswerGuard, CallVerdict, LaneStep, Stop } from "../../core/guard.ts";
import { WITHHELD_BYTES_MAX } from "../../core/limits.ts";
import type { Delta, LaneId } from "../../core/view.ts";
import type { WorkGuard } from "../work.ts";
import { Gate } from "./gate.ts";

const FORBIDDEN: Stop = { kind: "refuse", denial: { code: "tool_not_allowed" } };
const ARGS: LaneId = { choice: 0, block: 0, channel: "tool_arguments" };
const texts = (pieces: readonly string[], lane: LaneId = LANE): Frame[] => pieces.map((text) => frameOf([{ ...lane, text }]));
const plain = (out: string): string => out.replaceAll(/[<>]/g, "");
const cutText = (text: string, cuts: readonly number[]): string[] => {
  const whole = (place: number): boolean => !/[\ud800-\udbff]/.test(text.charAt(place - 1));
  const places = [...new Set(cuts.map((cut) => cut % (text.length + 1)))].filter(whole).sort((a, b) => a - b);
  return [...places, text.length].map((end, index) => text.slice(places[index - 1] ?? 0, end));
};

test("what no guard touches leaves with its own bytes; a comment waits behind what is held", () => {
  const gate = new Gate([seat("a", wordGuard("secret", "###"))], 1e6);
  const bytesOf = (frame: Frame): string => Buffer.concat(gate.push([frame]).bytes).toString();
  assert.equal(bytesOf(frameOf([{ ...LANE, text: "hello " }])), "<hello >");
  assert.equal(bytesOf(frameOf([{ ...LANE, text: "sec" }])), "");
  assert.equal(bytesOf({ bytes: Buffer.from(": ping"), deltas: [] }), "");
  assert.equal(bytesOf(frameOf([{ ...LANE, text: "ond" }])), "<sec>: ping<ond>");
});
test("a change goes into the frame in which it begins; the rest is cut from those that follow", () => {
  const { out } = gated([seat("a", wordGuard("secret", "###"))], texts(["my se", "cr", "et!"]));
  assert.equal(out, "<my ###><><!>");
});
test("what waited for a call leaves in turns, in order and with its changes, and what comes behind it too", () => {
  const judge: AnswerGuard = { judgesCall: () => true, judgeCall: () => ({ kind: "pass" }), evidence: () => undefined };
  const gate = new Gate([seat("a", wordGuard("secret", "###")), seat("b", judge)], 1e6);
  const pieces = ['"', ...Array.from({ length: 3_000 }, (_, at) => `${at} secret `), '"'];
  const frames = pieces.map((text, at) =>
    frameOf([{ ...ARGS, text }], at === 0 ? { calls: [{ choice: 0, block: 0, name: "f", id: "c" }] } : {}),
  );
  let passed = gate.push(frames);
  for (; passed.more; passed = gate.resume()) assert.equal(passed.bytes.length, 0);
  const turns: number[] = [];
  let out = "";
  for (passed = gate.end(texts(["after"])); ; passed = gate.resume()) {
    out += Buffer.concat(passed.bytes).toString();
    turns.push(passed.bytes.length);
    if (!passed.more) break;
  }
  assert.equal(out, [...pieces, "after"].map((text) => `<${text.replace("secret", "###")}>`).join(""));
  assert.ok(turns.length > 3 && Math.max(...turns) < 1_000, turns.join());
});
test("lanes that take turns do not mix", () => {
  const other = { ...LANE, choice: 1 };
  const frames = ["s", "e", "c", "r", "e", "t"].flatMap((text) => [frameOf([{ ...LANE, text }]), frameOf([{ ...other, text: "x" }])]);
  const { out } = gated([seat("a", wordGuard("secret", "###")), seat("b", wordGuard("sexc", "!"))], frames);
  assert.equal(out, "<###><x><><x><><x><><x><><x><><x>");
});
test("of overlapping changes the earlier stage's holds, and the rest of the later one's is cut all the same", () => {
  const guards = [seat("a", wordGuard("cdef", "A")), seat("b", wordGuard("abcd", "B"))];
  assert.equal(plain(gated(guards, texts(["xabcdefx"])).out), "xBAx");
  assert.equal(plain(gated(guards.toReversed(), texts(["xabcdefx"])).out), "xBAx");
  const within = [seat("a", wordGuard("c", "A")), seat("b", wordGuard("bcd", "B"))];
  assert.equal(plain(gated(within, texts(["abcde"])).out), "aBAe");
});
test("guards in shadow and warn are asked and hold nothing back", () => {
  for (const mode of ["shadow", "warn"] as const) {
    const gate = new Gate([seat("a", wordGuard("secret", "###", { stop: REFUSE }), { mode })], 0);
    assert.equal(through(gate, texts(["my sec", "ret"])).out, "<my sec><ret>");
  }
});

property(
  "I8: whatever the cut, the text that leaves is that of the whole (three guards that overlap, one of which may end it)",
  fc.tuple(
    fc.array(fc.constantFrom("ab", "bc", "cab", "stop", "sto", "b", "é", "😀"), { maxLength: 12 }),
    fc.array(fc.nat({ max: 40 }), { maxLength: 12 }),
    fc.boolean(),
    fc.nat({ max: 3 }),
  ),
  ([words, cuts, stops, chunk]) => {
    const text = words.join("");
    const guards = () => [
      seat("a", wordGuard("abc", "1")),
      seat("b", wordGuard("cab", "22")),
      seat("c", wordGuard("stop", "", stops ? { stop: REFUSE } : {})),
      seat("d", wordGuard("bcc", "4"), { mode: "shadow" }),
    ];
    const whole = gated(guards(), texts([text]));
    const cut = gated(guards(), texts(cutText(text, cuts)), chunk + 1);
    assert.equal(plain(cut.out), plain(whole.out));
    assert.deepEqual(cut.stop, whole.stop);
  },
);

const values = fc.array(fc.constantFrom("secret", "se", "cret", '"', "\\", "\n", "é", "\u2028", "😀", "7", "x"), { maxLength: 8 });
property(
  "arguments stay JSON: guards see strings without escapes, their changes are escaped again, whatever the cut",
  fc.tuple(fc.array(values, { minLength: 1, maxLength: 4 }), fc.array(fc.nat({ max: 200 }), { maxLength: 20 }), fc.boolean()),
  ([strings, cuts, escapes]) => {
    const value = { list: strings.map((pieces) => pieces.join("")), secret: 1 };
    const json = escapes ? escaped(JSON.stringify(value)) : JSON.stringify(value);
    const { out } = gated([seat("a", wordGuard("secret", 'S"\n\\'))], texts(cutText(json, cuts), ARGS));
    const expected = JSON.parse(JSON.stringify(value).replaceAll("secret", JSON.stringify('S"\n\\').slice(1, -1)));
    assert.deepEqual(JSON.parse(plain(out)), expected);
  },
);
/** The same JSON with every other letter of its strings as an escape. */
function escaped(json: string): string {
  let every = 0;
  return json.replaceAll(/(?<!\\)(?<!\\u[0-9a-f]{0,3})[a-z](?=[^\\]*")/g, (letter) =>
    every++ % 2 === 0 ? `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}` : letter,
  );
}

test("a number that is changed stays one where it can, else becomes what the guard says, else a string", () => {
  const json = '{"card":4111111111111111,"n":[1,-2.5e3],"s":"4111111111111111"}';
  const change = (text: string, inNumber?: string) =>
    plain(
      gated(
        [seat("a", wordGuard("4111111111111111", text, { more: inNumber === undefined ? {} : { inNumber } }))],
        texts(cutText(json, [9, 12, 26]), ARGS),
      ).out,
    );
  assert.equal(change("5555444433331111"), '{"card":5555444433331111,"n":[1,-2.5e3],"s":"5555444433331111"}');
  assert.equal(change("(card)"), '{"card":"(card)","n":[1,-2.5e3],"s":"(card)"}');
  assert.equal(change("(card)", "0"), '{"card":0,"n":[1,-2.5e3],"s":"(card)"}');
});
test("content that is an object or list is JSON too; prose is not", () => {
  const guards = () => [seat("a", wordGuard("bob", 'B"'))];
  assert.equal(plain(gated(guards(), texts(['{"a":"b', '\\u006fb"}'])).out), '{"a":"B\\""}');
  assert.equal(plain(gated(guards(), texts(["(bob) \\u0062ob"])).out), '(B") \\u0062ob');
});

test("what is said in sound too has its stand-ins put back, and ends the answer where it would be masked", () => {
  const spoken = [frameOf([{ ...LANE, text: "my secret", spoken: true }])];
  assert.equal(gated([seat("a", wordGuard("secret", "x", { more: { ifFixed: "pass" } }))], spoken).out, "<my x>");
  const ended = gated([seat("a", wordGuard("secret", "x"))], spoken);
  assert.deepEqual([ended.out, ended.stop?.kind], ["", "refuse"]);
});
test("signed text passes whole or ends the answer, as the change says", () => {
  const signed = [frameOf([{ ...LANE, channel: "reasoning", text: "my secret", signed: true }])];
  assert.deepEqual(gated([seat("a", wordGuard("secret", "x", { more: { ifFixed: "pass" } }))], signed).out, "<my secret>");
  const ended = gated([seat("a", wordGuard("secret", "x"))], signed);
  assert.equal(ended.out, "");
  assert.equal(ended.stop?.denial.code, "content_blocked");
});
test("a text that must change in a frame that cannot be written ends the answer", () => {
  const { rewrite: _rewrite, ...rigid } = frameOf([{ ...LANE, text: "my secret" }]);
  const ended = gated([seat("a", wordGuard("secret", "x"))], [...texts(["a "]), rigid, ...texts(["b"])]);
  assert.equal(ended.out, "<a >");
  assert.equal(ended.stop?.kind, "refuse");
});
test("a repeated text is judged anew, whole", () => {
  const frames = [...texts(["sec", "ret"]), frameOf([{ ...LANE, text: "secret", repeats: true }])];
  assert.equal(gated([seat("a", wordGuard("secret", "x"))], frames).out, "<x><><x>");
});

test("the answer ends at the earliest stop: what stands before it leaves, nothing after it", () => {
  const frames = [
    ...texts(["one two"]),
    frameOf([
      { ...LANE, text: " stop three" },
      { ...LANE, choice: 1, text: "other" },
    ]),
    ...texts(["four"]),
  ];
  const ended = gated([seat("a", wordGuard("stop", "", { stop: REFUSE }))], frames);
  assert.equal(ended.out, "<one two>< ><>");
  assert.deepEqual(ended.stop, REFUSE);
  assert.equal(ended.said, " ");
});
test("a guard that knows only at the lane's end can still end the answer before its last frame", () => {
  const late: AnswerGuard = {
    openLane: () => {
      let length = 0;
      return {
        push: (piece) => {
          length += piece.length;
          return { decided: length, edits: [] };
        },
        end: () => ({ decided: length, edits: [], stop: { at: length, stop: REFUSE } }),
      };
    },
    evidence: () => undefined,
  };
  const done: Frame = { bytes: Buffer.from("done"), deltas: [], ends: "all" };
  assert.deepEqual(gated([seat("a", late)], [...texts(["a", "b"]), done]), { out: "<a><b>", stop: REFUSE, said: "" });
});

const call = (text: string, more: Partial<Frame> = {}): Frame => frameOf(text === "" ? [] : [{ ...ARGS, text }], more);
test("a call waits until it was judged whole; one that needs no judgement does not", () => {
  const seen: string[] = [];
  const judge = (allow: boolean): AnswerGuard => ({
    judgesCall: (name) => name === "refund",
    judgeCall: ({ name, arguments: given }) => {
      seen.push(`${name} ${given}`);
      return allow ? { kind: "pass" } : { kind: "stop", stop: REFUSE };
    },
    evidence: () => undefined,
  });
  const begins = { calls: [{ choice: 0, block: 0, name: "refund", id: "c1" }] };
  const frames = [...texts(["well"]), call("", begins), call('{"to":"bo'), call('b"}'), { ...call(""), ends: [ARGS] }, ...texts(["!"])];
  const both = (allow: boolean) => gated([seat("a", judge(allow)), seat("b", wordGuard("bob", "eve"))], frames);
  assert.equal(both(true).out, '<well><{"to":"eve><"}><!>');
  assert.deepEqual(both(false), { out: "<well>", stop: REFUSE, said: "" });
  assert.deepEqual(seen, ['refund {"to":"eve"}', 'refund {"to":"eve"}']);
  const harmless = { calls: [{ choice: 0, block: 0, name: "search", id: "c1" }] };
  const gate = new Gate([seat("a", judge(false))], 1e6);
  assert.equal(Buffer.concat(gate.push([call("{", harmless)]).bytes).toString(), "<{>");
});

test("of a call that was judged nothing comes behind its end but blanks", () => {
  const judge: AnswerGuard = { judgesCall: () => true, judgeCall: () => ({ kind: "pass" }), evidence: () => undefined };
  const begins = call('{"to":"bob"}', { calls: [{ choice: 0, block: 0, name: "send", id: "c" }], ends: [ARGS] });
  const blank = gated([seat("a", judge)], [begins, call("\n")]);
  assert.deepEqual([blank.out, blank.stop], ['<{"to":"bob"}><\n>', undefined]);
  const { out, stop } = gated([seat("a", judge)], [begins, call(', "to":"eve"}')]);
  assert.deepEqual([out, stop?.denial.code], ['<{"to":"bob"}>', "content_blocked"]);
  assert.equal(gated([seat("a", judge, { mode: "shadow" })], [begins, call("more")]).stop, undefined);
});

test("where calls are judged, an answer with two readings of one ends before it; elsewhere it passes", () => {
  const judge: AnswerGuard = { judgesCall: () => false, judgeCall: () => ({ kind: "pass" }), evidence: () => undefined };
  const frames = [...texts(["well"]), call("", { ambiguous: true }), ...texts(["!"])];
  const { out, stop } = gated([seat("a", judge)], frames);
  assert.deepEqual([out, stop?.denial.code], ["<well>", "content_blocked"]);
  for (const passing of [seat("a", judge, { mode: "shadow" }), seat("a", wordGuard("bob", "eve"))])
    assert.deepEqual([gated([passing], frames).out, gated([passing], frames).stop], ["<well><!>", undefined]);
});

test("calls that come one after the other under one number are judged each; one that changes its name midway ends the answer", () => {
  const seen: string[] = [];
  const judge: AnswerGuard = {
    judgesCall: () => true,
    judgeCall: ({ name, arguments: given }) => {
      seen.push(`${name} ${given}`);
      return name === "refund" ? { kind: "stop", stop: REFUSE } : { kind: "pass" };
    },
    evidence: () => undefined,
  };
  const begins = (name: string) => ({ calls: [{ choice: 0, block: 0, name, id: "" }] });
  const run = (first: string, second: string) =>
    gated([seat("a", judge)], [call(first, begins("get_a")), { ...call('{"b":2}', begins(second)), ends: [ARGS] }]);
  assert.equal(run('{"a":1}', "get_b").out, '<{"a":1}><{"b":2}>');
  assert.deepEqual(seen.splice(0), ['get_a {"a":1}', 'get_b {"b":2}']);
  assert.deepEqual(run('{"a":1}', "refund"), { out: '<{"a":1}>', stop: REFUSE, said: "" });
  for (const unfinished of ["", '{"a":']) {
    const { out, stop } = run(unfinished, "get_b");
    assert.deepEqual([out, stop?.denial.code], [unfinished === "" ? "" : `<${unfinished}>`, "content_blocked"]);
  }
});

const step = (more: Partial<LaneStep>): LaneStep => ({ decided: 1, edits: [], ...more });
const LIES: readonly (readonly [string, (nth: number) => LaneStep])[] = [
  ["takes back what it decided", (nth) => step({ decided: nth === 0 ? 3 : 1 })],
  ["says no number", () => step({ decided: Number.NaN })],
  ["changes what it did not decide", () => step({ edits: [{ start: 0, end: 2, text: "x" }] })],
  ["changes what has left", (nth) => step({ decided: 3 * (nth + 1), edits: nth === 0 ? [] : [{ start: 0, end: 2, text: "x" }] })],
  ["changes nothing", () => step({ edits: [{ start: 0, end: 0, text: "x" }] })],
  [
    "changes out of order",
    () =>
      step({
        decided: 3,
        edits: [
          { start: 1, end: 2, text: "x" },
          { start: 0, end: 1, text: "y" },
        ],
      }),
  ],
  ["stops beyond the text", () => step({ stop: { at: 100, stop: REFUSE } })],
  [
    "throws",
    () => {
      throw new Error("bug with content in it");
    },
  ],
];
for (const [what, lie] of LIES) {
  const liar = (): AnswerGuard => {
    let nth = 0;
    return {
      openLane: () => ({ push: () => lie(nth++), end: () => step({ decided: Number.POSITIVE_INFINITY }) }),
      evidence: () => undefined,
    };
  };
  test(`a guard that ${what} ends the answer where its stage fails closed, and is left out where it fails open`, () => {
    const closed = gated([seat("a", liar())], texts(["one", "two", "end"]));
    assert.equal(closed.stop?.denial.code, "internal");
    assert.ok(!closed.out.includes("end"), closed.out);
    const open = gated([seat("a", liar(), { onFault: "open" }), seat("b", wordGuard("two", "2"))], texts(["one", "two", "end"]));
    assert.equal(plain(open.out).replace(/^x/, "o"), "one2end");
    assert.equal(open.stop, undefined);
    assert.equal(plain(gated([seat("a", liar(), { mode: "shadow" })], texts(["one", "two", "end"])).out), "onetwoend");
  });
}
test("a guard that never decides ends the answer once more is held than may be", () => {
  const never: AnswerGuard = {
    openLane: () => ({ push: () => step({ decided: 0 }), end: () => step({ decided: Number.POSITIVE_INFINITY }) }),
    evidence: () => undefined,
  };
  const ended = gated([seat("a", never)], texts(Array.from({ length: 100 }, () => "0123456789")), 1, 500);
  assert.equal(ended.out, "");
  assert.equal(ended.stop?.kind, "refuse");
});
test("one turn of the event loop reads a bounded piece of the text", () => {
  const gate = new Gate([seat("a", wordGuard("secret", "x"))], Number.POSITIVE_INFINITY);
  let turns = 1;
  for (let passed = gate.end(texts(["y".repeat(200_000)])); passed.more; passed = gate.resume()) turns += 1;
  assert.ok(turns >= 6, String(turns));
});
test("too many lanes end the answer", () => {
  const frames = Array.from({ length: 5_000 }, (_none, block): Delta[] => [{ ...LANE, block, text: "a" }]).map((deltas) => frameOf(deltas));
  assert.equal(gated([seat("a", wordGuard("secret", "x"))], frames).stop?.kind, "refuse");
});

test("an answer that is withheld ends for the caller before the call, and is kept whole as it would have been", () => {
  const seen: (string | undefined)[] = [];
  const verdicts: Record<string, CallVerdict> = {
    refund: {
      kind: "withhold",
      end: (answer) => {
        seen.push(answer?.contentType, answer === undefined ? undefined : Buffer.from(answer.body).toString());
        return { stop: REFUSE, kept: true };
      },
    },
    wipe: { kind: "stop", stop: FORBIDDEN },
  };
  const approval: AnswerGuard = {
    judgesCall: () => true,
    judgeCall: ({ name }) => verdicts[name] ?? { kind: "pass" },
    evidence: () => undefined,
  };
  const begins = (name: string, block: number) => ({
    calls: [{ choice: 0, block, name, id: "c1" }],
    ends: [{ ...ARGS, block }],
  });
  const frames = [...texts(["well "]), call('{"to":"bob"}', begins("refund", 0)), ...texts(["bye"])];
  const run = (complete: boolean, more: readonly Frame[] = [], others: readonly WorkGuard[] = []) => {
    const gate = new Gate([seat("a", approval), seat("b", wordGuard("bob", "eve")), ...others], 1e6, "text/x");
    const before = gate.push([...frames, ...more]);
    const after = gate.end([], complete);
    return { out: Buffer.concat([...before.bytes, ...after.bytes]).toString(), stop: (before.stop ?? after.stop)?.stop };
  };
  assert.deepEqual(run(true), { out: "<well >", stop: REFUSE });
  assert.deepEqual(seen.splice(0), ["text/x", '<well ><{"to":"eve"}><bye>']);
  assert.deepEqual(run(false), { out: "<well >", stop: REFUSE }, "it broke off");
  assert.deepEqual(seen.splice(0), [undefined, undefined]);
  const large: Frame = { bytes: new Uint8Array(WITHHELD_BYTES_MAX), deltas: [] };
  assert.deepEqual(run(true, [large, ...texts(["never read"])]), { out: "<well >", stop: REFUSE });
  assert.deepEqual(seen.splice(0), [undefined, undefined]);
  const wipe = frameOf([{ ...ARGS, block: 1, text: "{}" }], begins("wipe", 1));
  assert.deepEqual(run(true, [wipe]), { out: "<well >", stop: FORBIDDEN });
  assert.deepEqual(run(true, texts(["stop"]), [seat("c", wordGuard("stop", "", { stop: FORBIDDEN }))]), {
    out: "<well >",
    stop: FORBIDDEN,
  });
  assert.deepEqual(seen, [], "nobody is asked about an answer that another rule ends");
});
test("where asking about a withheld answer fails the answer ends, in either fault mode, and the record has the fault", () => {
  for (const onFault of ["closed", "open"] as const) {
    const back: string[] = [];
    const guard: AnswerGuard = {
      judgesCall: () => true,
      judgeCall: ({ name }) =>
        name === "first"
          ? { kind: "pass", giveBack: () => back.push(name) }
          : {
              kind: "withhold",
              end: () => {
                throw new Error("the store is gone");
              },
            },
      evidence: () => undefined,
    };
    const calls = ["first", "second"].map((name, block) => ({ choice: 0, block, name, id: "" }));
    const gate = new Gate([seat("a", guard, { onFault })], 1e6);
    const before = gate.push([call("{}", { calls, ends: "all" })]);
    const { stop } = gate.end([], true);
    gate.close();
    assert.deepEqual([before.bytes.length, stop?.stop.denial.code, gate.seats[0]?.fault, back], [0, "internal", "exception", ["first"]]);
  }
});

test("what a guard gave for a call is given back where the call does not leave after all, and only there", () => {
  let back: string[] = [];
  const judge = (last: CallVerdict): AnswerGuard => ({
    judgesCall: () => true,
    judgeCall: ({ name }) => (name === "last" ? last : { kind: "pass", giveBack: () => back.push(name) }),
    evidence: () => undefined,
  });
  const begins = (...names: string[]) => ({
    calls: names.map((name, block) => ({ choice: 0, block, name, id: "" })),
    ends: "all" as const,
  });
  const stop: CallVerdict = { kind: "stop", stop: REFUSE };
  const run = (last: CallVerdict, frames: readonly Frame[], complete = true): readonly string[] => {
    back = [];
    const gate = new Gate([seat("a", judge(last))], 1e6);
    gate.push(frames);
    gate.end([], complete);
    gate.close();
    return back;
  };
  assert.deepEqual(run(stop, [call("{}", begins("first", "last"))]), ["first"], "in one frame with one that is refused");
  assert.deepEqual(run(stop, [call("{}", begins("first")), call("{}", begins("last"))]), [], "it has left");
  assert.deepEqual(run(stop, [call("{}", begins("first", "second"))]), []);
  const withheld = (keeps: boolean): CallVerdict => ({
    kind: "withhold",
    end: (answer) => ({ stop: REFUSE, kept: keeps && answer !== undefined }),
  });
  assert.deepEqual(run(withheld(true), [call("{}", begins("first", "last"))]), [], "it is kept with its answer");
  assert.deepEqual(run(withheld(false), [call("{}", begins("first", "last"))]), ["first"]);
  assert.deepEqual(run(withheld(true), [call("{}", begins("first", "last"))], false), ["first"], "the answer broke off");
  back = [];
  const gate = new Gate(
    [
      seat("a", judge(stop)),
      seat("b", { openLane: () => ({ push: () => step({ decided: 0 }), end: () => step({}) }), evidence: () => undefined }),
    ],
    1e6,
  );
  gate.push([...texts(["held"]), call("{}", { ...begins("first"), ends: [ARGS] })]);
  gate.close();
  assert.deepEqual(back, ["first"], "the caller left");
});
test("a guard whose word is not acted on foresees calls, and does nothing about them", () => {
  const asked: string[] = [];
  const guard: AnswerGuard = {
    judgesCall: () => true,
    judgeCall: () => {
      asked.push("judged");
      return { kind: "pass" };
    },
    foreseeCall: () => {
      asked.push("foreseen");
      return { kind: "stop", stop: REFUSE };
    },
    evidence: () => undefined,
  };
  const frames = [call("{}", { calls: [{ choice: 0, block: 0, name: "f", id: "" }], ends: [ARGS] })];
  assert.equal(gated([seat("a", guard, { mode: "shadow" })], frames).out, "<{}>");
  assert.deepEqual(asked.splice(0), ["foreseen"]);
  gated([seat("a", guard)], frames);
  assert.deepEqual(asked, ["judged"]);
});
test("a turn that ends between two texts of one frame goes on with the second", () => {
  const long = "y".repeat(32_768);
  const frames = [
    frameOf([
      { ...LANE, text: long },
      { ...LANE, choice: 1, text: "a secret b" },
      { ...LANE, text: "z" },
    ]),
  ];
  assert.equal(gated([seat("a", wordGuard("secret", "#"))], frames).out, `<${long}><a # b><z>`);
});
