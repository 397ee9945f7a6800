import type { ExchangeRecord, StageEntry } from "../../core/record.ts";
import { columns, count, duration, type Paint, paintOf, shown, usd } from "./words.ts";

/** One exchange as its whole chain of decisions: who, what, each stage, where to, how it went, what it cost. */
export function showRecord(record: ExchangeRecord, paint: Paint): string {
  const colour = paintOf(record, paint);
  const lines: string[] = [`${paint.bold(`Exchange ${shown(record.id)}`)}  ${colour(headline(record))}`, ""];
  const section = (title: string, rows: readonly (readonly [string, string | undefined])[]): void => {
    const told = rows.filter((row): row is readonly [string, string] => row[1] !== undefined && row[1] !== "");
    if (told.length === 0) return;
    lines.push(paint.bold(title), ...columns(told).map((line) => `  ${line}`), "");
  };
  section("Who", who(record));
  section("What", what(record));
  lines.push(paint.bold("Decision"));
  for (const [index, line] of columns([["STAGE", "MODE", "VERDICT", "CODE", "TOOK", "REASON"], ...record.stages.map(stageRow)]).entries())
    lines.push(`  ${index === 0 ? paint.dim(line) : stageColour(record.stages[index - 1], paint)(line)}`);
  lines.push(`  ${colour(conclusion(record))}`, "");
  section("Where", where(record));
  section("When", when(record));
  section("Answer", answerOf(record));
  section("Usage and cost", usage(record));
  section("Evidence", evidence(record));
  return `${lines.join("\n").trimEnd()}\n`;
}

function headline(record: ExchangeRecord): string {
  const status = record.status === undefined ? "" : `, status ${record.status}`;
  const theirs = record.upstreamStatus === undefined ? "" : `, the provider's was ${record.upstreamStatus}`;
  return `${record.decision === record.ending ? record.decision : `${record.decision}, ${record.ending}`}${status}${theirs}${record.code === undefined ? "" : `, ${record.code}`}`;
}

const stageRow = ({ stage, mode, verdict, code, us, reason }: StageEntry): readonly string[] => [
  shown(stage),
  shown(mode),
  verdict === "deny" && mode !== "enforce" ? "would deny" : shown(verdict),
  shown(code),
  us === undefined ? "" : duration(us / 1000),
  shown(reason),
];

function stageColour(entry: StageEntry | undefined, paint: Paint): (text: string) => string {
  if (entry === undefined || entry.verdict === "allow") return (text) => text;
  return entry.mode === "enforce" ? paint.bad : paint.warn;
}

function conclusion(record: ExchangeRecord): string {
  const reason = record.reason === undefined ? "" : `: ${shown(record.reason)}`;
  if (record.decision === "refused") return `=> refused as ${record.code ?? "?"}${reason}`;
  const tried = record.stages.filter(({ verdict, mode }) => verdict === "deny" && mode !== "enforce").length;
  const trial = tried === 0 ? "" : `; ${tried} rule${tried === 1 ? "" : "s"} on trial would have refused it`;
  return `=> ${record.decision}${trial}${record.code === undefined ? "" : `; then ${record.code}${reason}`}`;
}

type Rows = readonly (readonly [string, string | undefined])[];

const who = (record: ExchangeRecord): Rows => [
  ["tenant", optional(record.tenant)],
  ["app", optional(record.app)],
  ["user", optional(record.user)],
  ["use case", optional(record.useCase)],
  ["credential", record.credential === undefined ? undefined : `${shown(record.credential.kind)} ${shown(record.credential.id)}`],
  ["channel", optional(record.channel)],
  ["data class", optional(record.dataClass)],
  ["retention", optional(record.retention)],
  ["conversation", optional(record.conversation)],
];

const what = (record: ExchangeRecord): Rows => [
  ["call", `${shown(record.method)} ${shown(record.path)}`],
  ["surface", record.surface === undefined ? undefined : `${shown(record.surface)}${record.streaming === true ? ", streamed" : ""}`],
  ["asked for", optional(record.modelAsked)],
  [
    "policy",
    record.policy === undefined
      ? undefined
      : `${shown(record.policy.name)} @ ${shown(record.policy.version)}  (${shown(record.policy.hash).slice(0, 12)})`,
  ],
  ["unknown fields", record.unknownFields === undefined ? undefined : shown(record.unknownFields.join(", "))],
  ["observed", record.observed === true ? "yes: nothing was decided, the stages say what would have been" : undefined],
];

