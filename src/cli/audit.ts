import { once } from "node:events";
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { err, ok, type Result } from "../core/result.ts";
import { eventTable, readEvents } from "./audit/events.ts";
import { journalLines, type RecordFile, recordFiles } from "./audit/files.ts";
import { FILTER_OPTIONS, type RecordFilter, readFilter } from "./audit/filter.ts";
import { openFollower } from "./audit/follow.ts";
import { matching, readRecords, type Skipped } from "./audit/read.ts";
import type { RecordLine } from "./audit/record-line.ts";
import { showRecord } from "./audit/show.ts";
import { SUM_KEYS, Sums } from "./audit/sum.ts";
import { tableHead, tableRow } from "./audit/table.ts";
import { type Paint, paintFor, shown } from "./audit/words.ts";
import { type Command, type CommandIo, usageProblem } from "./command.ts";

const LIMIT = 50;
const FOLLOW_FIRST = 10;
/** Records that `show` prints at most: a trace may have many. */
const SHOWN_MAX = 20;

const HELP = `sluice audit: what the records say

  sluice audit [list] [filters]              the latest records that match, newest last
  sluice audit --follow [filters]            and those to come, until Ctrl-C
  sluice audit show ID                       one exchange: who, what, each rule's verdict, where, times, usage, cost
  sluice audit sum --by tenant,model [filters]   totals
  sluice audit events                        what people did: budgets granted, calls approved ...   (--tenant, --since, --until)

  --data DIR        folder of the records     (SLUICE_DATA; .run/records, where \`make run\` keeps them)
  --limit N         how many of the latest; 0: all, oldest first  (${LIMIT})
  --json            JSON lines: records as they were written, totals one line a group
  --by KEYS         ${Object.keys(SUM_KEYS).join(", ")}

Filters; several values of one with commas, all filters must hold:
  --tenant --app --user --use-case --credential --conversation --surface --provider
  --model NAME      as the policy, the provider or the caller spells it
  --policy VERSION  the policy's version
  --decision        allowed, warned, degraded, refused, cached
  --code            rate_limited, upstream_error ...: why it was refused or failed
  --ending          served, refused, answered, cut, local_reply, aborted, shutdown, crashed
  --would-deny      any, or a code: a rule in shadow or warn would have refused it
  --status          200, 429, 5xx
  --id ID           the exchange's id or its beginning, or the caller's x-request-id
  --trace ID        W3C trace id
  --since --until   a time ago (15m, 2h, 7d) or a time (2026-11-23, 2026-11-23T10:00:00Z); arrival, [since, until)
  --min-cost USD    --min-ms MS

show takes an exchange's id (x-ai-request-id) or its beginning, an x-request-id, or a trace id.
Exit code: 0 done, 1 no such exchange or no records there, 2 wrong usage. Colours only on a terminal (NO_COLOR: none).
`;

export const auditCommand: Command = { help: HELP, run };

const OPTIONS = {
  ...FILTER_OPTIONS,
  data: { type: "string" },
  limit: { type: "string" },
  by: { type: "string" },
  json: { type: "boolean" },
  follow: { type: "boolean", short: "f" },
} as const;

const parse = (args: readonly string[]) => parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true });

interface Call {
  readonly io: CommandIo;
  readonly dir: string;
  readonly files: ReadonlyMap<string, readonly RecordFile[]>;
  readonly filter: RecordFilter;
  readonly json: boolean;
  readonly paint: Paint;
  readonly skipped: Skipped;
  readonly out: Output;
}

async function run(args: readonly string[], io: CommandIo): Promise<number> {
  const wrong = (problem: string): number => {
    io.stderr.write(`sluice audit: ${problem}; see sluice audit --help\n`);
    return 2;
  };
  const read = readCall(args);
  if (!read.ok) return wrong(read.error);
  const { word, id, values, filter, by, limit } = read.value;
  const dir = resolve(io.cwd, dataFolder(values.data, io));
  const files = await recordFiles(dir);
  if (files === undefined || files.size === 0) {
    io.stderr.write(
      `sluice audit: ${files === undefined ? "there is no folder" : "there are no records in"} ${dir}; name the folder that \`sluice serve --data\` has with --data\n`,
    );
    return 1;
  }
  const paint = paintFor(io.stdout.isTTY === true && io.env["NO_COLOR"] === undefined && values.json !== true);
  const call: Call = { io, dir, files, filter, json: values.json === true, paint, skipped: { lines: 0 }, out: new Output(io.stdout) };
  try {
    if (word === "show") return await show(call, id);
    if (word === "sum") return await sum(call, by);
    if (word === "events") return await events(call, limit ?? LIMIT, values.tenant);
    return values.follow === true ? await follow(call, limit ?? FOLLOW_FIRST) : await list(call, limit ?? LIMIT);
  } finally {
    call.out.done();
    const { lines } = call.skipped;
    if (lines > 0)
      io.stderr.write(
        `sluice audit: ${lines} line${lines === 1 ? "" : "s"} that ${lines === 1 ? "is no record was" : "are no records were"} skipped\n`,
      );
  }
}

