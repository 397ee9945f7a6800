import assert from "node:assert/strict";
import { openaiChat } from "../../src/codecs/openai-chat.ts";
import { applyEdits } from "../../src/core/json.ts";
import type { StageContext, Verdict } from "../../src/core/stage.ts";
import { sharedEdits } from "../../src/pipeline/request-edits.ts";
import type { WorkGuard } from "../../src/pipeline/work.ts";
import { redactStage } from "../../src/stages/redact/stage.ts";
import { readRequest } from "./codec-runs.ts";
import { context, decideWith } from "./context.ts";
import { seat } from "./guards.ts";
import { testKeyring } from "./keyring.ts";

/** A request of Chat Completions; messages that are texts are the user's. */
export const ask = (...messages: readonly (string | Record<string, unknown>)[]): string =>
  JSON.stringify({
    model: "gpt",
    messages: messages.map((message) => (typeof message === "string" ? { role: "user", content: message } : message)),
  });

/** What the stage made of a request. */
export interface Run {
  readonly verdict: Verdict;
  /** The request as the provider gets it. */
  readonly sent: string;
  readonly guards: readonly WorkGuard[];
}
/** Puts a request through the stage; of Chat Completions, where `more` has no other. */
export async function run(
  body: string,
  section: object = { profile: "standard" },
  values: Record<string, string> = {},
  more: Partial<StageContext> = {},
): Promise<Run> {
  const request = more.request ?? readRequest(openaiChat, body);
  const of: StageContext = {
    ...context({ contract: { values, unknown: [], problems: [] }, stores: { keyring: testKeyring() } }),
    request,
    ...more,
  };
  const said = await decideWith(redactStage, section, of);
  const verdict = "ok" in said ? (said.ok ? said.value : assert.fail(said.error.code)) : said;
  const effects = verdict.kind === "allow" ? verdict.effects : [];
  const change = Object.assign({}, ...effects.map((effect) => (effect.kind === "change" ? effect.change : {})));
  const guards = effects.flatMap((effect) => (effect.kind === "guard" ? [seat("redact", effect.guard)] : []));
  return { verdict, sent: applyEdits(request.doc, sharedEdits(request.doc, change)), guards };
}
/** What messages say. */
export const contents = (sent: string): readonly string[] =>
  JSON.parse(sent).messages.map((message: { content: string }) => message.content);
