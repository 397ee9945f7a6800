import type {
  AnswerReader,
  Codec,
  DialectSpec,
  HeaderView,
  ParsedRequest,
  PathFacts,
  RequestChange,
  RequestTarget,
} from "../core/codec.ts";
import type { Contract, DataClass } from "../core/contract.ts";
import type { KeySets, PeerCertificate } from "../core/credentials.ts";
import type { Denial, DenialCode } from "../core/denials.ts";
import type { AnswerGuard } from "../core/guard.ts";
import type { FaultMode, ModelChoice, Plan, Principal, RolloutMode } from "../core/policy.ts";
import type { Decision, StageEntry } from "../core/record.ts";
import type { Asked } from "../core/selection.ts";
import type { PolicySnapshot, ResolvedPolicy } from "../core/snapshot.ts";
import type { Effect, Marks, Outcome, StageStores } from "../core/stage.ts";
import type { KeptStandIns } from "../core/state.ts";
import type { ExactTokens } from "../core/tokens/exact.ts";
import type { OutputCounter } from "../core/tokens/output.ts";
import type { OutputText } from "../core/tokens/output-text.ts";
import type { Usage } from "../core/usage.ts";
import type { AuditPort } from "../ports/audit.ts";
import type { Clock } from "../ports/clock.ts";
import type { StatePort } from "../ports/state.ts";
import type { TelemetryPort, TraceContext } from "../ports/telemetry.ts";
import type { AnswerFeed } from "./answer-feed.ts";
import type { Gate } from "./guards/gate.ts";

/** Request headers with the names that came, for the outbound allow-list. */
export interface RequestHead extends HeaderView {
  names(): Iterable<string>;
}

/** What the pipeline needs from outside; put together by the composition root. */
export interface PipelineDeps {
  readonly clock: Clock;
  readonly audit: AuditPort;
  /** The policy in force: an exchange takes it once, at its beginning, and gives it back at its end. */
  readonly snapshots: { take(): PolicySnapshot; release(snapshot: PolicySnapshot): void };
  readonly findCodec: (target: RequestTarget, head: HeaderView) => { readonly codec: Codec; readonly facts: PathFacts } | undefined;
  readonly dialects: Readonly<Record<Codec["dialect"], DialectSpec>>;
  readonly newId: () => string;
  /** What callers made at providers; absent: nothing is remembered, and references are refused. */
  readonly state?: StatePort | undefined;
  /** What stages may ask, beside `state`. */
  readonly stores?: StageStores | undefined;
  /** Public keys of token issuers. */
  readonly keySets: KeySets;
  /** Absent: no spans are made. */
  readonly telemetry?: TelemetryPort | undefined;
  /** Refuses new exchanges as `overloaded`: too many, or too many bytes. */
  readonly overloaded: (snapshot: PolicySnapshot) => boolean;
}

/** A whole answer of Sluice's own. */
export interface LocalReply {
  readonly status: number;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: Uint8Array;
  /** Our code, for Envoy's log. */
  readonly details: string;
}

/** A stage's effects as far as its mode lets them act. */
export interface Applied {
  readonly stage: string;
  readonly planning: boolean;
  readonly mode: RolloutMode;
  readonly onFault: FaultMode;
  readonly effects: readonly Effect[];
}
/** A guard of the answer, whose it is, and whether it may act. */
export interface WorkGuard {
  readonly stage: string;
  readonly mode: RolloutMode;
  readonly onFault: FaultMode;
  readonly guard: AnswerGuard;
}