interface ReadCall {
  readonly word: "list" | "show" | "sum" | "events";
  readonly id: string;
  readonly values: ReturnType<typeof parse>["values"];
  readonly filter: RecordFilter;
  readonly by: readonly string[];
  readonly limit: number | undefined;
}

function readCall(args: readonly string[]): Result<ReadCall, string> {
  let parsed: ReturnType<typeof parse>;
  try {
    parsed = parse(args);
  } catch (cause) {
    return err(usageProblem(cause));
  }
  const { values, positionals } = parsed;
  const [word = "list", id = "", ...more] = positionals;
  if (word !== "list" && word !== "show" && word !== "sum" && word !== "events")
    return err(`there is only list, show, sum and events, not ${shown(word)}`);
  if (word === "show" ? id === "" || more.length > 0 : positionals.length > 1)
    return err(word === "show" ? "show wants one id" : `${word} takes options only`);
  if (word === "show" && id.length < 4) return err("show wants at least the first four characters of an id");
  if (values.follow === true && word !== "list") return err("--follow goes with list");
  const by = values.by?.split(",").map((name) => name.trim()) ?? [];
  if (values.by !== undefined && word !== "sum") return err("--by goes with sum");
  const strange = by.find((name) => !Object.hasOwn(SUM_KEYS, name));
  if (strange !== undefined) return err(`--by knows ${Object.keys(SUM_KEYS).join(", ")}, not ${shown(strange)}`);
  if (values.limit !== undefined && !/^\d{1,9}$/.test(values.limit)) return err("--limit wants a number, 0 for all");
  const filter = readFilter(values, Date.now());
  if (!filter.ok) return filter;
  return ok({ word, id, values, filter: filter.value, by, limit: values.limit === undefined ? undefined : Number(values.limit) });
}

function dataFolder(named: string | undefined, io: CommandIo): string {
  const chosen = named ?? io.env["SLUICE_DATA"];
  if (chosen !== undefined) return chosen;
  return [".run/records", ".run/data"].find((dir) => existsSync(resolve(io.cwd, dir))) ?? ".run/records";
}

async function list(call: Call, limit: number): Promise<number> {
  const { out, filter, skipped } = call;
  let found = 0;
  if (limit === 0) {
    for await (const one of readRecords({ ...call, filter, skipped, newestFirst: false })) if (!(await print(call, one, found++))) return 0;
  } else {
    const latest: RecordLine[] = [];
    for await (const one of readRecords({ ...call, newestFirst: true })) {
      latest.push(one);
      if (latest.length >= limit) break;
    }
    for (const one of latest.reverse()) if (!(await print(call, one, found++))) return 0;
  }
  if (found === 0 && !out.closed) call.io.stderr.write("sluice audit: no record matches\n");
  return 0;
}

async function print({ json, out, paint }: Call, { record, line }: RecordLine, index: number): Promise<boolean> {
  // C1 controls are legal in JSON, and obeyed by terminals.
  if (json) return out.write(`${line.replaceAll(/[\x7f-\x9f]/g, (mark) => `\\u${mark.charCodeAt(0).toString(16).padStart(4, "0")}`)}\n`);
  return out.write(`${index === 0 ? `${tableHead(paint)}\n` : ""}${tableRow(record, paint)}\n`);
}

