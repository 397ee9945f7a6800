import { readFileSync } from "node:fs";
import { join } from "node:path";
import { code, type GeneratedPage, page, table } from "./page.ts";
import { fieldsOf, type SourceField } from "./source-fields.ts";

const CORE = join(import.meta.dirname, "../../../src/core");

/** What the source's comments do not say. A field that has neither is a mistake. */
const WORDS: Readonly<Record<string, string>> = {
  v: "Version of this form; fields are only ever added.",
  id: "The exchange's id, also in the answer's `x-ai-request-id`.",
  requestId: "`x-request-id` as the caller sent it, or as Envoy made it.",
  traceparent: "The caller's W3C trace context.",
  tenant: "From the credential.",
  app: "From the credential.",
  user: "From `x-ai-user`, or the credential.",
  channel: "From `x-ai-channel`.",
  useCase: "Declared, or the app's only one.",
  conversation: "From `x-ai-conversation`.",
  dataClass: "What the caller declared (`x-ai-data-class`), raised by what was found in the request and in the answer.",
  retention: "How long this may be kept, by the policy's own name (`classification.classes`).",
  cacheable: "`false`: the class of this call's data does not let its answer be kept for others.",
  credential: "Which credential proved the caller.",
  "credential.kind": "`api_key` and others.",
  "credential.id": "Its id in the policy; never the secret.",
  method: "HTTP method.",
  ending: "How it ended, see below.",
  surface: "Which API: a name of [surfaces.md](surfaces.md).",
  operation: "What kind of work: chat, embed, image, audio, list, other.",
  streaming: "The caller asked for a stream.",
  policy: "Which rules held.",
  "policy.name": "`tenant/app/use-case`.",
  "policy.version": "`version` of the document.",
  stages: "What each rule family said, in order.",
  "stages[].stage": "`contract`, `access`, `route`, `caps` ...",
  "stages[].mode": "off, shadow, warn or enforce.",
  "stages[].verdict":
    "`fault`: the stage itself failed; `answer`: it answered in the provider's place; `replan`: it had another way tried.",
  "stages[].evidence": "What it found, where it looks into texts.",
  "stages[].evidence.found": "Counts of what was found.",
  "stages[].evidence.found[].count": "How often.",
  "stages[].code": "One of the [codes](codes.md).",
  decision:
    "`degraded`: another model than asked for, a text of ours, or an answer that a rule cut or took a call out of. `cached` is reserved.",
  code: "Why it was refused or failed: one of the [codes](codes.md).",
  reason: "More exactly. Names and numbers of the policy, never content.",
  model: "The policy's name of the model that was routed to.",
  target: "Where it was sent.",
  "target.provider": "The policy's name of the provider.",
  "target.model": "The provider's name of the model.",
  "target.region": "Where the policy says it runs.",
  "target.cluster": "Envoy's cluster.",
  attempts: "How often Envoy tried, the first included.",
  status:
    "HTTP status that the caller got. Absent where it is not known: the provider broke off, or the caller left, before anything was passed on.",
  upstreamStatus: "The provider's own status, where it is not the caller's.",
  "answer.complete": "The provider's own end of the answer was seen.",
  "answer.finishReasons": "The provider's own words, one a choice.",
  "answer.model": "The model that the provider says answered.",
  "answer.responseId": "The provider's id of the answer.",
  "answer.error": "Type of an error object in the answer, also in a stream of status 200.",
  "answer.toolCalls": "Names of the tools that the model called.",
  "answer.unknownEvents": "Stream events of a kind that is not known; passed on untouched.",
  "answer.invalidEvents": "Stream events that were not valid JSON; passed on untouched.",
  usage: "What the provider reported, below.",
  cost: "Absent where the price is not known, or nothing was made.",
  "cost.nanoUsd": "Nano-dollars (1e-9 USD), rounded up once.",
  "cost.price": "Which price: the catalogue and its date, or the policy.",
  "cost.estimated": "The provider did not report all usage; what was missing is estimated.",
  "ms.total": "Arrival to the end.",
  "ms.sidecar": "Spent in Sluice, waits for its own rules included.",
  "ms.decided": "Arrival to the decision.",
  "ms.upstream": "Arrival to the answer's headers.",
  "ms.firstToken": "Arrival to the first piece of output.",
  bytes: "Bodies.",
  "bytes.request": "From the caller.",
  "bytes.requestSent": "To the provider, where it differs.",
  "bytes.answer": "From the provider.",
  "bytes.answerSent": "To the caller, where it differs.",
  "digests.request": "The caller's request.",
  "digests.requestSent": "What the provider got, where it differs.",
  "digests.answer": "The provider's answer.",
  "trace.id": "Trace id, 32 hex digits.",
  "trace.span": "Span id, 16 hex digits.",
  "trace.sampled": "Whether it was exported.",
  inputTokens: "All input, cached and cache-written included.",
  outputTokens: "All output, reasoning included.",
  audioInputTokens: "Part of input.",
  imageInputTokens: "Part of input.",
  billedInputTokens: "What the provider bills of input, where it says so.",
  billedOutputTokens: "What the provider bills of output, where it says so.",
  apartOutputTokens: "All their output.",
  audioOutputTokens: "Part of output.",
  imageOutputTokens: "Part of output.",
};

