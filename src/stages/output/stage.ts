import type { AnswerGuard } from "../../core/guard.ts";
import { defineStage, type StageContext, type Verdict } from "../../core/stage.ts";
import { compileSchema } from "../shared/json-schema.ts";
import { openDenied } from "./deny.ts";
import { LeakSearch, pairsOf } from "./leak.ts";
import { lower, PhraseSearch } from "./phrases.ts";
import { isShown, type Rule, ruleGuard } from "./rule.ts";
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
  if (urls !== undefined) guards.push(shown({ name: "url", action: urls.action, replaceWith, open: () => urlSearch(urls.allow) }));
  if (systemPrompt !== undefined) {
    const rule = { action: systemPrompt.action, replaceWith };
    const canaries = systemPrompt.canaries.map(lower);
    if (canaries.length > 0) guards.push(ruleGuard({ ...rule, name: "canary", open: () => new PhraseSearch(canaries) }));
    const pairs = pairsOf(systemTexts(context));
    if (pairs.size >= systemPrompt.words - 1)
      guards.push(ruleGuard({ ...rule, name: "system_prompt", open: () => new LeakSearch(pairs, systemPrompt.words) }));
  }
  if (schema !== undefined) guards.push(schemaGuard(compileSchema(schema), onInvalid, replaceWith));
  if (maxChars !== undefined) guards.push(lengthGuard(maxChars));
  return { kind: "allow", effects: guards.map((guard) => ({ kind: "guard", guard })) };
}

function shown(rule: Rule): AnswerGuard {
  const guard = ruleGuard(rule);
  return { ...guard, openLane: (lane, tool, repeats) => (isShown(lane) ? guard.openLane?.(lane, tool, repeats) : undefined) };
}

function systemTexts({ request, change }: StageContext): readonly string[] {
  return [...(request?.view.texts() ?? [])]
    .filter(({ place }) => place === "system")
    .map(({ node }) => change.texts?.get(node) ?? node.value);
}

export const outputStage = defineStage({ name: "output", section: outputSection, decide });
