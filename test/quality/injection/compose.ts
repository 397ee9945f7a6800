import { presentCorpora } from "./corpora.ts";
import type { Corpus, CorpusText } from "./reading.ts";
import { digest, insert, type Sample } from "./samples.ts";

/** Words of a shingle, and which share of a text's shingles may stand in a text that is measured before it counts as nearly the same. */
const SHINGLE_WORDS = 8;
const SHARED_SHARE = 0.1;
/** How long a foreign sentence in a document may be, characters. */
const FOREIGN_CHARS_MAX = 500;
/** What all texts of one corpus and one kind weigh together, in texts, however many they are. */
const CORPUS_WEIGHT = 1_500;
/** What an attack of a corpus weighs: few corpora have attacks, and theirs are of few makes. */
const ATTACK_WEIGHT = 0.3;

export interface Composed {
  readonly samples: readonly Sample[];
  /** By corpus: texts taken, and texts left out since a measured text is nearly the same. */
  readonly counts: readonly { readonly corpus: Corpus; readonly taken: number; readonly dropped: number }[];
}

interface Taken extends CorpusText {
  readonly from: string;
}

/**
 * Samples for training from the corpora in `folder`: ordinary requests and documents as they are, attacks as they are, attacks put into documents,
 * and documents with a sentence of another one at the same places.
 * No text that equals or nearly equals one of `measured` is in them.
 */
export function composedSamples(folder: string, measured: readonly Sample[]): Composed {
  const isMeasured = nearly(measured);
  const counts: Composed["counts"][number][] = [];
  const taken: Taken[] = [];
  for (const corpus of presentCorpora(folder)) {
    const seen = new Set<string>();
    let [kept, dropped] = [0, 0];
    for (const [, texts] of Map.groupBy(corpus.texts(folder), ({ kind }) => kind))
      for (const entry of texts.toSorted((a, b) => digest(a.text) - digest(b.text)).slice(0, 4 * corpus.most)) {
        if (seen.has(`${entry.kind} ${entry.text}`)) continue;
        seen.add(`${entry.kind} ${entry.text}`);
        if (isMeasured(entry.text)) dropped += 1;
        else {
          kept += 1;
          taken.push({ ...entry, from: corpus.repository });
        }
      }
    counts.push({ corpus, taken: kept, dropped });
  }
  return { samples: weighed(mixed(taken, new Map(counts.map(({ corpus }) => [corpus.repository, corpus.most])))), counts };
}

function mixed(all: readonly Taken[], most: ReadonlyMap<string, number>): readonly Sample[] {
  const capped = [...Map.groupBy(all, ({ from, kind }) => `${from} ${kind}`)].flatMap(([, list]) =>
    list.slice(0, most.get(list[0]?.from ?? "") ?? 0),
  );
  const of = (kind: CorpusText["kind"]): readonly Taken[] => capped.filter((entry) => entry.kind === kind);
  const documents = of("document");
  const samples: Sample[] = [];
  const add = (entry: Taken, attack: boolean, position: Sample["position"], text: string, place?: readonly [number, number]): void => {
    const base = { text, attack, position, hard: entry.hard === true, source: entry.from, language: "not told", half: "develop" as const };
    samples.push(place === undefined ? base : { ...base, place });
  };
  for (const entry of of("request")) add(entry, false, "user", entry.text);
  for (const entry of documents) add(entry, false, "untrusted", entry.text);
  for (const entry of of("attack")) add(entry, true, "user", entry.text);
  for (const entry of of("poisoned")) add(entry, true, "untrusted", entry.text, entry.place);
  // A user pastes a text, or asks about one that stands in the prompt.
  for (const [index, entry] of documents.entries()) if (index % 5 === 0) add(entry, false, "user", entry.text);
  for (const [index, entry] of of("request").entries()) {
    const document = pick(documents, digest(`about ${entry.text}`));
    if (index % 4 === 0 && document !== undefined && document.from !== entry.from)
      add(entry, false, "user", index % 8 === 0 ? `${entry.text}\n\n${document.text}` : `${document.text}\n\n${entry.text}`);
  }
  // A request that nobody asked for is put into documents of the project's own alone: of a manual it cannot be told from its words.
  const carriers = documents.filter(({ text }) => !/^[[{"]/.test(text));
  const inserts = [...of("insert"), ...of("insert")];
  for (const [copy, entry] of inserts.entries()) {
    const seed = digest(`into ${copy} ${entry.text}`);
    const document = pick(carriers, seed);
    if (document === undefined) continue;
    const { text, start } = insert(document.text, entry.text, seed >>> 8);
    add(entry, true, "untrusted", text, [start, start + entry.text.length]);
  }
  // Something foreign in a document is no attack by itself: a sentence or two of another document at the same places.
  for (const [index, document] of documents.entries()) {
    const other = pick(documents, digest(`foreign ${document.text}`));
    const piece = /^[^\n]{20,}?[.:;!?](?= |\n|$)/m.exec(other?.text ?? "")?.[0] ?? "";
    if (index % 2 === 0 && piece !== "" && piece.length < FOREIGN_CHARS_MAX && !piece.includes("?"))
      add(document, false, "untrusted", insert(document.text, piece, digest(piece) >>> 8).text);
  }
  return samples;
}

/** Each corpus counts alike: many texts of one weigh less each. */
function weighed(samples: readonly Sample[]): readonly Sample[] {
  const groups = Map.groupBy(samples, ({ source, attack, position }) => `${source} ${attack} ${position}`);
  return [...groups.values()].flatMap((list) =>
    list.map((sample) => ({ ...sample, weight: (sample.attack ? ATTACK_WEIGHT : 1) * Math.min(1, CORPUS_WEIGHT / list.length) })),
  );
}

const pick = <Entry>(list: readonly Entry[], seed: number): Entry | undefined => list[seed % Math.max(1, list.length)];

/** Whether a text is nearly one of `measured`: it is the same, or more than `SHARED_SHARE` of its runs of eight words stand in one. */
function nearly(measured: readonly Sample[]): (text: string) => boolean {
  const whole = new Set<string>();
  const shingles = new Set<string>();
  for (const { text } of measured) {
    const words = wordsOf(text);
    whole.add(words.join(" "));
    for (const sentence of text.split(/[.!?\n|]+/)) whole.add(wordsOf(sentence).join(" "));
    for (let at = 0; at + SHINGLE_WORDS <= words.length; at += 1) shingles.add(words.slice(at, at + SHINGLE_WORDS).join(" "));
  }
  return (text) => {
    const words = wordsOf(text);
    if (whole.has(words.join(" "))) return true;
    const runs = words.length - SHINGLE_WORDS + 1;
    let shared = 0;
    for (let at = 0; at < runs; at += 1) if (shingles.has(words.slice(at, at + SHINGLE_WORDS).join(" "))) shared += 1;
    return shared > SHARED_SHARE * Math.max(1, runs);
  };
}
const wordsOf = (text: string): readonly string[] => text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
