import type { Detector, DetectorClass } from "../../core/detector.ts";
import { REDACT_CHOICES_MAX } from "../../core/limits.ts";
import { except, oneOf } from "../../detectors/custom/index.ts";
import { DETECTORS, entitiesOf, SCORE_MIN, type Weigh, weighed } from "../../detectors/index.ts";
import { ACTIONS, type Action, makeDetector, type ProfileSetting, type RedactSection } from "./section.ts";

/** A profile with everything said: what is done with each entity. */
export interface Profile {
  /** Entities that are looked for in requests. `pass` is left out. */
  readonly requests: ReadonlyMap<string, Action>;
  readonly answers: ReadonlyMap<string, Action>;
  readonly minScore: number;
  readonly inNumber: string | undefined;
  /** Detectors of the policy's own, and values that none reports. */
  readonly own: OwnDetectors;
}
interface OwnDetectors {
  readonly detectors: readonly Detector[];
  /** Values that are never findings; absent: there are none. */
  readonly isAllowed?: (value: string) => boolean;
}

const CLASSES: ReadonlyMap<string, DetectorClass> = new Map(
  DETECTORS.flatMap((one) => one.entities.map((entity) => [entity, one.class] as const)),
);

/** The stricter of two actions. */
export const stricter = (one: Action, other: Action): Action => (ACTIONS.indexOf(one) >= ACTIONS.indexOf(other) ? one : other);

/** Entities with their classes: ours, those of the policy, and those of an analyser, which count as personal. */
type Classes = ReadonlyMap<string, DetectorClass>;
function classesOf(own: OwnDetectors, others: readonly string[]): Classes {
  const foreign = others.filter((entity) => !CLASSES.has(entity)).map((entity): [string, DetectorClass] => [entity, "personal"]);
  const named = own.detectors.flatMap((one) => one.entities.map((entity): [string, DetectorClass] => [entity, one.class]));
  return new Map([...CLASSES, ...foreign, ...named]);
}

/** standard: stand-ins for what is personal or financial, secrets masked, answers looked at for secrets alone. strict: more is looked for, secrets refuse the call, and nothing that the model makes up passes. */
function builtIn(name: "standard" | "strict", classes: Classes, own: OwnDetectors): Profile {
  const requests = new Map<string, Action>();
  const answers = new Map<string, Action>();
  const named = own.detectors.flatMap(({ entities }) => entities);
  for (const entity of [...entitiesOf(name), ...named]) {
    const secret = classes.get(entity) === "secret";
    requests.set(entity, secret ? (name === "strict" ? "block" : "mask") : "pseudonymise");
    if (name === "strict" || secret) answers.set(entity, "mask");
  }
  for (const [entity] of classes) if (!CLASSES.has(entity) && !requests.has(entity)) requests.set(entity, "pseudonymise");
  return { requests, answers, minScore: SCORE_MIN, inNumber: undefined, own };
}

/** Detectors of a policy's own, made once; they go with the policy. */
const compiledDetectors = new WeakMap<RedactSection["custom"], OwnDetectors>();

function ownDetectors({ custom, allow }: RedactSection): OwnDetectors {
  const known = compiledDetectors.get(custom);
  if (known !== undefined) return known;
  const detectors = Object.entries(custom).flatMap(([entity, setting]) => {
    const made = makeDetector(entity, setting);
    // The section's schema has made it once already.
    return made.ok ? [made.value] : [];
  });
  const own = allow.length === 0 ? { detectors } : { detectors, isAllowed: oneOf(allow) };
  compiledDetectors.set(custom, own);
  return own;
}

/** The profile of that name; undefined: there is none. `others`: entities that an analyser may find beside ours, which count as personal. */
function profileOf(name: string, section: RedactSection, others: readonly string[]): Profile | undefined {
  const own = ownDetectors(section);
  const classes = classesOf(own, others);
  if (name === "standard" || name === "strict") return builtIn(name, classes, own);
  const setting = Object.hasOwn(section.profiles, name) ? section.profiles[name] : undefined;
  return setting === undefined ? undefined : compiled(setting, classes, own);
}

function compiled(setting: ProfileSetting, classes: Classes, own: OwnDetectors): Profile {
  const base = setting.extends === undefined ? undefined : builtIn(setting.extends, classes, own);
  // An analyser sees no answers.
  const inAnswers = classesOf(own, []);
  return {
    requests: ruled(setting.entities, base?.requests, classes),
    answers: ruled(setting.answers, base?.answers, inAnswers),
    minScore: setting.minScore ?? SCORE_MIN,
    inNumber: setting.numbers === "zero" ? "0" : undefined,
    own,
  };
}

function ruled(
  rules: Readonly<Record<string, Action>>,
  base: ReadonlyMap<string, Action> | undefined,
  classes: Classes,
): ReadonlyMap<string, Action> {
  const said = new Map(base);
  for (const [entity, group] of classes) {
    const action = mostSpecific(rules, entity, group);
    if (action === "pass") said.delete(entity);
    else if (action !== undefined) said.set(entity, action);
  }
  return said;
}

/** The entity's own name before a prefix, a longer prefix before a shorter one, any prefix before the class, the class before `*`. */
function mostSpecific(rules: Readonly<Record<string, Action>>, entity: string, group: DetectorClass): Action | undefined {
  if (Object.hasOwn(rules, entity)) return rules[entity];
  const prefixes = Object.keys(rules).filter((rule) => rule.length > 1 && rule.endsWith("*") && entity.startsWith(rule.slice(0, -1)));
  const longest = prefixes.sort((a, b) => b.length - a.length)[0];
  if (longest !== undefined) return rules[longest];
  return Object.hasOwn(rules, group) ? rules[group] : rules["*"];
}