const where = ({ model, target, servedBy, attempts }: ExchangeRecord): Rows => [
  ["model", optional(model)],
  [
    "provider",
    target === undefined
      ? undefined
      : `${shown(target.provider)}: ${shown(target.model)}${target.region === undefined ? "" : ` in ${shown(target.region)}`}`,
  ],
  ["cluster", target === undefined ? undefined : shown(target.cluster)],
  ["served by", servedBy === undefined ? undefined : `${shown(servedBy)}${attempts === undefined ? "" : `, attempt ${attempts}`}`],
];

function when({ time, ms }: ExchangeRecord): Rows {
  const after = (at: number | undefined): string | undefined => (at === undefined ? undefined : `+${duration(at)}`);
  return [
    ["arrived", `${shown(time).replace("T", " ").replace("Z", "")} UTC`],
    ["decided", after(ms.decided)],
    ["answer began", after(ms.upstream)],
    ["first token", after(ms.firstToken)],
    ["ended", `${after(ms.total)}, of which Sluice took ${duration(ms.sidecar)}`],
  ];
}

const answerOf = ({ answer }: ExchangeRecord): Rows =>
  answer === undefined
    ? []
    : [
        ["complete", answer.complete ? "yes" : "no"],
        ["finished by", answer.finishReasons === undefined ? undefined : shown(answer.finishReasons.join(", "))],
        ["model", optional(answer.model)],
        ["provider's id", optional(answer.responseId)],
        ["error", optional(answer.error)],
        ["tools called", answer.toolCalls === undefined ? undefined : shown(answer.toolCalls.join(", "))],
        ["not understood", answer.unknownEvents === undefined ? undefined : `${answer.unknownEvents} events, passed on`],
        ["not valid", answer.invalidEvents === undefined ? undefined : `${answer.invalidEvents} events, passed on`],
      ];

function usage({ usage: used, cost }: ExchangeRecord): Rows {
  const parts = (all: Readonly<Record<string, number | undefined>>): string => {
    const told = Object.entries(all).filter(([, value]) => value !== undefined && value > 0);
    return told.length === 0 ? "" : `  (of which ${told.map(([name, value]) => `${count(value ?? 0)} ${name}`).join(", ")})`;
  };
  const total = (value: number | undefined): string =>
    value === undefined ? "not reported" : `${count(value)} token${value === 1 ? "" : "s"}`;
  const input =
    used &&
    parts({
      cached: used.cachedInputTokens,
      "written to the cache": sum(used.cacheWriteTokens, used.cacheWrite1hTokens),
      audio: used.audioInputTokens,
      image: used.imageInputTokens,
      "by tools": used.toolInputTokens,
    });
  const output = used && parts({ reasoning: used.reasoningTokens, audio: used.audioOutputTokens, image: used.imageOutputTokens });
  return [
    ["input", used === undefined ? undefined : `${total(used.inputTokens)}${input ?? ""}`],
    ["output", used === undefined ? undefined : `${total(used.outputTokens)}${output ?? ""}`],
    [
      "apart",
      used?.apartInputTokens === undefined ? undefined : `${total(used.apartInputTokens)} input, ${total(used.apartOutputTokens)} output`,
    ],
    ["tool calls", used?.toolCalls === undefined ? undefined : count(used.toolCalls)],
    [
      "cost",
      cost === undefined
        ? undefined
        : `${usd(cost.nanoUsd)}  (price: ${shown(cost.price)}${cost.estimated ? "; usage estimated, the provider did not report it" : ""})`,
    ],
  ];
}
const sum = (one: number | undefined, other: number | undefined): number => (one ?? 0) + (other ?? 0);

const evidence = (record: ExchangeRecord): Rows => [
  ["request id", optional(record.requestId)],
  [
    "trace",
    record.trace === undefined
      ? optional(record.traceparent)
      : `${shown(record.trace.id)}, span ${shown(record.trace.span)}${record.trace.sampled ? "" : ", not sampled"}`,
  ],
  [
    "bytes",
    `${count(record.bytes.request)} asked${changed(record.bytes.requestSent, "sent on")}, ${count(record.bytes.answer)} answered${changed(record.bytes.answerSent, "passed on")}`,
  ],
  ["request", digest(record.digests.request)],
  ["sent on", digest(record.digests.requestSent)],
  ["answer", digest(record.digests.answer)],
];
const changed = (bytes: number | undefined, word: string): string => (bytes === undefined ? "" : ` (${count(bytes)} ${word})`);
const digest = (hex: string | undefined): string | undefined => (hex === undefined ? undefined : `sha256 ${shown(hex)}`);
const optional = (value: string | undefined): string | undefined => (value === undefined ? undefined : shown(value));
