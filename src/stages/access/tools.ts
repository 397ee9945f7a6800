/**
 * Tools of one exchange: judged where the request offers them, and again where the model calls them.
 *
 * Steps: by name, from the lists (`judgeName`), tighter where untrusted content taints the exchange -> offered tools that are not
 * allowed are refused or taken out -> a guard waits for each call that has constraints or needs approval until its arguments are
 * whole -> a call that needs approval uses a grant, or asks for one and ends the answer.
 *
 * Known miss: tools that the provider itself runs (web search) are called where no gateway sees it; their offer is all that is judged.
 */
import { canonicalJson } from "../../core/canonical.ts";
import { plainName } from "../../core/credentials.ts";
import type { Denial } from "../../core/denials.ts";
import type { AnswerGuard, CallVerdict, GuardEvidence, Stop } from "../../core/guard.ts";
import { APPROVAL_ARGUMENTS_BYTES_MAX, CALL_CHARS_MAX, CALL_VALUES_MAX } from "../../core/limits.ts";
import { memoized } from "../../core/memo.ts";
import { judgeName, matchesAnyForm, matchesPattern } from "../../core/patterns.ts";
import type { FoundCount } from "../../core/record.ts";
import type { Marks, StageContext, Verdict } from "../../core/stage.ts";
import type { ProviderStateRef, RequestView, ToolCall, ToolRef } from "../../core/view.ts";
import type { ApprovalCall, ApprovalsPort, AskAnswer, HeldAnswer, HeldFor } from "../../ports/approvals.ts";
import { isAllowed } from "../shared/hosts.ts";
import { hasArgumentRules, judgeArguments } from "./arguments.ts";
import type { AccessSection } from "./section.ts";

type ToolsSection = AccessSection["tools"];
type NameVerdict = ReturnType<typeof judgeName>;

/** What the lists say of a name, in a tainted exchange or another. */
export function judgeTool(section: ToolsSection, name: string, tainted: boolean): NameVerdict {
  const verdict = judgeName(section, name);
  if (!tainted || verdict === "deny") return verdict;
  if (matchesAnyForm(section.whenTainted.deny, name)) return "deny";
  return matchesAnyForm(section.whenTainted.approve, name) ? "approve" : verdict;
}

/**
 * What the lists say of a call whose tool is offered by another name (a server's label): its own name decides where a pattern other than
 * `*` is about it, else the name of the offer, where the request makes one. What tainted exchanges lose they lose by either name.
 */
function judgeCalled(
  section: ToolsSection,
  { name, offeredAs }: Pick<ToolCall, "name" | "offeredAs">,
  { view, tainted }: { readonly view: RequestView | undefined; readonly tainted: boolean },
): NameVerdict {
  if (offeredAs === undefined) return judgeTool(section, name, tainted);
  const offered = view?.tools.filter(({ use }) => use === "offered") ?? [];
  const isOffered = offered.length === 0 || offered.some((tool) => tool.name === offeredAs);
  const verdict = judgeName(section, isNamed(section, name) || !isOffered ? name : offeredAs);
  if (!tainted || verdict === "deny") return verdict;
  const isIn = (patterns: readonly string[]): boolean => matchesAnyForm(patterns, name) || matchesAnyForm(patterns, offeredAs);
  if (isIn(section.whenTainted.deny)) return "deny";
  return isIn(section.whenTainted.approve) ? "approve" : verdict;
}

/** Is a pattern other than `*` about the name? */
const isNamed = ({ allow, approve, deny }: ToolsSection, name: string): boolean =>
  allow.some((pattern) => pattern !== "*" && matchesPattern(pattern, name)) ||
  matchesAnyForm(named(approve), name) ||
  matchesAnyForm(named(deny), name);
const named = memoized((patterns: readonly string[]) => patterns.filter((pattern) => pattern !== "*"));

/** Refuses what is offered and not allowed; or says what is to be taken out of the offer. A tool that the choice demands cannot be. */
export function judgeOffers(
  section: ToolsSection,
  view: RequestView,
  tainted: boolean,
): { readonly denial?: Denial; readonly dropped: readonly ToolRef[] } {
  const dropped: ToolRef[] = [];
  const elsewhere = serversElsewhere(section, view);
  for (const tool of view.tools) {
    const isElsewhere = tool.kind === "server" && elsewhere?.has(tool.name) === true;
    if (judgeTool(section, tool.name, tainted) !== "deny" && !isElsewhere) continue;
    if (section.onDenied === "remove" && tool.use === "offered") dropped.push(tool);
    else
      return {
        denial: {
          code: "tool_not_allowed",
          detail: isElsewhere
            ? `The server${quoted(tool.name)} is on a host that is not allowed for this use case.`
            : `The tool${quoted(tool.name)} is not allowed for this use case.`,
        },
        dropped: [],
      };
  }
  return { dropped };
}

