import { type DataClass, declaredClass, higherClass } from "../../core/contract.ts";
import { matchesPattern } from "../../core/patterns.ts";
import { defineStage, type Effect, type Marks, type StageContext, type Verdict } from "../../core/stage.ts";
import { type ClassificationSection, classificationSection } from "./section.ts";

/** Raises the class by what was found, and does what the class demands: refuse, or let only private targets have it. */
function decide(context: StageContext, section: ClassificationSection): Verdict {
  const found = context.marks.entities ?? [];
  let raised: DataClass | undefined = section.default;
  for (const [pattern, dataClass] of Object.entries(section.map))
    if (found.some((entity) => matchesPattern(pattern, entity))) raised = higherClass(raised, dataClass);
  const dataClass = higherClass(higherClass(declaredClass(context.contract), context.marks.dataClass), raised);
  if (dataClass === undefined) return { kind: "allow", effects: [] };
  const rule = section.classes[dataClass];
  const mark: Marks = {
    ...(raised === undefined ? {} : { dataClass: raised }),
    ...(rule?.leave === "private" ? { privateOnly: true } : {}),
    ...(rule?.cacheable === false ? { cacheable: false } : {}),
    ...(rule?.retention === undefined ? {} : { retention: rule.retention }),
  };
  const effects: Effect[] = [{ kind: "mark", mark }];
  const reason = `class ${dataClass}`;
  if (context.request === undefined || rule === undefined) return { kind: "allow", effects, reason };
  if (rule.leave === "nowhere")
    return { kind: "deny", code: "content_blocked", detail: `Data of class ${dataClass} may not leave.`, effects };
  if (rule.redaction === "required" && found.length > 0 && context.change.texts === undefined)
    return { kind: "deny", code: "content_blocked", detail: `Data of class ${dataClass} may only leave redacted.`, effects };
  return { kind: "allow", effects, reason };
}

export const classificationStage = defineStage({ name: "classification", section: classificationSection, decide });
