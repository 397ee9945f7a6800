import type { AnswerGuard } from "../../core/guard.ts";
import { memoized } from "../../core/memo.ts";
import { defineStage, type StageContext, type Verdict } from "../../core/stage.ts";
import { compileSchema } from "../shared/json-schema.ts";
import { CANARY_SIGNS_MIN, Canaries, CanarySearch, lettersOf } from "./canary.ts";
import { openDenied } from "./deny.ts";
import { LeakSearch, pairsOf } from "./leak.ts";
import { lower, PhraseSearch } from "./phrases.ts";
import { isShown, ruleGuard } from "./rule.ts";
import { type OutputSection, outputSection } from "./section.ts";
import { urlSearch } from "./urls.ts";
import { lengthGuard, schemaGuard } from "./whole.ts";

/** Rules on what the model says: one guard each. They read the provider's text, so stand-ins of `redact` count as what they are. */
function decide(context: StageContext, section: OutputSection): Verdict {
  if (context.request === undefined) return { kind: "allow", effects: [] };
  const { deny, urls, systemPrompt, schema, maxChars, onInvalid, replaceWith } = section;
  const guards: AnswerGuard[] = [];
  for (const entry of deny) {
    const { name, action } = entry;
    guards.push(ruleGuard({ name, action, replaceWith, open: () => openDenied(entry) }));
  }
  if (urls !== undefined)
    guards.push(
      ruleGuard({ name: "url", action: urls.action, replaceWith, readsAddresses: true, reads: isShown, open: () => urlSearch(urls) }),
    );
  if (systemPrompt !== undefined) {
    const rule = { action: systemPrompt.action, replaceWith };
    // An address carries out what stands in it.
    const mark = { ...rule, name: "canary", readsAddresses: true as const };
    const { marks, words } = canariesOf(systemPrompt);
    if (marks !== undefined) guards.push(ruleGuard({ ...mark, open: () => new CanarySearch(marks) }));
    if (words.length > 0) guards.push(ruleGuard({ ...mark, open: () => new PhraseSearch(words) }));
    const pairs = pairsOf(systemTexts(context));
    if (pairs.size >= systemPrompt.words - 1)
      guards.push(ruleGuard({ ...rule, name: "system_prompt", open: () => new LeakSearch(pairs, systemPrompt.words) }));
  }
  if (schema !== undefined) guards.push(schemaGuard(compileSchema(schema), onInvalid, replaceWith));
  if (maxChars !== undefined) guards.push(lengthGuard(maxChars));
  return { kind: "allow", effects: guards.map((guard) => ({ kind: "guard", guard })) };
}

/** Marks that are looked for in every form, and those too short for it. Made once for each section. */
const canariesOf = memoized(({ canaries }: NonNullable<OutputSection["systemPrompt"]>) => {
  const long = canaries.filter((mark) => lettersOf(mark).length >= CANARY_SIGNS_MIN);
  const words = canaries.filter((mark) => !long.includes(mark)).map(lower);
  return { marks: long.length === 0 ? undefined : new Canaries(long), words };
});

function systemTexts({ request, change }: StageContext): readonly string[] {
  return [...(request?.view.texts() ?? [])]
    .filter(({ place }) => place === "system")
    .map(({ node }) => change.texts?.get(node) ?? node.value);
}

export const outputStage = defineStage({ name: "output", section: outputSection, decide });