/** Labels of servers on hosts that are not allowed. A label is the caller's word: what else is known by it goes too. */
function serversElsewhere({ servers }: ToolsSection, { tools }: RequestView): ReadonlySet<string> | undefined {
  if (servers === undefined) return undefined;
  return new Set(tools.filter(({ url }) => url !== undefined && !isAllowed(url.trim(), servers.allow)).map(({ name }) => name));
}

/** Kept things that are data, and how a response is made: none of them brings a call. */
const BRINGS_NO_CALL: ReadonlySet<ProviderStateRef["kind"]> = new Set([
  ...(["store", "background", "file", "vector_store", "container", "item"] as const),
]);

/**
 * Can the answer hold calls? Where tools are offered, and where the provider keeps what may bring them: a stored prompt has tools of
 * its own, a cached content too, and a response made in the background is read by a request that offers none.
 */
export const mayCallTools = ({ tools, providerState }: RequestView): boolean =>
  tools.length > 0 || providerState.some(({ kind }) => !BRINGS_NO_CALL.has(kind));

/** The name is the caller's or the model's own text: quoted only where it is a plain name. */
const quoted = (name: string): string => (/^[\w.:-]{1,64}$/.test(name) ? ` ${name}` : "");

/** What untrusted content the request brings, in words of the policy; none: it is not tainted. */
export function taintsOf(context: StageContext, section: ToolsSection): readonly string[] {
  const { values } = context.contract;
  const taints: string[] = [];
  if (values.untrusted === "true") taints.push("declared");
  if (values.channel !== undefined && isChannel(section.untrusted.channels, values.channel)) taints.push(`channel:${values.channel}`);
  const view = context.request?.view;
  if (view === undefined) return taints;
  const { tools, sources } = section.untrusted;
  if (tools.length > 0)
    for (const { tool } of view.toolResults?.() ?? [])
      if (tool === undefined || isUntrusted(section, tool)) taints.push(tool === undefined ? "tool" : `tool:${tool.slice(0, 64)}`);
  if (sources !== undefined && namesOther(view, sources.allow)) taints.push("source");
  return [...new Set(taints)].slice(0, TAINTS_MAX);
}

const isChannel = (channels: readonly string[], channel: string): boolean =>
  channels.some((known) => plainName(known) === plainName(channel));

function isUntrusted({ untrusted: { tools, exceptTools } }: ToolsSection, tool: string): boolean {
  return matchesAnyForm(tools, tool) && judgeName({ allow: exceptTools, approve: [], deny: tools }, tool) === "deny";
}

/** Does the provider run this call itself, for a tool or a server that nobody vouches for? Then what it found is read by the model at once. */
function ranUntrusted(section: ToolsSection, view: RequestView | undefined, name: string): boolean {
  if (view === undefined || section.untrusted.tools.length === 0) return false;
  const offered = view.tools.filter(({ use }) => use === "offered");
  if (offered.some((tool) => tool.kind === "function" && tool.name === name)) return false;
  return isUntrusted(section, name) || offered.some((tool) => tool.kind === "server" && isUntrusted(section, tool.name));
}

/** Does it name an address elsewhere? What a `data:` address holds is the caller's own. */
function namesOther(view: RequestView, allow: readonly string[]): boolean {
  for (const { place, node } of view.texts())
    if (place === "url" && !/^data:/i.test(node.value) && !isAllowed(node.value.trim(), allow)) return true;
  return false;
}
/** Taints that a record names. */
const TAINTS_MAX = 16;

/** Has the policy rules for tainted exchanges? */
export const asksForTaint = ({ untrusted, whenTainted }: ToolsSection): boolean =>
  (untrusted.sources === undefined ? 0 : 1) +
    untrusted.tools.length +
    untrusted.channels.length +
    whenTainted.approve.length +
    whenTainted.deny.length >
  0;

/** May a call of this policy need approval? */
export const mayApprove = ({ approve, whenTainted, arguments: rules }: ToolsSection): boolean =>
  approve.length + whenTainted.approve.length > 0 || rules.some(({ otherwise }) => otherwise === "approve");

/** One caller's try: where it sent a key, the answer that waits for approval is kept for it. */
export function heldFor({ principal, contract, useCase, exchange }: StageContext): HeldFor | undefined {
  const { idempotencyKey, requestDigest, policy } = exchange;
  if (idempotencyKey === undefined || requestDigest === undefined) return undefined;
  const { tenant, app } = principal;
  return { tenant, app, user: contract.values.user, useCase, policyHash: policy.hash, idempotencyKey, requestDigest };
}

