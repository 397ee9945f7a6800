import { CLASSIFIER_CALLS_MAX, REMOTE_CHARS_MAX } from "../../core/limits.ts";
import { piecesOf } from "../../core/pieces.ts";
import { err, ok, type Result } from "../../core/result.ts";
import type { PortError } from "../../core/stage.ts";
import type { Classified, ClassifierPort, ClassifierText } from "../../ports/classifier.ts";
import type { ClassifierSettings } from "../../ports/classifier-settings.ts";
import { Remote, type RemoteDeps } from "../http/remote.ts";
import { questionOf } from "./questions.ts";

export interface Classifier extends ClassifierPort {
  /** This one is asked from now on; undefined: none, and who asks is told `unavailable`. */
  keep(settings: ClassifierSettings | undefined): void;
  close(): void;
}

/** A tenth of a piece, so that an attack on a border is seen whole. */
const OVERLAP_SHARE = 10;

export function openClassifier(deps: RemoteDeps): Classifier {
  let current: { readonly of: string; readonly client: Client } | undefined;
  return {
    keep: (settings) => {
      const of = settings === undefined ? "" : JSON.stringify([settings, [...(settings.attacks ?? [])]]);
      if (of === (current?.of ?? "")) return;
      const before = current?.client;
      current = settings === undefined ? undefined : { of, client: new Client(settings, deps) };
      // Calls that run are let run: they end within their deadline.
      if (before !== undefined) setTimeout(() => before.close(), before.deadlineMs).unref();
    },
    classify: async (texts, signal) =>
      current === undefined ? err({ code: "unavailable", cause: "the policy names none" }) : current.client.classify(texts, signal),
    close: () => current?.client.close(),
  };
}

class Client {
  readonly deadlineMs: number;
  readonly #settings: ClassifierSettings;
  readonly #remote: Remote;

  constructor(settings: ClassifierSettings, deps: RemoteDeps) {
    this.deadlineMs = settings.deadlineMs;
    this.#settings = settings;
    this.#remote = new Remote(settings, deps);
  }

  async classify(texts: readonly ClassifierText[], signal: AbortSignal): Promise<Result<readonly Classified[], PortError>> {
    const chars = texts.reduce((sum, { text }) => sum + text.length, 0);
    if (chars > REMOTE_CHARS_MAX) return tooMuch;
    const { pieceChars, kind } = this.#settings;
    const cut = { charsMax: pieceChars, overlap: Math.floor(pieceChars / OVERLAP_SHARE) };
    const parts = texts.flatMap(({ text, position }, index) =>
      piecesOf(text, cut).map((piece) => ({ index, position, text: piece.text.toWellFormed() })),
    );
    const question = questionOf(kind);
    const asks = [];
    for (let at = 0; at < parts.length; at += question.textsMax)
      asks.push(question.ask(parts.slice(at, at + question.textsMax), this.#settings));
    if (asks.length > CLASSIFIER_CALLS_MAX) return tooMuch;
    const answers = await this.#remote.askAll(asks, signal);
    if (!answers.ok) return answers;
    const said = answers.value.flat();
    const worst: Classified[] = texts.map(() => ({ score: 0, label: "none" }));
    for (const [at, { index }] of parts.entries()) {
      const [one, before] = [said[at], worst[index]];
      if (one !== undefined && before !== undefined && one.score > before.score) worst[index] = one;
    }
    return ok(worst);
  }

  close(): void {
    this.#remote.close();
  }
}

const tooMuch: Result<never, PortError> = err({ code: "unavailable", cause: "more text than it may be sent" });
