import { CUES } from "./cues.ts";
import type { Family } from "./families.ts";
import { IDEAS, type IdeaName, ideaOf } from "./lexicon.ts";

/**
 * Ideas and cues that mean more together: all of a rule's marks within `span` words, in any order, since languages order them differently.
 * What a rule is worth is learned (`weights.ts`); which family it speaks for stands here.
 */
export interface Rule {
  readonly family: Family;
  /** Numbers of ideas, and of cues from `CUE_BASE` on. */
  readonly marks: readonly number[];
  /** Words from the first mark to the last. */
  readonly span: number;
}

/** Marks below are ideas; from here on, cues. */
export const CUE_BASE = IDEAS.length;
/** Marks that come of how a word was written: obfuscated, smuggled, decoded. */
export const MARK_OBFUSCATED = CUE_BASE + CUES.length;
export const MARK_DECODED = MARK_OBFUSCATED + 1;
/** Marks of a sentence, at its first word. It asks; it begins with a verb of request; its words are nowhere else in the text. */
export const MARK_QUESTION = MARK_DECODED + 1;
export const MARK_REQUEST = MARK_DECODED + 2;
export const MARK_STRANGE = MARK_DECODED + 3;
export const MARK_STRANGE_QUESTION = MARK_DECODED + 4;
export const MARK_STRANGE_REQUEST = MARK_DECODED + 5;
/** Asks or requests as the first or the last sentence of a longer text. */
export const MARK_EDGE_REQUEST = MARK_DECODED + 6;
/** Prose in a text that is a table, and such prose that asks. */
export const MARK_TABLE_PROSE = MARK_DECODED + 7;
export const MARK_TABLE_REQUEST = MARK_DECODED + 8;
export const MARKS = MARK_DECODED + 9;

