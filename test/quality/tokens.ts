import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { openGptTokens } from "../../src/adapters/tokens/gpt.ts";
import { findCodec } from "../../src/codecs/index.ts";
import { parseJson } from "../../src/core/json.ts";
import { familyOfAny } from "../../src/core/tokens/families.ts";
import { OutputText } from "../../src/core/tokens/output-text.ts";
import { requestTokens } from "../../src/core/tokens/request.ts";
import type { RequestView } from "../../src/core/view.ts";
import { type Recorded, recordedExchanges } from "../support/recorded-exchanges.ts";

/** What a request holds besides texts: estimates of tools and media are less sure, and what hosted tools add nobody can know. */
export type Kind = "text" | "tools" | "media" | "hosted";
/** One estimate beside the provider's own count. */
export interface Measured {
  readonly provider: string;
  readonly model: string;
  readonly kind: Kind;
  readonly side: "input" | "output";
  readonly estimated: number;
  readonly reported: number;
}

const exact = openGptTokens();

/** Estimates of all recorded exchanges that say what they used. */
export function measureTokens(exchanges: readonly Recorded[]): readonly Measured[] {
  return exchanges.flatMap((exchange) => measure(exchange));
}

function measure(exchange: Recorded): Measured[] {
  const found =
    exchange.status === 200
      ? findCodec({ method: "POST", path: pathOf(exchange.path), query: new URLSearchParams(exchange.query) }, NO_HEADERS)
      : undefined;
  const doc = parseJson(Buffer.from(exchange.requestBody));
  if (found === undefined || !doc.ok) return [];
  const view = found.codec.readRequest?.(doc.value, found.facts);
  if (view?.ok !== true || view.value.inputParts === undefined) return [];
  const headers = { get: (name: string): string | undefined => exchange.responseHeaders.get(name) };
  const reader = found.codec.openAnswer?.({
    view: view.value,
    usageForced: false,
    status: 200,
    contentType: exchange.contentType,
    headers,
  });
  if (reader === undefined) return [];
  const output = new OutputText();
  for (const frame of [...reader.push(exchange.responseBytes), ...reader.end()]) for (const delta of frame.deltas) output.add(delta);
  const [usage, summary] = [reader.usage(), reader.summary()];
  const model = summary.model ?? view.value.model ?? "";
  const family = familyOfAny([summary.model, view.value.model]);
  const base = { provider: exchange.provider, model, kind: kindOf(view.value) };
  const out: Measured[] = [];
  // What tools of the provider's own put into the prompt is not the request's.
  const input = (usage?.inputTokens ?? 0) - (usage?.toolInputTokens ?? 0);
  if (input > 0) out.push({ ...base, side: "input", estimated: requestTokens(view.value, family, exact), reported: input });
  const shown = (usage?.outputTokens ?? 0) - (usage?.reasoningTokens ?? 0);
  // Only answers that were seen whole: no hidden reasoning, no audio, no pictures.
  if (shown > 0 && summary.outputChars > 0 && (usage?.reasoningTokens ?? 0) === 0)
    out.push({ ...base, side: "output", estimated: output.tokens(family, exact, summary.outputChars), reported: shown });
  return out;
}

const NO_HEADERS = { get: (): undefined => undefined };

/** Providers that speak OpenAI's formats below paths of their own. */
function pathOf(path: string): string {
  const tail = /\/(chat\/completions|responses|responses\/input_tokens|embeddings|completions)$/.exec(path)?.[1];
  return tail === undefined || path.includes("/model/") ? path : `/v1/${tail}`;
}

function kindOf(view: RequestView): Kind {
  const parts = view.inputParts?.();
  const referring = view.providerState.some(({ kind }) => kind !== "store" && kind !== "background");
  if (parts === undefined || parts.hostedTools > 0 || referring) return "hosted";
  if (parts.media.length > 0) return "media";
  const more = parts.tools.length + parts.calls + parts.results + parts.sealed.pieces;
  return more > 0 || parts.schema !== undefined ? "tools" : "text";
}

