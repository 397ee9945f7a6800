import type { Finding } from "../../core/detector.ts";
import { ANALYSER_PIECE_CHARS_MAX, REMOTE_BATCH_TEXTS_MAX, REMOTE_CHARS_MAX, REMOTE_OVERLAP_CHARS } from "../../core/limits.ts";
import { type Piece, piecesOf } from "../../core/pieces.ts";
import { err, ok, type Result } from "../../core/result.ts";
import type { PortError } from "../../core/stage.ts";
import type { AnalyseAsk, AnalyserPort, AnalyserSettings } from "../../ports/analyser.ts";
import { type Ask, Remote, type RemoteDeps } from "../http/remote.ts";
import { CodePoints } from "./offsets.ts";
import { type RawFinding, type Shape, shapeOf } from "./shapes.ts";

/** A piece of the text with that index. */
interface Part {
  readonly index: number;
  readonly piece: Piece;
}
type PartFindings = readonly (readonly Finding[])[];

export class AnalyserClient implements AnalyserPort {
  readonly entities: readonly string[];
  readonly #settings: AnalyserSettings;
  readonly #shape: Shape;
  readonly #remote: Remote;

  constructor(settings: AnalyserSettings, deps: RemoteDeps) {
    this.entities = [...new Set(settings.entities.values())];
    this.#settings = settings;
    this.#shape = shapeOf(settings);
    this.#remote = new Remote(settings, deps);
  }

  async analyse(
    texts: readonly string[],
    { language, entities }: AnalyseAsk,
    signal: AbortSignal,
  ): Promise<Result<readonly (readonly Finding[])[], PortError>> {
    const names = new Map([...this.#settings.entities].filter(([, ours]) => entities.has(ours)));
    const found: Finding[][] = texts.map(() => []);
    if (names.size === 0) return ok(found);
    const chars = texts.reduce((sum, text) => sum + text.length, 0);
    if (chars > REMOTE_CHARS_MAX) return err({ code: "unavailable", cause: "more text than it may be sent" });
    const batches = this.#batches(texts);
    const asked = { language, entities: [...names.keys()], minScore: this.#settings.minScore };
    const asks = batches.map(
      (batch): Ask<PartFindings> => ({
        // A lone surrogate is no text to most servers; its stand-in is as long.
        body: this.#shape.body(
          batch.map(({ piece }) => piece.text.toWellFormed()),
          asked,
        ),
        read: (answer) => this.#read(answer, batch, names),
      }),
    );
    const answers = await this.#remote.askAll(asks, signal);
    if (!answers.ok) return answers;
    for (const [at, batch] of batches.entries())
      for (const [within, { index }] of batch.entries()) found[index]?.push(...(answers.value[at]?.[within] ?? []));
    for (const findings of found) findings.sort((a, b) => a.start - b.start || b.end - a.end);
    return ok(found);
  }

  close(): void {
    this.#remote.close();
  }

  /** Texts that say something, cut to what one call may hold. */
  #batches(texts: readonly string[]): readonly (readonly Part[])[] {
    const batches: Part[][] = [];
    const textsMax = this.#settings.batch ? REMOTE_BATCH_TEXTS_MAX : 1;
    let chars = 0;
    for (const [index, text] of texts.entries()) {
      if (!/[\p{L}\p{N}]/u.test(text)) continue;
      for (const piece of piecesOf(text, { charsMax: ANALYSER_PIECE_CHARS_MAX, overlap: REMOTE_OVERLAP_CHARS })) {
        const last = batches.at(-1);
        if (last !== undefined && last.length < textsMax && chars + piece.text.length <= ANALYSER_PIECE_CHARS_MAX)
          last.push({ index, piece });
        else {
          batches.push([{ index, piece }]);
          chars = 0;
        }
        chars += piece.text.length;
      }
    }
    return batches;
  }

  #read(answer: unknown, batch: readonly Part[], names: ReadonlyMap<string, string>): PartFindings | undefined {
    const lists = this.#shape.read(answer, batch.length);
    if (lists === undefined) return undefined;
    const read: Finding[][] = [];
    for (const [at, { piece }] of batch.entries()) {
      const findings = located(lists[at] ?? [], piece, names);
      if (findings === undefined || (!this.#shape.overlaps && overlap(findings))) return undefined;
      read.push(findings.filter(({ start }) => piece.from <= start && start < piece.to));
    }
    return read;
  }
}

/** With our names and offsets of the whole text; entities that were not asked for are left out. undefined: past the text's end. */
function located(raw: readonly RawFinding[], { start: from, text }: Piece, names: ReadonlyMap<string, string>): Finding[] | undefined {
  const points = new CodePoints(text);
  const findings: Finding[] = [];
  for (const { entity: theirs, start: first, end: last, score } of raw) {
    const [start, end, entity] = [points.of(first), points.of(last), names.get(theirs)];
    if (start === undefined || end === undefined) return undefined;
    if (entity !== undefined) findings.push({ entity, start: from + start, end: from + end, score });
  }
  return findings;
}

function overlap(findings: readonly Finding[]): boolean {
  const sorted = [...findings].sort((a, b) => a.start - b.start);
  return sorted.some(({ start }, at) => start < (sorted[at - 1]?.end ?? 0));
}