async function follow(call: Call, first: number): Promise<number> {
  const stop = new AbortController();
  const end = (): void => stop.abort();
  process.once("SIGINT", end);
  process.once("SIGTERM", end);
  call.out.onClose(end);
  try {
    // Opened before the list is read, so that nothing falls between the two; what both have is told once.
    const follower = await openFollower(call.dir);
    const told = new Set<string>();
    const latest: RecordLine[] = [];
    if (first > 0)
      for await (const one of readRecords({ ...call, newestFirst: true })) {
        latest.push(one);
        if (latest.length >= first) break;
      }
    let index = 0;
    for (const one of latest.reverse()) {
      told.add(one.record.id);
      await print(call, one, index++);
    }
    for await (const line of follower.lines(stop.signal)) {
      const record = matching(line, call.filter, call.skipped);
      if (record === undefined || told.delete(record.id)) continue;
      if (!(await print(call, { record, line }, index++))) break;
    }
    return 0;
  } finally {
    process.off("SIGINT", end);
    process.off("SIGTERM", end);
  }
}

async function show(call: Call, id: string): Promise<number> {
  const { io, dir, json, out, paint } = call;
  const filter: RecordFilter = {
    ...call.filter,
    needles: [...call.filter.needles, id],
    matches: (record) =>
      call.filter.matches(record) &&
      (record.id.startsWith(id) || record.requestId === id || record.trace?.id === id || record.traceparent?.split("-")[1] === id),
  };
  const found: RecordLine[] = [];
  for await (const one of readRecords({ ...call, filter, newestFirst: true })) {
    found.push(one);
    if (one.record.id === id || found.length > SHOWN_MAX) break;
  }
  if (found.length === 0) {
    for await (const line of journalLines(dir)) {
      const open = line.includes(id) ? openEntry(line, id) : undefined;
      if (open === undefined) continue;
      io.stderr.write(
        `sluice audit: exchange ${shown(open.id)} left at ${shown(open.time)} and has no record yet: it is under way, or its process died\n`,
      );
      return 1;
    }
    io.stderr.write(`sluice audit: no exchange ${shown(id)} in ${dir}\n`);
    return 1;
  }
  if (found.length > SHOWN_MAX) io.stderr.write(`sluice audit: more than ${SHOWN_MAX} match; the latest are shown\n`);
  for (const [index, one] of found.slice(0, SHOWN_MAX).reverse().entries()) {
    const text = json
      ? `${JSON.stringify(one.record, null, 2)}\n`
      : `${index > 0 ? `\n${paint.dim("-".repeat(80))}\n\n` : ""}${showRecord(one.record, paint)}`;
    if (!(await out.write(text))) break;
  }
  return 0;
}

function openEntry(line: string, id: string): { readonly id: string; readonly time: string } | undefined {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value !== "object" || value === null || !("id" in value) || !("time" in value)) return undefined;
    return typeof value.id === "string" && value.id.startsWith(id) ? { id: value.id, time: String(value.time) } : undefined;
  } catch {
    return undefined;
  }
}

async function sum(call: Call, by: readonly string[]): Promise<number> {
  const sums = new Sums(by);
  for await (const { record } of readRecords({ ...call, newestFirst: false })) sums.add(record);
  if (call.json) for (const line of sums.jsonLines()) await call.out.write(`${line}\n`);
  else if (sums.calls === 0) call.io.stderr.write("sluice audit: no record matches\n");
  else await call.out.write(sums.table(call.paint));
  return 0;
}

async function events(call: Call, limit: number, tenants: string | undefined): Promise<number> {
  const { out, json, paint, dir, files, filter } = call;
  const wanted = tenants?.split(",").map((name) => name.trim());
  const latest = await readEvents({ dir, files, sinceMs: filter.sinceMs, untilMs: filter.untilMs, limit, tenants: wanted });
  if (latest.length === 0) call.io.stderr.write("sluice audit: no event matches\n");
  else await out.write(json ? latest.map((event) => `${JSON.stringify(event)}\n`).join("") : eventTable(latest, paint));
  return 0;
}

/** Stdout with back pressure; a reader that has left (`| head`) ends the command quietly. */
class Output {
  readonly #stream: NodeJS.WritableStream;
  closed = false;
  #told: () => void = () => {};
  constructor(stream: NodeJS.WritableStream) {
    this.#stream = stream;
    stream.on("error", this.#gone);
    stream.on("close", this.#gone);
  }
  readonly #gone = (): void => {
    this.closed = true;
    this.#told();
  };
  onClose(told: () => void): void {
    this.#told = told;
  }
  /** False: nobody reads any more. */
  async write(text: string): Promise<boolean> {
    if (this.closed) return false;
    if (!this.#stream.write(text)) await Promise.race([once(this.#stream, "drain"), once(this.#stream, "close")]).catch(() => {});
    return !this.closed;
  }
  done(): void {
    this.#stream.off("close", this.#gone);
  }
}