/** Names of the profiles that callers may ask for. */
const profileNames = (section: RedactSection): readonly string[] => ["standard", "strict", ...Object.keys(section.profiles)];

/** Both profiles together: of each entity the stricter word. */
function tightened(one: Profile | undefined, other: Profile | undefined): Profile | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return {
    requests: stricterOf(one.requests, other.requests),
    answers: stricterOf(one.answers, other.answers),
    minScore: Math.min(one.minScore, other.minScore),
    inNumber: one.inNumber ?? other.inNumber,
    own: one.own.detectors.length > 0 || one.own.isAllowed !== undefined ? one.own : other.own,
  };
}

function stricterOf(one: ReadonlyMap<string, Action>, other: ReadonlyMap<string, Action>): ReadonlyMap<string, Action> {
  const both = new Map(one);
  for (const [entity, action] of other) both.set(entity, stricter(both.get(entity) ?? "pass", action));
  return both;
}

/** `x-ai-pii-mode`: at least this is done with all that is personal, financial or of the network. */
const PII_MODES: readonly Action[] = ["partial", "pseudonymise", "hash", "mask", "block"];
function piiMode(mode: string, section: RedactSection, others: readonly string[]): Profile | undefined {
  const action = PII_MODES.find((known) => known === mode);
  if (action === undefined) return undefined;
  const entities = entitiesOf("standard").filter((entity) => CLASSES.get(entity) !== "secret");
  const own = ownDetectors(section);
  const more = [...classesOf(own, others)].filter(([entity, kind]) => !CLASSES.has(entity) && kind !== "secret").map(([entity]) => entity);
  const all = [...new Set([...entities, ...others.filter((entity) => CLASSES.get(entity) !== "secret"), ...more])];
  const requests = new Map(all.map((entity) => [entity, action]));
  return { requests, answers: new Map(), minScore: SCORE_MIN, inNumber: undefined, own };
}

/** What a caller may say of redaction: `x-ai-redaction-profile` and `x-ai-pii-mode`. */
interface Asked {
  readonly redactionProfile?: string | undefined;
  readonly piiMode?: string | undefined;
}
/** The profile that counts, none where nothing is looked for, or what is wrong with the caller's words. */
export type Chosen = { readonly profile: Profile | undefined } | { readonly wrong: string };

/** What was chosen of a policy's section, by the caller's words: tables of detectors hang on it. It goes with the policy. */
const choices = new WeakMap<RedactSection, Map<string, Chosen>>();

/** The policy's profile, tightened by what the caller asks for: the same object for the same words. `others`: as an analyser names its entities. */
export function chosenProfile(asked: Asked, section: RedactSection, others: readonly string[]): Chosen {
  let known = choices.get(section);
  if (known === undefined) {
    known = new Map();
    choices.set(section, known);
  }
  const { redactionProfile, piiMode: mode } = asked;
  // Nearly every caller leaves it to the policy.
  const key =
    redactionProfile === undefined && mode === undefined && others.length === 0 ? "" : JSON.stringify([redactionProfile, mode, others]);
  const made = known.get(key);
  if (made !== undefined) return made;
  const fresh = choose(asked, section, others);
  // Words that callers make up are not remembered.
  if ("wrong" in fresh) return fresh;
  if (known.size >= REDACT_CHOICES_MAX) for (const oldest of known.keys()) if (known.delete(oldest)) break;
  known.set(key, fresh);
  return fresh;
}

function choose({ redactionProfile, piiMode: mode }: Asked, section: RedactSection, others: readonly string[]): Chosen {
  const own = section.profile === undefined ? undefined : profileOf(section.profile, section, others);
  if (section.profile !== undefined && own === undefined) throw new Error("the policy names a profile that is not there");
  const asked = redactionProfile === undefined ? undefined : profileOf(redactionProfile, section, others);
  if (redactionProfile !== undefined && asked === undefined)
    return { wrong: `Contract: x-ai-redaction-profile must be one of ${profileNames(section).join(", ")}.` };
  const least = mode === undefined ? undefined : piiMode(mode, section, others);
  if (mode !== undefined && least === undefined) return { wrong: `Contract: x-ai-pii-mode must be one of ${PII_MODES.join(", ")}.` };
  return { profile: tightened(tightened(own, asked), least) };
}

/** Detectors by the rules that name them. */
const chosenDetectors = new WeakMap<ReadonlyMap<string, Action>, readonly Detector[]>();

/** The detectors that look for these entities; `rules` are those of the profile for requests, or for answers. */
export function detectorsFor(rules: ReadonlyMap<string, Action>, profile: Profile): readonly Detector[] {
  let chosen = chosenDetectors.get(rules);
  if (chosen === undefined) {
    const { detectors, isAllowed } = profile.own;
    const asked = [...DETECTORS, ...detectors]
      .filter(({ entities }) => entities.some((entity) => rules.has(entity)))
      .map((detector) => (isAllowed === undefined ? detector : except(detector, isAllowed)));
    chosen = weighed(asked, weighBy(rules, profile));
    chosenDetectors.set(rules, chosen);
  }
  return chosen;
}

/**
 * Where findings overlap: one that is left as it is (watched, not named, not sure enough) takes no place from one that is replaced, and
 * neither from one that refuses the call.
 */
export function weighBy(rules: ReadonlyMap<string, Action>, { minScore }: Pick<Profile, "minScore">): Weigh {
  return ({ entity, score }) => {
    const action = score < minScore ? undefined : rules.get(entity);
    if (action === undefined || action === "pass" || action === "watch") return 0;
    return action === "block" ? 2 : 1;
  };
}
