import type { AnswerContext, AnswerReader, PathFacts } from "../../core/codec.ts";
import type { Usage } from "../../core/usage.ts";
import type { RequestView } from "../../core/view.ts";
import { openReader } from "./answer-reader.ts";
import { openAiErrorBody } from "./openai-error.ts";
import { PlainAnswer } from "./plain-answer.ts";
import { ResponsesAnswer } from "./responses-answer.ts";
import { SniffingReader } from "./sniffing-reader.ts";

/** The view of a call about one kept response: it names no model and goes where the response is. */
export function keptResponseView(facts: PathFacts, { streaming }: { readonly streaming: boolean }): RequestView {
  return {
    model: undefined,
    streaming,
    framing: streaming ? "sse" : "json",
    outputTokensMax: undefined,
    choices: 1,
    tools: [],
    providerState: facts.id === undefined ? [] : [{ kind: "previous_response", node: undefined, id: facts.id, subject: true }],
    contractFields: new Map(),
    texts: () => [],
  };
}

/** A response that was made and charged before: its texts are read again, its usage is not counted again. */
class KeptResponse extends ResponsesAnswer {
  override usage(): Usage | undefined {
    return undefined;
  }
}

export function openKeptResponse(context: AnswerContext): AnswerReader {
  return new SniffingReader(context, (found) => openReader(found, new KeptResponse(found), openAiErrorBody));
}

/** A small JSON answer about a response. */
export function openNotice(context: AnswerContext): AnswerReader {
  return openReader({ ...context, contentType: "application/json" }, new PlainAnswer(context), openAiErrorBody);
}

export function withFactsQuery(path: string, facts: PathFacts): string {
  return facts.query === undefined ? path : `${path}?${facts.query}`;
}