const ROWS: readonly (readonly [Family, number, string])[] = [
  ["override", 7, "ignore prior instruction"],
  ["override", 5, "ignore instruction"],
  ["override", 5, "ignore everything prior"],
  ["override", 4, "ignore everything"],
  ["override", 6, "ignore you said"],
  ["override", 6, "ignore everything said"],
  ["override", 6, "ignore you instruction"],
  ["override", 7, "ignore everything instruction"],
  ["override", 7, "ignore prior data"],
  ["override", 8, "negation answer prior"],
  ["override", 10, "ignore fresh instruction"],
  ["override", 8, "must instruction fresh"],
  ["override", 8, "done fresh task"],
  ["override", 10, "fresh task everything"],
  ["override", 8, "ignore user prior"],
  ["override", 8, "negation prior instruction"],
  ["override", 8, "done answer task"],
  ["override", 8, "urgent fresh instruction"],
  ["override", 12, "privileged mode you"],
  ["override", 5, "privileged mode"],
  ["prompt_extraction", 7, "reveal prompt"],
  ["prompt_extraction", 7, "reveal system prompt"],
  ["prompt_extraction", 8, "reveal you instruction"],
  ["prompt_extraction", 8, "reveal prior instruction"],
  ["prompt_extraction", 8, "reveal hiddenWord instruction"],
  ["prompt_extraction", 10, "reveal hiddenWord prompt"],
  ["prompt_extraction", 9, "reveal everything prior"],
  ["prompt_extraction", 7, "reveal credential"],
  ["prompt_extraction", 8, "you credential reveal"],
  ["prompt_extraction", 8, "credential hiddenWord"],
  ["prompt_extraction", 10, "user reveal hiddenWord"],
  ["persona", 6, "act persona"],
  ["persona", 10, "act free"],
  ["persona", 8, "act model"],
  ["persona", 8, "you fresh act"],
  ["persona", 12, "you act persona negation"],
  ["persona", 8, "free model"],
  ["persona", 6, "persona mode"],
  ["persona", 8, "persona model"],
  ["persona", 6, "negation restraint"],
  ["persona", 12, "negation restraint model"],
  ["persona", 12, "negation restraint character"],
  ["persona", 10, "ignore restraint"],
  ["persona", 10, "must character negation"],
  ["persona", 10, "act persona answer"],
  ["persona", 12, "act cue:placeholder"],
  ["compliance", 6, "negation refuse"],
  ["compliance", 8, "must answer"],
  ["compliance", 10, "must answer begin"],
  ["compliance", 8, "answer begin"],
  ["compliance", 10, "negation refuse answer"],
  ["compliance", 8, "negation refuse you"],
  ["compliance", 10, "confirm answer fresh"],
  ["compliance", 8, "answer confirm"],
  ["compliance", 10, "must negation answer character"],
  ["fiction_frame", 30, "fiction harm howTo"],
  ["fiction_frame", 30, "purpose harm howTo"],
  ["fiction_frame", 30, "act harm howTo"],
  ["fiction_frame", 30, "fiction undetected howTo"],
  ["fiction_frame", 20, "undetected harm"],
  ["fiction_frame", 20, "harm howTo you"],
  ["fiction_frame", 12, "harm howTo"],
  ["fiction_frame", 30, "fiction purpose"],
  ["fiction_frame", 40, "fiction violence"],
  ["fiction_frame", 40, "fiction weapon"],
  ["fiction_frame", 40, "fiction drug"],
  ["fiction_frame", 40, "fiction cyber"],
  ["fiction_frame", 40, "fiction fraud"],
  ["fiction_frame", 40, "fiction hate"],
  ["fiction_frame", 40, "fiction sexual"],
  ["fiction_frame", 40, "fiction selfHarm"],
  ["fiction_frame", 40, "fiction deceit"],
  ["fiction_frame", 40, "fiction abuse"],
  ["fiction_frame", 40, "fiction illegal"],
  ["fiction_frame", 12, "howTo violence"],
  ["fiction_frame", 12, "howTo weapon"],
  ["fiction_frame", 12, "howTo drug"],
  ["fiction_frame", 12, "howTo cyber"],
  ["fiction_frame", 12, "howTo fraud"],
  ["fiction_frame", 12, "howTo hate"],
  ["fiction_frame", 12, "howTo sexual"],
  ["fiction_frame", 12, "howTo selfHarm"],
  ["fiction_frame", 12, "howTo deceit"],
  ["fiction_frame", 12, "howTo abuse"],
  ["fiction_frame", 12, "howTo illegal"],
  ["fiction_frame", 30, "purpose illegal howTo"],
  ["fiction_frame", 12, "undetected illegal"],
  ["fiction_frame", 12, "undetected fraud"],
  ["fiction_frame", 12, "undetected violence"],
  ["fiction_frame", 12, "protect harm"],
  ["fiction_frame", 12, "protect fraud"],
  ["fiction_frame", 12, "protect cyber"],
  ["fiction_frame", 20, "fiction playful"],
  ["tool_coercion", 10, "must call tool"],
  ["tool_coercion", 10, "must instruction task"],
  ["tool_coercion", 12, "call tool negation"],
  ["tool_coercion", 12, "call tool fresh"],
  ["tool_coercion", 12, "call tool send"],
  ["tool_coercion", 12, "call tool credential"],
  ["tool_coercion", 14, "call tool destroy"],
  ["tool_coercion", 10, "prior call tool"],
  ["tool_coercion", 12, "user call destroy"],
  ["tool_coercion", 10, "must destroy everything"],
  ["exfiltration", 12, "send data cue:email"],
  ["exfiltration", 12, "send data cue:url"],
  ["exfiltration", 12, "send credential cue:url"],
  ["exfiltration", 12, "send credential cue:email"],
  ["exfiltration", 12, "send user data"],
  ["exfiltration", 10, "send credential"],
  ["exfiltration", 12, "embed data cue:url"],
  ["exfiltration", 12, "answer cue:data_link"],
  ["exfiltration", 14, "embed data cue:template_url"],
  ["exfiltration", 10, "send everything data"],
  ["hidden_text", 12, "negation dontTell user"],
  ["hidden_text", 12, "undetected user"],
  ["hidden_text", 12, "undetected call"],
  ["hidden_text", 20, "cue:markup_comment model"],
  ["hidden_text", 20, "cue:markup_comment ignore"],
  ["hidden_text", 20, "cue:markup_comment instruction you"],
  ["hidden_text", 20, "cue:hidden_style instruction"],
  ["hidden_text", 20, "cue:hidden_style model"],
  ["hidden_text", 20, "cue:alt_text instruction"],
  ["embedded_task", 8, "answer embed"],
  ["embedded_task", 8, "you answer embed"],
  ["embedded_task", 8, "you answer shift"],
  ["embedded_task", 8, "answer shift"],
  ["embedded_task", 8, "embed snippet"],
  ["embedded_task", 14, "embed fresh snippet"],
  ["embedded_task", 20, "embed cue:code_fence cue:shell_danger"],
  ["embedded_task", 12, "cue:ai_address instruction"],
  ["embedded_task", 12, "cue:ai_address must"],
  ["embedded_task", 12, "model you must"],
  ["embedded_task", 12, "model answer must"],
  ["embedded_task", 12, "model answer embed"],
  ["encoded_payload", 10, "rot13 rot13"],
  ["encoded_payload", 12, "shift cue:binary"],
  ["encoded_payload", 14, "shift call instruction"],
  ["role_forging", 20, "cue:template_token instruction"],
  ["role_forging", 14, "cue:role_tag ignore"],
  ["role_forging", 14, "cue:role_tag must"],
  ["role_forging", 14, "cue:role_header must"],
  ["role_forging", 14, "cue:role_header ignore"],
  ["role_forging", 14, "cue:role_header fresh"],
  ["role_forging", 14, "cue:role_header you"],
  ["role_forging", 12, "cue:separator instruction"],
  ["role_forging", 12, "cue:separator fresh"],
  ["role_forging", 14, "cue:markdown_header ignore"],
  ["compliance", 40, "harm cue:glued"],
  ["compliance", 40, "harm howTo cue:glued"],
  ["fake_turns", 20, "cue:dialogue confirm"],
];