const waits = (ids: readonly string[]): Denial => ({
  code: "approval_required",
  detail:
    ids.length === 1
      ? `A tool call of this answer waits for approval ${ids[0]}. Once it is approved, send the same request again.`
      : `Tool calls of this answer wait for the approvals ${ids.join(", ")}. Once all are approved, send the same request again.`,
});
const WOULD_WAIT: Denial = { code: "approval_required", detail: "A tool call of this answer would wait for approval." };
const rejected = (id: string): Denial => ({
  code: "tool_not_allowed",
  detail: `A tool call of this answer was rejected (approval ${id}).`,
});

/** A second try with the same idempotency key: the answer that waited, once it is approved. undefined: there is none. */
export function heldVerdict(context: StageContext, approvals: ApprovalsPort | undefined): Verdict | "fault" | undefined {
  const of = heldFor(context);
  if (of === undefined || approvals === undefined) return undefined;
  const held = approvals.heldAnswer(of);
  if (!held.ok) return "fault";
  switch (held.value.kind) {
    case "none":
      return undefined;
    case "pending":
      return { kind: "deny", ...waits(held.value.ids) };
    case "rejected":
      return { kind: "deny", ...rejected(held.value.id) };
    case "answer":
      return {
        kind: "answer",
        text: "",
        whole: held.value.answer,
        code: "approval_required",
        reason: `approved: ${held.value.id}`,
      };
  }
}

/** Judges what the model calls. */
export class ToolGuard implements AnswerGuard {
  readonly #section: ToolsSection;
  readonly #context: StageContext;
  #tainted: boolean;
  /** Results of tools that the provider runs come in the answer itself, before the calls behind them. */
  #taintedWithin = false;
  /** The conversation should be marked as tainted, and the store did not take it: later calls in it would not know. */
  #unnoted = false;
  readonly #counts = new Map<string, number>();
  /** Calls that no grant is there for. People are asked about all of them once the answer is read. */
  readonly #waiting: ApprovalCall[] = [];
  /** Why the answer did not reach the caller as it was; of a call that waits, once people were asked. */
  #denial: Denial | undefined;

  constructor(section: ToolsSection, context: StageContext, tainted: boolean) {
    this.#section = section;
    this.#context = context;
    this.#tainted = tainted;
  }