/** The figures of a group of estimates, shares of the reported count. */
export interface Errors {
  readonly count: number;
  readonly median: number;
  readonly p95: number;
  /** 95th percentile of by how much an estimate is too low; 0 where it is not. */
  readonly underP95: number;
}

export function errorsOf(measured: readonly Measured[]): Errors {
  const errors = measured.map(({ estimated, reported }) => (estimated - reported) / reported);
  const off = errors.map(Math.abs).sort((a, b) => a - b);
  const under = errors.map((error) => Math.max(0, -error)).sort((a, b) => a - b);
  return { count: errors.length, median: percentile(off, 0.5), p95: percentile(off, 0.95), underP95: percentile(under, 0.95) };
}

const percentile = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(share * sorted.length) - 1))] ?? 0;

/** The report: a line for each side, kind and provider. */
export function tokenReport(measured: readonly Measured[]): string {
  const lines = ["| side | request | provider | n | median | p95 | too low, p95 |", "| --- | --- | --- | --- | --- | --- | --- |"];
  for (const side of ["input", "output"] as const)
    for (const kind of ["text", "tools", "media", "hosted"] as const) {
      const group = measured.filter((each) => each.side === side && each.kind === kind);
      const providers = [...new Set(group.map(({ provider }) => provider))].sort();
      for (const provider of [...providers, "all"]) {
        const errors = errorsOf(provider === "all" ? group : group.filter((each) => each.provider === provider));
        if (errors.count === 0) continue;
        const [median, p95, under] = [errors.median, errors.p95, errors.underP95].map((share) => `${(share * 100).toFixed(1)} %`);
        lines.push(`| ${side} | ${kind} | ${provider} | ${errors.count} | ${median} | ${p95} | ${under} |`);
      }
    }
  return lines.join("\n");
}

/** Below this a token or two of difference is a large share and no money. */
export const SMALL_TOKENS = 30;

/** Text requests and answers that are not small, all providers together. */
export function largerTexts(measured: readonly Measured[], side: Measured["side"]): readonly Measured[] {
  return measured.filter((each) => each.side === side && each.kind === "text" && each.reported >= SMALL_TOKENS);
}

/** The project's own exchanges, where no recordings are there. */
export function ownExchanges(): readonly Recorded[] {
  const folder = new URL("../fixtures", import.meta.url).pathname;
  const paths: Readonly<Record<string, string>> = {
    "anthropic.messages": "/v1/messages",
    "gemini.generate": "/v1beta/models/gemini-2.5-flash:generateContent",
    "openai.responses": "/v1/responses",
  };
  return readdirSync(folder).flatMap((name): Recorded[] => {
    const path = paths[name];
    if (path === undefined) return [];
    const body = readFileSync(join(folder, name, "body.json"));
    return [
      {
        ...{ id: name, provider: name.split(".")[0] ?? name, path, query: "", status: 200, contentType: "application/json", usage: null },
        requestBody: readFileSync(join(folder, name, "request.json"), "utf8"),
        responseBody: body.toString("utf8"),
        responseBytes: body,
        responseHeaders: new Map(),
      },
    ];
  });
}

/** The section `tokens` of `make quality`. */
export function tokensSection(): string {
  const recorded = recordedExchanges(/^/);
  const measured = measureTokens(recorded ?? ownExchanges());
  return `tokens: estimates beside the providers' own counts, ${recorded === undefined ? "the project's own exchanges" : "recorded exchanges"}\n\n${tokenReport(measured)}\n${summary(measured)}`;
}

function summary(measured: readonly Measured[]): string {
  return (["input", "output"] as const)
    .map((side) => {
      const { count, median, p95, underP95 } = errorsOf(largerTexts(measured, side));
      const [middle, high, under] = [median, p95, underP95].map((share) => `${(share * 100).toFixed(1)} %`);
      return `${side}, text of ${SMALL_TOKENS} tokens and more: n ${count}, median ${middle}, p95 ${high}, too low at p95 ${under}`;
    })
    .join("\n");
}

if (import.meta.main) console.log(tokensSection());
