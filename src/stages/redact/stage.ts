import { setImmediate as nextTurn } from "node:timers/promises";
import type { TextEdit } from "../../core/guard.ts";
import type { JsonNumber, JsonString } from "../../core/json.ts";
import { YIELD_CHARS } from "../../core/limits.ts";
import { err, ok, type Result } from "../../core/result.ts";
import { finish, finishSliced, type Steps } from "../../core/slice.ts";
import { defineStage, type Effect, type PortError, type StageContext, type Verdict } from "../../core/stage.ts";
import type { KeptStandIns } from "../../core/state.ts";
import type { RequestView } from "../../core/view.ts";
import type { Keyring } from "../../ports/keyring.ts";
import { lookUpNotes } from "../shared/kept-state.ts";
import { lookWithAnalyser } from "./analyse.ts";
import { type Coded, readCoded } from "./coded.ts";
import { redactGuard } from "./guard.ts";
import { joinParts } from "./parts.ts";
import { type Chosen, chosenProfile, detectorsFor, type Profile, weighBy } from "./profile.ts";
import { Pseudonyms } from "./pseudonyms.ts";
import { makeReplacer, type Replacer } from "./replace.ts";
import { type Found, shareOf } from "./seam.ts";
import { type RedactSection, redactSection } from "./section.ts";
import { canonical, type StandIn } from "./stand-in.ts";
import { Tally } from "./tally.ts";
import { changed, isLong, type Looked, look, lookSliced, textSteps, textsOf } from "./texts.ts";
import { asksUnread, judgeUnread, type Unread, unreadSteps } from "./unread.ts";

function chosen({ contract, stores }: StageContext, section: RedactSection): Chosen {
  const others = section.analyser === undefined ? [] : (stores?.analysers?.find(section.analyser.name)?.entities ?? []);
  return chosenProfile(contract.values, section, others);
}

function gather(context: StageContext, section: RedactSection, signal: AbortSignal): Promise<Result<Facts, PortError>> | undefined {
  const texts = gatherFound(context, section, signal);
  if (!asksUnread(section) || (context.request?.doc.text.length ?? 0) <= YIELD_CHARS) return texts;
  return finishSliced(unreadSteps(context)).then(async (unread) => {
    const facts = texts === undefined ? ok({}) : await texts;
    return facts.ok ? ok({ ...facts.value, unread }) : facts;
  });
}

function gatherFound(context: StageContext, section: RedactSection, signal: AbortSignal): Promise<Result<Facts, PortError>> | undefined {
  const choice = chosen(context, section);
  if ("wrong" in choice || choice.profile === undefined) return undefined;
  const { profile } = choice;
  const kept = lookUpNotes(context);
  if (kept === undefined) return gatherTexts(context, section, { profile, signal });
  return kept.then((note) => {
    if (!note.ok) return note;
    const before = note.value.standIns;
    const known = before === undefined ? {} : { before };
    const texts = gatherTexts(context, section, { profile, signal, ...known });
    return texts === undefined ? ok(known) : texts.then((facts) => (facts.ok ? ok({ ...facts.value, ...known }) : facts));
  });
}

function gatherTexts(
  context: StageContext,
  section: RedactSection,
  of: Omit<Gathering, "texts">,
): Promise<Result<Facts, PortError>> | undefined {
  // The texts of a long body are many, or long.
  const chars = context.request?.doc.text.length ?? 0;
  // Of a short body nothing is long enough to wait for; `decide` reads its texts itself.
  if (chars <= YIELD_CHARS && section.analyser === undefined && context.change.texts === undefined) return undefined;
  if (chars > YIELD_CHARS)
    return finishSliced(textSteps(context)).then((texts) => gatherFrom(context, section, { ...of, texts }) ?? ok({}));
  return gatherFrom(context, section, { ...of, texts: textsOf(context) });
}

interface Gathering {
  readonly profile: Profile;
  readonly texts: ReturnType<typeof textsOf>;
  readonly signal: AbortSignal;
  /** Stand-ins of the part of the conversation that the provider keeps. */
  readonly before?: KeptStandIns;
}

function gatherFrom(
  context: StageContext,
  section: RedactSection,
  { profile, texts, signal, before }: Gathering,
): Promise<Result<Facts, PortError>> | undefined {
  const { requests } = profile;
  if (section.analyser !== undefined && texts.length > 0)
    return lookWithAnalyser(
      texts,
      detectorsFor(requests, profile),
      {
        analyser: context.stores?.analysers?.find(section.analyser.name),
        language: section.analyser.language,
        entities: new Set(requests.keys()),
        weigh: weighBy(requests, profile),
        isAllowed: profile.own.isAllowed,
      },
      signal,
    ).then((result) => (result.ok ? prepared(context, result.value, { profile, signal, before }) : result));
  if (!isLong(texts)) return undefined;
  return lookSliced(texts, detectorsFor(requests, profile), signal).then((looked) =>
    prepared(context, looked, { profile, signal, before }),
  );
}

