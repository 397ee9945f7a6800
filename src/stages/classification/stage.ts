import { DATA_CLASSES, type DataClass, declaredClass, higherClass } from "../../core/contract.ts";
import { matchesPattern } from "../../core/patterns.ts";
import { defineStage, type Effect, type Marks, type StageContext, type Verdict } from "../../core/stage.ts";
import { type ClassificationSection, classificationSection } from "./section.ts";

const isEmpty = (map: object): boolean => Object.keys(map).length === 0;

/** The class that a kind of data has by the policy: the highest of all that match. */
function classOf({ map }: ClassificationSection, entity: string): DataClass | undefined {
  let highest: DataClass | undefined;
  for (const [pattern, dataClass] of Object.entries(map)) if (matchesPattern(pattern, entity)) highest = higherClass(highest, dataClass);
  return highest;
}

/** What follows from a class: its own rules, or those of the next lower one that has some. */
function ruleOf({ classes }: ClassificationSection, dataClass: DataClass): ClassificationSection["classes"][DataClass] {
  return classes[DATA_CLASSES.slice(0, DATA_CLASSES.indexOf(dataClass) + 1).findLast((known) => classes[known] !== undefined) ?? dataClass];
}

const keepingOf = (rule: ClassificationSection["classes"][DataClass]): Pick<Marks, "cacheable" | "retention"> => ({
  ...(rule?.cacheable === false ? { cacheable: false } : {}),
  ...(rule?.retention === undefined ? {} : { retention: rule.retention }),
});

/** Is something sent on as it came that has a class which must be redacted; or all that was found? */
function leavesAsItCame({ entities = [], unredacted = [] }: Marks, section: ClassificationSection): boolean {
  if (entities.length > 0 && unredacted.length >= entities.length) return true;
  return unredacted.some((entity) => {
    const dataClass = classOf(section, entity);
    return dataClass !== undefined && ruleOf(section, dataClass)?.redaction === "required";
  });
}

/** Raises the class by what was found, and does what the class demands: refuse, or let only private targets have it. */
function decide(context: StageContext, section: ClassificationSection): Verdict {
  const found = context.marks.entities ?? [];
  const raised = found.reduce((highest, entity) => higherClass(highest, classOf(section, entity)), section.default);
  const dataClass = higherClass(higherClass(declaredClass(context.contract), context.marks.dataClass), raised);
  // What the model brings up raises the class too, for the record and for calls that go on from this answer.
  const classes: readonly Effect[] =
    isEmpty(section.map) && isEmpty(section.classes)
      ? []
      : [
          {
            kind: "classes",
            classOf: (entity) => classOf(section, entity),
            keepingOf: (dataClass) => keepingOf(ruleOf(section, dataClass)),
          },
        ];
  if (dataClass === undefined) return { kind: "allow", effects: classes };
  const rule = ruleOf(section, dataClass);
  const mark: Marks = {
    ...(raised === undefined ? {} : { dataClass: raised }),
    ...(rule?.leave === "private" ? { privateOnly: true } : {}),
    ...keepingOf(rule),
  };
  const marked: readonly Effect[] = [{ kind: "mark", mark }];
  const reason = `class ${dataClass}`;
  const allowed: Verdict = { kind: "allow", effects: [...marked, ...classes], reason };
  if (context.request === undefined || rule === undefined) return allowed;
  if (rule.leave === "nowhere")
    return { kind: "deny", code: "content_blocked", detail: `Data of class ${dataClass} may not leave.`, effects: marked };
  if (rule.redaction === "required" && leavesAsItCame(context.marks, section))
    return { kind: "deny", code: "content_blocked", detail: `Data of class ${dataClass} may only leave redacted.`, effects: marked };
  return allowed;
}

export const classificationStage = defineStage({ name: "classification", section: classificationSection, decide });