/** Types of the sources whose members the table shows in their place. */
const EXPANDED: Readonly<Record<string, string>> = {
  "readonly StageEntry[]": "StageEntry",
  StageEvidence: "StageEvidence",
  "readonly FoundCount[]": "FoundCount",
  PolicyRef: "PolicyRef",
};

export function recordsPage(): GeneratedPage {
  const source = readFileSync(join(CORE, "record.ts"), "utf8");
  const expand = (field: SourceField): readonly SourceField[] => {
    const type = EXPANDED[field.type];
    if (type === undefined) return [field];
    const step = field.type.endsWith("[]") ? `${field.path}[].` : `${field.path}.`;
    return [field, ...fieldsOf(source, type).flatMap((inner) => expand({ ...inner, path: `${step}${inner.path}` }))];
  };
  const record = fieldsOf(source, "ExchangeRecord").flatMap(expand);
  const usage = fieldsOf(readFileSync(join(CORE, "usage.ts"), "utf8"), "Usage");
  return page("docs/records.md", [
    "# Records",
    "",
    "One line of JSON for each exchange, however it ended: `records-<name>.jsonl` in the folder that `sluice serve --data` names. No prompt, no answer,",
    "no key is in it. How to query, rotate and keep them: [audit.md](audit.md).",
    "",
    "The line is written when Envoy closes the stream, and at most a few milliseconds later. Before a call leaves, an entry goes to the journal",
    "`open-<name>.jsonl`; one that has no record at the next start becomes a record that ends `crashed`.",
    "",
    "## Fields",
    "",
    "Fields marked *if known* are left out where they do not apply.",
    "",
    ...table(["Field", "", "Meaning"], record.map(row)),
    "",
    "## ending",
    "",
    ...table(["Value", "Meaning"], endings(source)),
    "",
    "## usage",
    "",
    "Totals hold their parts, whatever the provider's own spelling.",
    "",
    ...table(["Field", "", "Meaning"], usage.map(row)),
  ]);
}

function row(field: SourceField): readonly [string, string, string] {
  const words = WORDS[field.path];
  const values = /^"/.test(field.type) && field.comment === "" ? field.type.replaceAll('"', "`").replaceAll(" | ", ", ") : "";
  const text = [field.comment, words ?? "", values].filter((part) => part !== "").join(" ");
  if (text === "" && words === undefined)
    throw new Error(`the record's field ${field.path} has no words: give it a docstring in src/core, or a line in WORDS`);
  return [code(field.path), field.optional ? "*if known*" : "", text];
}

/** The comment above the type lists them: `served: the whole answer went to the caller. refused: ...`. */
function endings(source: string): readonly (readonly [string, string])[] {
  const comment =
    /How an exchange ended, once:\n([\s\S]*?)\*\//
      .exec(source)?.[1]
      ?.replaceAll(/\s*\n?\s*\*\s+/g, " ")
      .trim() ?? "";
  const values = /export type Ending = ([^;]+);/.exec(source)?.[1]?.match(/\w+/g) ?? [];
  return values.map((value) => {
    const meaning = new RegExp(`(?:^|\\. )${value}: (.*?)\\.(?= \\w+: |$)`).exec(comment)?.[1];
    if (meaning === undefined) throw new Error(`no words for the ending ${value}`);
    return [code(value), `${meaning[0]?.toUpperCase()}${meaning.slice(1)}.`];
  });
}
