import { DETECTORS, StreamScan, scan } from "../../src/detectors/index.ts";
import { HOSTILE } from "../support/detectors.ts";
import { searchHostile } from "./hostile-search.ts";

/**
 * What detection costs: milliseconds of one core a megabyte (2^20 UTF-16 units) of ordinary text and of the worst there is, a 2 KB prompt, and
 * one event of a stream. Best of several runs after a warm-up.
 * `node test/bench/detectors.ts [entity ...]`: these alone; `--each` prints every detector's share. With all of them it also looks for
 * dearer texts than those it knows, for a few seconds; test/bench/hostile-search.ts does so for longer.
 */
const MIB = 1_048_576;
const ORDINARY = `The quarterly review took place on 14 March 2024 in the small meeting room. Revenue rose by 12.5% to 4,310,000 EUR, mostly
because of the new service (see section 3.2.1 of the plan, page 17). Please write to ann.smith@example.com or call +44 20 7946 0958 when
something is unclear; ticket 48213 has the details. The build v2.14.0 of 2024-03-12T09:30:00Z passed all 1,204 checks at commit 9f8c2ab7.
`;
const CHINESE =
  "我们在2024年3月14日开会讨论了新项目的进展，收入增长了12.5%，主要是因为新的服务。如果有不清楚的地方，请联系负责人，详细内容见第17页。";
const PROSE =
  "It was a bright cold day in the hills, and the sheep were counting one another while the shepherd slept under the old tree. ";

const SEARCH_SECONDS = 5;
const named = process.argv.slice(2).filter((argument) => !argument.startsWith("-"));
const chosen = named.length === 0 ? DETECTORS : DETECTORS.filter(({ entities }) => entities.some((entity) => named.includes(entity)));

function best(work: () => void, runs = 3): number {
  let least = Number.POSITIVE_INFINITY;
  for (let run = 0; run < runs; run += 1) {
    const start = process.cpuUsage();
    work();
    const { user, system } = process.cpuUsage(start);
    least = Math.min(least, (user + system) / 1000);
  }
  return least;
}

const megabyteOf = (piece: string): string => piece.repeat(Math.ceil(MIB / piece.length)).slice(0, MIB);
function row(name: string, value: number, unit: string): void {
  process.stdout.write(`${name.padEnd(44)} ${value.toFixed(value < 10 ? 3 : 0).padStart(8)} ${unit}\n`);
}

for (const [name, piece] of [
  ["ordinary business text", ORDINARY],
  ["prose without a digit", PROSE],
  ["Chinese text", CHINESE],
] as const) {
  const text = megabyteOf(piece);
  row(
    name,
    best(() => void scan(text, chosen)),
    "ms/MB",
  );
}

const hostile = [
  ...HOSTILE,
  "4242 4242 4242 4242 ",
  "123 456 789 ",
  "123-45-6789 ",
  "536904399 ",
  "5369 0439 9",
  "1.2.3.4 ",
  "+1 415 555 2671 ",
  "a@b.co ",
  "https://a:b@c ",
  "GB29 NWBK ",
  "GB29 NWBK 6016 1331 9268 19 ",
  "12345678:A ",
  "X-1234567-L ",
  "::1 ",
  "8.8.8.8 ",
  "BSN 111222333 ",
  "card 12345678 ",
  "CPF 52998224725 ",
  "O cliente 063.409.114-04 pagou. ",
  "call about invoice 12345678 tomorrow ",
  "4242\u200b4242\u200b4242\u200b4242 ",
  "AB 12 34 56 C ",
  "\u200b9",
  "2D.",
  "9是",
  "is is ",
  "A:d0運",
  "7,F ",
  "2Z\u200b",
  "49\u200b1 3",
  "1. 1. 6",
  "@a年12356789é7",
  "8\u200b\u200b6",
  ".2.2\u200b",
  " 2 2\u200b",
  "\u200b8\u200b88１\u200b",
  "7是7是-7是7是0",
  ".00-",
  "11 dl",
];
const costs = hostile.map((piece) => {
  const text = megabyteOf(piece);
  return { piece, cost: best(() => void scan(text, chosen), 1) };
});
costs.sort((a, b) => b.cost - a.cost);
for (const { piece, cost } of costs.slice(0, 12)) row(`hostile ${JSON.stringify(piece)} repeated`, cost, "ms/MB");

if (named.length === 0) {
  const seed = Math.floor(Math.random() * 2 ** 31);
  const [dearest] = searchHostile(SEARCH_SECONDS, seed);
  row(`found by search, seed ${seed}: ${JSON.stringify(dearest?.piece)}`, dearest?.msPerMib ?? 0, "ms/MB");
}

const prompt = ORDINARY.repeat(6).slice(0, 2048);
row(
  "a prompt of 2 KB",
  best(() => {
    for (let run = 0; run < 1000; run += 1) scan(prompt, chosen);
  }),
  "us",
);
const events = prompt.match(/.{1,5}/gs) ?? [];
row(
  "an event of a stream (5 characters)",
  (best(() => {
    for (let run = 0; run < 20; run += 1) {
      const stream = new StreamScan(chosen);
      for (const event of events) stream.push(event);
      stream.end();
    }
  }) *
    1000) /
    (20 * events.length),
  "us",
);

if (process.argv.includes("--each")) {
  const text = megabyteOf(ORDINARY);
  const worst = megabyteOf(costs[0]?.piece ?? "1");
  for (const detector of DETECTORS) {
    row(
      detector.entities.join(),
      best(() => void scan(text, [detector]), 2),
      "ms/MB ordinary",
    );
    row(
      "",
      best(() => void scan(worst, [detector]), 1),
      "ms/MB worst",
    );
  }
}
