import type { JsonString } from "../../core/json.ts";
import { finish, type Steps } from "../../core/slice.ts";
import type { StageContext } from "../../core/stage.ts";
import { textFileSteps } from "../../core/text-file.ts";
import type { TextPlace } from "../../core/view.ts";
import type { Position } from "../../detectors/injection/score.ts";
import type { InjectionSection } from "./section.ts";

/** Which thresholds hold for a text. */
export type Rules = InjectionSection["untrusted"];

/** A text of the request that is scored. */
export interface Scanned {
  readonly node: JsonString;
  readonly place: TextPlace;
  readonly position: Position;
  /** As earlier stages left it. */
  readonly text: string;
  readonly rules: Rules;
  /** Makes the string that stands in the request of other words, where it holds a file. */
  readonly write?: (text: string) => Steps<string>;
  /** It can be rewritten: no part of a schema or of an encrypted block, no JSON that must stay valid, no name. */
  readonly editable: boolean;
}

/** The policy has no threshold: nothing is scored. */
export const isIdle = ({ user, untrusted, toolDefinitions }: InjectionSection): boolean =>
  [user, untrusted, toolDefinitions].every((rules) => Object.values(rules).every((threshold) => threshold === undefined));

/** Texts whose place has a threshold, in document order. The operator's own words (system) and what no model reads weigh nothing and are not here. */
export const textsOf = (context: StageContext, section: InjectionSection): readonly Scanned[] => finish(textSteps(context, section));

/** The same in steps. */
export function* textSteps(context: StageContext, section: InjectionSection): Steps<readonly Scanned[]> {
  const { request, contract, change } = context;
  if (request === undefined || isIdle(section)) return [];
  const declared = contract.values.untrusted === "true";
  const scanned: Scanned[] = [];
  for (const { node, place, holds, sealed } of request.view.texts()) {
    const kind = kindOf(place, declared);
    if (kind === undefined) continue;
    const rules: Rules = section[kind];
    if (Object.values(rules).every((threshold) => threshold === undefined)) continue;
    const value = change.texts?.get(node) ?? node.value;
    const file = holds === "file" ? yield* textFileSteps(value) : undefined;
    const text = file?.text ?? value;
    if (text.trim() === "") continue;
    const editable =
      sealed !== true && holds !== "json" && (place === "user" || place === "assistant" || place === "tool_result" || place === "other");
    scanned.push({
      node,
      place,
      position: kind === "user" ? "user" : "untrusted",
      text,
      rules,
      editable,
      ...(file === undefined ? {} : { write: file.write }),
    });
  }
  return scanned;
}

function kindOf(place: TextPlace, declared: boolean): "user" | "untrusted" | "toolDefinitions" | undefined {
  switch (place) {
    case "system":
    case "parameter":
      return undefined;
    // An answer of the model, or a caller's word for one: as much as the user may say.
    case "assistant":
    case "tool_arguments":
      return "user";
    case "user":
      return declared ? "untrusted" : "user";
    case "tool_result":
    case "other":
    case "file_name":
    case "url":
      return "untrusted";
    case "tool_definition":
    case "schema":
      return "toolDefinitions";
  }
}