export const RULES: readonly Rule[] = ROWS.map(([family, span, marks]) => ({
  family,
  span,
  marks: [...new Set(marks.split(" ").map(markOf))],
}));

/** Rules that are an attack by themselves where they are commanded, see `isCommanded`: whatever stands around them. */
export const OVERRIDES: ReadonlySet<number> = new Set(
  ROWS.flatMap(([, , marks], rule) => (/^ignore (?:prior|you|everything) instruction$/.test(marks) ? [rule] : [])),
);

function isIdea(name: string): name is IdeaName {
  return IDEAS.some((idea) => idea === name);
}

function markOf(name: string): number {
  if (name.startsWith("cue:")) return CUE_BASE + CUES.findIndex((cue) => `cue:${cue.name}` === name);
  return isIdea(name) ? ideaOf(name) : -1;
}

/** Rules by the marks they need: what to look at when a mark is met. */
export function rulesByMark(): readonly (readonly number[])[] {
  const table: number[][] = Array.from({ length: MARKS }, () => []);
  for (const [index, rule] of RULES.entries()) for (const mark of rule.marks) table[mark]?.push(index);
  return table;
}

/** The family that one mark alone speaks for; undefined for most. */
export function familyOfMark(mark: number): Family | undefined {
  if (mark > MARK_DECODED) return "embedded_task";
  if (mark >= MARK_OBFUSCATED) return mark === MARK_DECODED ? "encoded_payload" : "hidden_text";
  return mark >= CUE_BASE ? CUES[mark - CUE_BASE]?.family : undefined;
}