/** What long texts become, in slices of the event loop: `decide` then only gives it. */
async function prepared(
  context: StageContext,
  apart: readonly Looked[],
  { profile, signal, before }: { readonly profile: Profile; readonly signal: AbortSignal; readonly before: KeptStandIns | undefined },
): Promise<Result<Facts, PortError>> {
  const keyring = context.stores?.keyring;
  if (signal.aborted) return err({ code: "timeout" });
  const looked = await finishSliced(lookFurther(apart, profile));
  if (keyring === undefined || !isLong(looked)) return ok({ looked });
  const replacer = replacerOf(context, profile, keyring, { looked, before });
  let done = 0;
  for (const { shown, findings } of looked) {
    for (const { entity, start, end, score, value } of findings) {
      if (score < profile.minScore || profile.requests.get(entity) !== "pseudonymise") continue;
      replacer.pseudonyms.of(entity, value ?? shown.slice(start, end));
      done += 1;
      if (done % DRAWS_A_TURN === 0) await nextTurn();
    }
  }
  return ok({ looked, replacer, redacted: await finishSliced(redactSteps(looked, profile, replacer)) });
}

/** Stand-ins drawn in one turn of the event loop: a millisecond or two. */
const DRAWS_A_TURN = 32;

interface Facts {
  readonly unread?: Unread;
  /** Stand-ins of the part of the conversation that the provider keeps. */
  readonly before?: KeptStandIns;
  readonly looked?: readonly Looked[];
  readonly replacer?: Replacer;
  readonly redacted?: Redacted;
}

function decide(context: StageContext, section: RedactSection, gathered: Facts | undefined): Verdict {
  const choice = chosen(context, section);
  if ("wrong" in choice) return { kind: "deny", code: "contract_violation", detail: choice.wrong };
  const { found: files, refused } = judgeUnread(
    gathered?.unread ?? (asksUnread(section) ? finish(unreadSteps(context)) : new Map()),
    section,
  );
  if (refused.length > 0)
    return {
      kind: "deny",
      code: "content_blocked",
      detail: `The policy does not allow what cannot be looked into: ${refused.join(", ")}.`,
      evidence: { found: files },
    };
  const verdict = decideTexts(context, choice.profile, gathered);
  if (files.length === 0) return verdict;
  return { ...verdict, evidence: { ...verdict.evidence, found: [...(verdict.evidence?.found ?? []), ...files] } };
}

function decideTexts(context: StageContext, profile: Profile | undefined, gathered: Facts | undefined): Verdict {
  if (profile === undefined || context.request === undefined) return { kind: "allow", effects: [] };
  if (context.request.view.tokens === true && profile.requests.size > 0) return { kind: "deny", code: "content_blocked", detail: TOKENS };
  const keyring = context.stores?.keyring;
  if (keyring === undefined) throw new Error("no keyring");
  const looked = gathered?.looked ?? lookAtAll(context, profile);
  const replacer = gathered?.replacer ?? replacerOf(context, profile, keyring, { looked, before: gathered?.before });
  const { texts, tally, blocked } = gathered?.redacted ?? finish(redactSteps(looked, profile, replacer));
  const entities = tally.entities;
  const effects: Effect[] =
    entities.length === 0 ? [] : [{ kind: "mark", mark: { entities, unredacted: tally.entitiesOf(["watch", "pass", "block"]) } }];
  const evidence = tally.isEmpty ? {} : { evidence: { found: tally.found(replacer.digest) } };
  if (blocked.size > 0)
    return {
      kind: "deny",
      code: "content_blocked",
      detail: `The policy does not allow ${[...blocked].join(", ")} to leave.`,
      effects,
      ...evidence,
    };
  if (texts.size > 0) effects.push({ kind: "change", change: { texts } });
  const standIns = isKept(context.request.view) ? replacer.pseudonyms.kept : undefined;
  if (standIns !== undefined) effects.push({ kind: "stand_ins", standIns });
  const guard = redactGuard(profile, replacer);
  if (guard !== undefined) effects.push({ kind: "guard", guard });
  return { kind: "allow", effects, ...evidence };
}

function lookAtAll(context: StageContext, profile: Profile): readonly Looked[] {
  const detectors = detectorsFor(profile.requests, profile);
  return finish(
    lookFurther(
      textsOf(context).map((text) => look(text, detectors)),
      profile,
    ),
  );
}

/** Over the borders of parts, and into what is coded. */
function* lookFurther(looked: readonly Looked[], profile: Profile): Steps<readonly Looked[]> {
  const detectors = detectorsFor(profile.requests, profile);
  return yield* readCoded(yield* joinParts(looked, detectors, profile), detectors);
}

const TOKENS = "The policy looks for personal data, and tokens cannot be looked into. Send the text itself in place of its tokens.";