/** What the pipeline knows of one exchange, filled in as it goes; the record is made from it at the end. */
export interface Work {
  readonly id: string;
  readonly arrivedWallMs: number;
  /** The same as RFC 3339, milliseconds, UTC. */
  readonly time: string;
  readonly arrivedMs: number;
  readonly head: RequestHead;
  /** The exchange's span; absent where none are made. */
  readonly trace: TraceContext | undefined;
  /** The caller's certificate, where Envoy verified one and the policy has a use for it. */
  readonly peer: PeerCertificate | undefined;
  readonly target: RequestTarget;
  readonly snapshot: PolicySnapshot;
  readonly codec: Codec | undefined;
  readonly facts: PathFacts;
  readonly dialect: DialectSpec;
  principal: Principal | undefined;
  contract: Contract | undefined;
  useCase: string | undefined;
  policy: ResolvedPolicy | undefined;
  request: ParsedRequest | undefined;
  candidates: readonly ModelChoice[] | undefined;
  /** The way to what the request refers to, where that is kept. */
  home: ModelChoice | undefined;
  plan: Plan | undefined;
  /** What is asked for in place of the caller's words, after a replan; and how often that was. */
  wish: Asked | undefined;
  replans: number;
  /** Facts that stages found. */
  marks: Marks;
  /** What stages in shadow would have marked, for guards that are not acted on either. */
  foreseen?: Marks;
  /** What each stage's word does, in order, so that a replan can begin again from those that do not plan. */
  applied: Applied[];
  /** The class of a kind of data. */
  classOf?: (entity: string) => DataClass | undefined;
  keepingOf?: (dataClass: DataClass) => Pick<Marks, "cacheable" | "retention">;
  /** Taint and class that are noted beside what the answer made. */
  noted?: string;
  /** Stand-ins that the provider keeps with what the answer makes there. */
  standIns?: KeptStandIns;
  /** Changes that rules in enforce asked for. */
  change: RequestChange;
  /** Headers that stages put on the answer. */
  answerHeaders: (readonly [string, string])[];
  guards: readonly WorkGuard[];
  /** What stages want to be told when the exchange is over, by stage. */
  readonly claims: Map<string, (outcome: Outcome) => Promise<void>>;
  readonly entries: StageEntry[];
  /** Codes that a rule in warn would have refused with. */
  readonly warnings: DenialCode[];
  latencyCapMs: number | undefined;
  /** Output tokens of a choice at which a stream is ended although the provider is not told. */
  outputCap: number | undefined;
  /** Output tokens, estimated, at which a running stream is ended in any case; and what counts them. */
  outputLimit: number | undefined;
  counter: OutputCounter | undefined;
  /** What is held for the call. */
  held: { readonly usage: Usage; readonly nanoUsd: number | undefined } | undefined;
  /** It left, and nobody learnt what the provider made of it. */
  unanswered: boolean;
  /** Input tokens of earlier attempts that ran out of their time, and may have been billed. */
  lostTokens: number;
  usageForced: boolean;
  denial: Denial | undefined;
  decision: Decision;
  /** The request was given to Envoy to send on. */
  forwarded: boolean;
  opened: boolean;
  /** The body for the provider, where it differs from the caller's. */
  sentBody: Buffer | undefined;
  requestBytes: number;
  requestDigest: string | undefined;
  sentDigest: string | undefined;

  // The answer.
  status: number | undefined;
  /** The provider's own; undefined: it gave none. */
  upstreamStatus?: number;
  /** The provider's head came, and none was passed on: who got what is not known. */
  headHeld?: boolean;
  servedBy: string | undefined;
  attempts: number | undefined;
  localReply: boolean;
  /** Why Envoy answered itself, by its own `local_reply_config`: it knows a missing credential from a full breaker. */
  localCode?: string | undefined;
  /** Envoy answered because the provider broke off, after it had the request. */
  brokeOff?: boolean;
  /** Things that this answer made at the provider and that are remembered already. */
  remembered: number;
  reader: AnswerReader | undefined;
  /** The beginning of the answer's text, and the exact tokenizers: for what no usage is reported of. */
  readonly output: OutputText;
  readonly tokens: ExactTokens | undefined;
  /** What guards make of the answer; undefined: there are none. */
  gate: Gate | undefined;
  /** Reads a streamed answer, from its first piece on. */
  feed: AnswerFeed | undefined;
  /** Reads what was let through by the gate, so that an early end fits to what the caller has. */
  released: AnswerReader | undefined;
  answerBytes: number;
  answerSentBytes: number;
  usage: Usage | undefined;
  estimated: boolean;
  costNanoUsd: number | undefined;

  // Times, monotonic milliseconds.
  decidedMs: number | undefined;
  headersMs: number | undefined;
  firstTokenMs: number | undefined;
  sidecarMs: number;
}
