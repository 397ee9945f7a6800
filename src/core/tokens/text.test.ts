import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { property } from "../../../test/support/property.ts";
import { openGptTokens } from "../../adapters/tokens/gpt.ts";
import { exactCount } from "./exact.ts";
import { familyOf } from "./families.ts";
import { OutputCounter } from "./output.ts";
import { TextMeter, textTokens } from "./text.ts";

const exact = openGptTokens();
const GPT = familyOf("gpt-4o");
/** Sentences of the same content, from newspapers' plain style. */
const PROSE: readonly (readonly [string, string])[] = [
  ["English", "This morning we talked about next week's work and decided that the report has to be ready by Friday at the latest."],
  [
    "German",
    "Heute Morgen haben wir über die Arbeit der nächsten Woche gesprochen und beschlossen, dass der Bericht bis Freitag fertig ist.",
  ],
  ["French", "Ce matin, nous avons parlé du travail de la semaine prochaine et décidé que le rapport devait être prêt vendredi."],
  ["Polish", "Dziś rano rozmawialiśmy o pracy w przyszłym tygodniu i postanowiliśmy, że raport będzie gotowy najpóźniej w piątek."],
  ["Russian", "Сегодня утром мы обсудили работу на следующую неделю и решили, что отчёт должен быть готов не позднее пятницы."],
  ["Greek", "Σήμερα το πρωί μιλήσαμε για τη δουλειά της επόμενης εβδομάδας και αποφασίσαμε ότι η έκθεση θα είναι έτοιμη."],
  ["Arabic", "تحدثنا هذا الصباح عن عمل الأسبوع القادم وقررنا أن يكون التقرير جاهزا يوم الجمعة على أبعد تقدير"],
  ["Hindi", "आज सुबह हमने अगले हफ्ते के काम के बारे में बात की और तय किया कि रिपोर्ट शुक्रवार तक तैयार हो जाए"],
  ["Chinese", "今天早上我们谈了下周的工作，并决定报告最迟在星期五完成，请大家提前准备好自己的部分。"],
  ["Japanese", "今朝、来週の仕事について話し合い、報告書は遅くとも金曜日までに完成させることに決めました。"],
  ["Korean", "오늘 아침에 다음 주 일에 대해 이야기했고 보고서는 늦어도 금요일까지 준비하기로 했습니다."],
  [
    "code",
    "export function sumOf(values: readonly number[]): number {\n  let sum = 0;\n  for (const value of values) sum += value;\n  return sum;\n}\n",
  ],
  ["JSON", '{"id": 4711, "name": "Widget", "tags": ["small", "blue"], "price": {"amount": 12.5, "currency": "EUR"}, "stock": null}'],
];

test("the estimate of ordinary text is near the exact count, in every script", () => {
  for (const [name, text] of PROSE) {
    const [estimated, counted] = [textTokens(text, GPT.rates), exact.count(text, "o200k_base")];
    const error = (estimated - counted) / counted;
    assert(Math.abs(error) <= 0.25, `${name}: ${estimated.toFixed(1)} for ${counted} tokens`);
  }
  const all = PROSE.map(([, text]) => text).join("\n");
  const error = textTokens(all, GPT.rates) / exact.count(all, "o200k_base") - 1;
  assert(Math.abs(error) <= 0.08, `together ${(error * 100).toFixed(1)}% off`);
});

const anyText = fc.oneof(
  fc.string({ unit: "binary", maxLength: 300 }),
  fc
    .array(
      fc.constantFrom("the", " word", "camelCase", "\n\n", "  ", "42", "1234567", "été", "вода", "水", "のは", "🎉", '":{"', "don't"),
      {
        maxLength: 40,
      },
    )
    .map((pieces) => pieces.join("")),
);

property(
  "text in pieces counts exactly as the whole does, however it is cut",
  fc.tuple(anyText, fc.array(fc.nat(300), { maxLength: 20 })),
  ([text, cuts]) => {
    const meter = new TextMeter(GPT.rates);
    let from = 0;
    for (const cut of [...cuts.filter((at) => at < text.length).sort((a, b) => a - b), text.length]) {
      meter.add(text.slice(from, cut));
      from = cut;
    }
    const whole = new TextMeter(GPT.rates);
    whole.add(text);
    assert.equal(meter.tokens(), whole.tokens());
  },
);

property(
  "a streamed answer counts the same in every cut, estimated and at its end",
  fc.tuple(anyText, fc.array(fc.nat(300), { maxLength: 20 })),
  ([text, cuts]) => {
    const counterOf = (pieces: readonly string[]): OutputCounter => {
      const counter = new OutputCounter(GPT, exact);
      for (const piece of pieces) counter.add({ choice: 0, block: 0, channel: "content", text: piece });
      return counter;
    };
    const at = [0, ...cuts.filter((cut) => cut < text.length).sort((a, b) => a - b), text.length];
    const pieces = at.slice(1).map((end, index) => text.slice(at[index], end));
    const [cut, whole] = [counterOf(pieces), counterOf([text])];
    assert.equal(cut.tokens(), whole.tokens());
    assert.equal(cut.total(), whole.total());
    // One more ends the answer.
    assert.equal(whole.total(), exact.count(text, "o200k_base") + 1);
  },
  100,
);

test("two choices that stream in turns count like two answers, and a call of a tool costs more than its arguments", () => {
  const counter = new OutputCounter(familyOf("claude-haiku-4-5"));
  for (const text of ["Hel", "lo ", "wor", "ld"]) for (const choice of [0, 1]) counter.add({ choice, block: 0, channel: "content", text });
  assert(counter.tokens() >= 4);
  const before = counter.tokens();
  counter.add({ choice: 0, block: 1, channel: "tool_arguments", text: "{}" });
  assert(counter.tokens() >= before + 40);
});

test("a long answer keeps a bounded text and is counted at the ratio of its beginning", () => {
  const counter = new OutputCounter(GPT, exact);
  const text = `${PROSE[0]?.[1] ?? ""} `;
  for (let index = 0; index < 2000; index++) counter.add({ choice: 0, block: 0, channel: "content", text });
  const all = exact.count(text, "o200k_base") * 2000;
  assert(Math.abs(counter.total() / all - 1) < 0.05, `${counter.total()} for ${all}`);
});

test("many texts past what is counted exactly are taken at the ratio of those before", () => {
  const count = exactCount(GPT, exact);
  assert(count !== undefined);
  const text = PROSE[0]?.[1] ?? "";
  let sum = 0;
  for (let index = 0; index < 1000; index++) sum += count(text);
  const all = exact.count(text, "o200k_base") * 1000;
  assert(Math.abs(sum / all - 1) < 0.05, `${sum} for ${all}`);
});

test("a megabyte without a space takes less than 200 ms, estimated and counted", () => {
  exact.count("loads the encoding", "o200k_base");
  const letters = Array.from({ length: 4096 }, (_, index) => String.fromCharCode(97 + ((index * 7919 + (index >> 3)) % 26))).join("");
  for (const text of ["a".repeat(1 << 20), " ".repeat(1 << 20), letters.repeat(256), "水".repeat(1 << 20), "!?".repeat(1 << 19)]) {
    const started = performance.now();
    const count = exactCount(GPT, exact);
    assert(count !== undefined && count(text) > 0);
    const tookMs = performance.now() - started;
    assert(tookMs < 200, `${tookMs.toFixed(0)} ms for ${text.slice(0, 3)}`);
  }
});