/** The provider keeps the answer for calls that refer to it, or to the conversation that it belongs to. */
const isKept = ({ providerState }: RequestView): boolean =>
  providerState.some(({ kind }) => kind === "store" || kind === "background" || kind === "conversation");

/** Purposes of keys. */
const STAND_INS = "redact.stand-ins";
const DIGESTS = "redact.digests";

function replacerOf(
  context: StageContext,
  profile: Profile,
  keyring: Keyring,
  { looked, before }: { readonly looked: readonly Looked[]; readonly before: KeptStandIns | undefined },
): Replacer {
  const { tenant } = context.principal;
  const digest = (text: string): string => keyring.digest(DIGESTS, tenant, text);
  const seed = () => ({
    key: keyring.keyOf(STAND_INS, tenant),
    conversation: context.contract.values.conversation ?? before?.conversation ?? digest(firstTexts(looked)),
  });
  let own: ReadonlySet<string> | undefined;
  const isTaken = ({ text, spelling }: StandIn): boolean => {
    own ??= ownCodes(looked);
    return own.has(`${spelling} ${canonical(text, spelling)}`);
  };
  const pseudonyms = new Pseudonyms(seed, isTaken, before?.pairs);
  return makeReplacer(pseudonyms, digest, profile.inNumber);
}

/** What the caller's own texts hold that could be taken for a scarce stand-in: numbers, addresses and dates, in the forms that are compared. */
function ownCodes(looked: readonly Looked[]): ReadonlySet<string> {
  const codes = new Set<string>();
  const add = (text: string): void => void codes.add(`exact ${canonical(text, "exact")}`).add(`code ${canonical(text, "code")}`);
  for (const { shown, findings } of looked) {
    for (const { start, end } of findings) add(shown.slice(start, end));
    for (const [code] of shown.matchAll(CODE)) add(code);
  }
  return codes;
}
/** Groups of hex digits with one or two signs between them. A group ends where its digits do, so that a match takes linear time. */
const CODE = /(?<![0-9A-Za-z])[0-9A-Fa-f]{1,40}(?:[ .:/()-]{1,2}[0-9A-Fa-f]{1,40}){0,11}(?![0-9A-Za-z])/g;

/** What a conversation begins with and each of its turns repeats: all up to the first word of the user. */
function firstTexts(looked: readonly Looked[]): string {
  const first = looked.findIndex(({ place }) => place === "user");
  return looked
    .slice(0, first < 0 ? 1 : first + 1)
    .map(({ source }) => source)
    .join("\0");
}

interface Redacted {
  readonly texts: ReadonlyMap<JsonString | JsonNumber, string>;
  readonly tally: Tally;
  readonly blocked: ReadonlySet<string>;
}

function* redactSteps(looked: readonly Looked[], profile: Profile, replacer: Replacer): Steps<Redacted> {
  const texts = new Map<JsonString | JsonNumber, string>();
  const tally = new Tally();
  const blocked = new Set<string>();
  for (const text of looked) {
    const edits: TextEdit[] = [];
    for (const finding of text.findings) {
      edits.push(...edit(text, finding));
      if (edits.length % FINDINGS_AT_ONCE === 0) yield;
    }
    if (text.coded !== undefined) edits.push(...(yield* codedEdits(text.coded, edits)));
    if (edits.length === 0) continue;
    yield;
    const said = changed(
      text,
      edits.sort((a, b) => a.start - b.start),
    );
    if (said !== text.source) texts.set(text.node, text.write === undefined ? said : yield* text.write(said));
  }
  return { texts, tally, blocked };

  /** Of what is coded in a text; where that is put out itself, it goes with what it holds. */
  function* codedEdits(coded: readonly Coded[], outer: readonly TextEdit[]): Steps<readonly TextEdit[]> {
    const edits: TextEdit[] = [];
    for (const { start, end, words } of coded) {
      const inner = words.findings.flatMap((finding) => edit(words, finding));
      if (inner.length === 0 || words.write === undefined || outer.some((other) => other.start < end && other.end > start)) continue;
      edits.push({ start, end, text: yield* words.write(changed(words, inner)) });
    }
    return edits;
  }

  function edit({ shown, place }: Looked, { entity, start, end, score, nth = 0, of, ...found }: Found): readonly TextEdit[] {
    const action = profile.requests.get(entity);
    if (action === undefined || score < profile.minScore) return [];
    const value = found.value ?? shown.slice(start, end);
    if (nth === 0) tally.note(entity, place, action, value);
    if (action === "block") blocked.add(entity);
    if (action === "block" || action === "watch" || action === "pass") return [];
    return [{ start, end, text: shareOf(replacer.replacement(entity, value, action), nth, of), ...replacer.numbers }];
  }
}

/** Findings between two looks at the clock: well below a millisecond. */
const FINDINGS_AT_ONCE = 32;

export const redactStage = defineStage<RedactSection, Facts>({ name: "redact", section: redactSection, gather, decide });
