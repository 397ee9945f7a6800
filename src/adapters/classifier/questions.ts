/** The kinds of classifier: how texts are put to them, and what their answers say of each text. */
import type { Json } from "../../core/json.ts";
import { REMOTE_BATCH_TEXTS_MAX } from "../../core/limits.ts";
import type { Classified, ClassifierText } from "../../ports/classifier.ts";
import type { ClassifierKind, ClassifierSettings } from "../../ports/classifier-settings.ts";
import { chance, each, labelled, listOf, member } from "./answers.ts";
import { judge } from "./judge.ts";
import { isAttack, knowsAll, type Labelled, worstOf } from "./labels.ts";

export interface Question {
  /** Texts of one call. */
  readonly textsMax: number;
  ask(texts: readonly ClassifierText[], settings: ClassifierSettings): Asking;
}
/** One call: what is sent, and what its answer says of each text, in order; undefined: it cannot be true. */
export interface Asking {
  readonly body: Json;
  read(answer: unknown): readonly Classified[] | undefined;
}

/** Source: OpenAI API reference, moderations, 2026-11-29: `results`, one a text, with `flagged` and `category_scores` by category. */
const moderation: Question = {
  textsMax: 32,
  ask: (texts, { model, attacks }) => ({
    body: { ...(model === undefined ? {} : { model }), input: texts.map(({ text }) => text) },
    read: (answer) =>
      counted(
        texts,
        each(listOf(member(answer, "results")), (result) => moderated(result, attacks)),
      ),
  }),
};

function moderated(result: unknown, attacks: ReadonlySet<string> | undefined): Classified | undefined {
  const [flagged, scores] = [member(result, "flagged"), member(result, "category_scores")];
  if (typeof flagged !== "boolean" || typeof scores !== "object" || scores === null || Array.isArray(scores)) return undefined;
  const labels = each(Object.entries(scores), (entry): Labelled | undefined => {
    const [label, from]: unknown[] = Array.isArray(entry) ? entry : [];
    const score = chance(from);
    return typeof label === "string" && score !== undefined ? { label, score } : undefined;
  });
  if (labels === undefined) return undefined;
  const meant = labels.filter(({ label }) => isAttack(label, attacks));
  // A category that the policy asks for and the server does not know: of it nothing was judged.
  if (meant.length === 0 || !knowsAll(meant, attacks)) return undefined;
  return worstOf(meant, attacks);
}

/** A pipeline's answer to a list: a list of classes a text, or only the likeliest class of each. */
const huggingface: Question = {
  textsMax: REMOTE_BATCH_TEXTS_MAX,
  ask: (texts, { attacks }) => ({
    body: { inputs: texts.map(({ text }) => text), parameters: { top_k: null } },
    read: (answer) => counted(texts, classes(answer, texts.length, attacks)),
  }),
};

/** Source: text-embeddings-inference's OpenAPI, `POST /predict`, 2026-11-29: a list of lists is a batch, a flat list of two is a pair. */
const tei: Question = {
  textsMax: 32,
  ask: (texts, { attacks }) => ({
    body: { inputs: texts.map(({ text }) => [text]), raw_scores: false, truncate: true },
    read: (answer) => counted(texts, classes(answer, texts.length, attacks)),
  }),
};

function classes(answer: unknown, count: number, attacks: ReadonlySet<string> | undefined): readonly Classified[] | undefined {
  const list = listOf(answer);
  // Of one text some servers give its classes without a list around them.
  const lists = count === 1 && list !== undefined && !list.some(Array.isArray) ? [list] : list;
  return each(lists, (one) => {
    const labels = each(Array.isArray(one) ? one : [one], labelled);
    return labels === undefined ? undefined : worstOf(labels, attacks);
  });
}

/** Source: vLLM's classification API, 2026-11-29: `data`, one a text, the likeliest label and all probabilities without their names. */
const vllm: Question = {
  textsMax: REMOTE_BATCH_TEXTS_MAX,
  ask: (texts, { model, attacks }) => ({
    body: { ...(model === undefined ? {} : { model }), input: texts.map(({ text }) => text) },
    read: (answer) => counted(texts, inOrder(listOf(member(answer, "data")), attacks)),
  }),
};

function inOrder(data: readonly unknown[] | undefined, attacks: ReadonlySet<string> | undefined): readonly Classified[] | undefined {
  const read = each(data, (one) => {
    const [index, label, probs] = [member(one, "index"), member(one, "label"), each(listOf(member(one, "probs")), chance)];
    if (typeof index !== "number" || typeof label !== "string" || probs === undefined || probs.length === 0) return undefined;
    const said = worstOf([{ label, score: Math.max(...probs) }], attacks);
    return said === undefined ? undefined : { index, said };
  });
  if (read === undefined || read.some(({ index }, at) => !read.some((one) => one.index === at) || index >= read.length)) return undefined;
  return [...read].sort((a, b) => a.index - b.index).map(({ said }) => said);
}

function counted(texts: readonly ClassifierText[], said: readonly Classified[] | undefined): readonly Classified[] | undefined {
  return said?.length === texts.length ? said : undefined;
}

const QUESTIONS: Readonly<Record<ClassifierKind, Question>> = { moderation, huggingface, tei, vllm, judge };
export const questionOf = (kind: ClassifierKind): Question => QUESTIONS[kind];