  /** An attack that a later stage found taints the exchange too, where the policy has rules for that; and its conversation. */
  begin({ tainted }: Marks): "fault" | undefined {
    if (this.#tainted || (tainted?.length ?? 0) === 0 || !asksForTaint(this.#section)) return undefined;
    this.#tainted = true;
    return this.#taintConversation();
  }

  taints(): boolean {
    return this.#taintedWithin;
  }

  judgesCall(name: string, offeredAs?: string): boolean {
    const judges = this.#judgesCall({ name, ...(offeredAs === undefined ? {} : { offeredAs }) });
    if (!this.#tainted && ranUntrusted(this.#section, this.#context.request?.view, name)) {
      this.#tainted = true;
      this.#taintedWithin = true;
      this.#unnoted ||= this.#taintConversation() === "fault";
    }
    return judges || this.#unnoted;
  }

  #taintConversation(): "fault" | undefined {
    const { conversation } = this.#context.contract.values;
    const { approvals } = this.#context.stores ?? {};
    if (conversation === undefined || approvals === undefined) return undefined;
    return approvals.taint(this.#context.principal.tenant, conversation).ok ? undefined : "fault";
  }

  #judgesCall(call: Pick<ToolCall, "name" | "offeredAs">): boolean {
    if (this.#judgeName(call) !== "allow") return true;
    if (hasArgumentRules(this.#section, call.name)) return true;
    this.#count("pass");
    return false;
  }

  judgeCall(call: ToolCall): CallVerdict {
    return this.#counted(this.#judge(call, (tool, text) => this.#claim(tool, text)));
  }
  foreseeCall(call: ToolCall): CallVerdict {
    return this.#counted(this.#judge(call, () => stopWith(WOULD_WAIT)));
  }

  #counted(verdict: CallVerdict): CallVerdict {
    if (verdict.kind === "pass") this.#count("pass");
    else {
      const denial = verdict.kind === "withhold" ? WOULD_WAIT : verdict.stop.denial;
      this.#count(verdict.kind === "remove" ? "remove" : denial.code === "approval_required" ? "wait" : "refuse");
      if (this.#denial === undefined || this.#denial === WOULD_WAIT) this.#denial = denial;
    }
    return verdict;
  }

  evidence(): GuardEvidence | undefined {
    if (this.#counts.size === 0) return undefined;
    const found = [...this.#counts].map(([action, count]): FoundCount => ({ entity: "tool_call", place: "tool_arguments", action, count }));
    if (this.#denial === undefined) return { verdict: "allow", evidence: { found } };
    const { detail } = this.#denial;
    return { verdict: "deny", denial: this.#denial, ...(detail === undefined ? {} : { reason: detail }), evidence: { found } };
  }

  #judgeName(call: Pick<ToolCall, "name" | "offeredAs">): NameVerdict {
    return judgeCalled(this.#section, call, { view: this.#context.request?.view, tainted: this.#tainted });
  }

  #judge(call: ToolCall, ask: (tool: string, canonical: string) => CallVerdict): CallVerdict {
    if (this.#unnoted) return stopWith({ code: "store_unavailable" });
    const byName = this.#judgeName(call);
    if (byName === "deny") return this.#denyName(call.name);
    const text = call.arguments === "" ? "{}" : call.arguments;
    const canonical = canonicalJson(text);
    if (canonical === undefined)
      return this.#deny(
        `The arguments of the tool${quoted(call.name)} are no JSON, or more than can be checked (${CALL_CHARS_MAX} characters, ${CALL_VALUES_MAX} values).`,
      );
    const byArguments = judgeArguments(this.#section, call, canonical);
    if (byArguments.verdict === "deny")
      return this.#deny(`A call of the tool${quoted(call.name)} breaks the policy's ${byArguments.where}.`);
    if (byName !== "approve" && byArguments.verdict !== "approve") return { kind: "pass" };
    // Nobody approves what cannot be shown whole, so nobody is asked.
    if (Buffer.byteLength(canonical) > APPROVAL_ARGUMENTS_BYTES_MAX)
      return this.#deny(
        `A call of the tool${quoted(call.name)} needs approval, and its arguments are longer than the ${APPROVAL_ARGUMENTS_BYTES_MAX} bytes that approvers are shown.`,
      );
    return ask(call.name, canonical);
  }

  #denyName(name: string): CallVerdict {
    return this.#deny(`The model called the tool${quoted(name)}, which is not allowed.`);
  }

  #deny(detail: string): CallVerdict {
    const denial: Denial = { code: "tool_not_allowed", detail };
    return this.#section.onDeniedCall === "remove" ? { kind: "remove", stop: { kind: "filtered", denial } } : stopWith(denial);
  }

  #claim(tool: string, canonical: string): CallVerdict {
    const { principal, contract, useCase, exchange, stores } = this.#context;
    const { tenant, app } = principal;
    const policyHash = exchange.policy.hash;
    const call = { tenant, app, user: contract.values.user, useCase, tool, arguments: canonical, policyHash };
    const answer = stores?.approvals?.claim(call);
    if (answer === undefined || !answer.ok) return stopWith({ code: "store_unavailable" });
    switch (answer.value.kind) {
      case "granted": {
        const { id } = answer.value;
        return { kind: "pass", giveBack: () => stores?.approvals?.giveBack(tenant, id) };
      }
      case "rejected":
        return stopWith(rejected(answer.value.id));
      case "none":
        this.#waiting.push(call);
        return { kind: "withhold", end: (whole) => this.#ask(whole) };
    }
  }

  /** The answer is read, and nothing else ends it: asks people about all of its calls that wait. */
  #ask(whole: HeldAnswer | undefined): { readonly stop: Stop; readonly kept: boolean } {
    const { exchange, stores } = this.#context;
    const { approvers, expiresMinutes } = this.#section.approvals;
    const terms = { approvers, lifeMs: expiresMinutes * 60_000, exchange: exchange.id, policyName: exchange.policy.name };
    const approvals = stores?.approvals;
    const asked = approvals?.ask(this.#waiting, terms);
    this.#denial = denialOf(asked?.ok === true ? asked.value : undefined);
    const stop: Stop = { kind: "refuse", denial: this.#denial };
    const of = heldFor(this.#context);
    if (approvals === undefined || asked?.ok !== true || asked.value.kind !== "asked" || of === undefined || whole === undefined)
      return { stop, kept: false };
    // A grant is for one call: where two alike wait for it, the answer that holds both is not kept.
    const { ids } = asked.value;
    return { stop, kept: new Set(ids).size === ids.length && approvals.keepAnswer(ids, of, whole) };
  }

  #count(action: string): void {
    this.#counts.set(action, (this.#counts.get(action) ?? 0) + 1);
  }
}

function denialOf(asked: AskAnswer | undefined): Denial {
  switch (asked?.kind) {
    case undefined:
      return { code: "store_unavailable" };
    case "rejected":
      return rejected(asked.id);
    case "full":
      return { code: "overloaded", detail: "Too many tool calls of this tenant wait for approval.", retryAfterMs: 60_000 };
    case "asked":
      return waits([...new Set(asked.ids)]);
  }
}

const stopWith = (denial: Denial): CallVerdict & { readonly kind: "stop" } => ({ kind: "stop", stop: { kind: "refuse", denial } });
