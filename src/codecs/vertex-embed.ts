import type {
  AnswerContext,
  AnswerReader,
  Codec,
  Frame,
  ParsedRequest,
  ParseError,
  PathFacts,
  RequestChange,
  TailReason,
} from "../core/codec.ts";
import { type JsonDoc, type JsonEdit, type JsonNode, member } from "../core/json.ts";
import { err, ok, type Result } from "../core/result.ts";
import type { Usage } from "../core/usage.ts";
import type { AnswerSummary, RequestView } from "../core/view.ts";
import { openReader } from "./shared/answer-reader.ts";
import { AnswerTally } from "./shared/answer-tally.ts";
import { openEdgeReader } from "./shared/edge-reader.ts";
import { geminiErrorBody } from "./shared/gemini-reader.ts";
import { readInputParts } from "./shared/input-parts.ts";
import { PlainAnswer } from "./shared/plain-answer.ts";
import { topLevelEdits } from "./shared/request-edits.ts";
import { RequestFields } from "./shared/request-fields.ts";
import { FILE, parameterTexts, placed, ruleTable, SKIP, Texts, type WalkRules, walkAllTexts, walkTexts } from "./shared/text-walk.ts";
import { matchVertexPath, vertexPath } from "./shared/vertex-paths.ts";

/**
 * Vertex AI's predict, for Google's text embeddings alone (`text-embedding-005`, `gemini-embedding-001`, `textembedding-gecko`): what
 * other models take and answer there is of no one shape, and is not served. Vectors pass unread.
 */
export const vertexEmbed: Codec = {
  surface: "vertex.embed",
  dialect: "vertex",
  operation: "embed",
  title: "POST /v1/projects/{p}/locations/{l}/publishers/google/models/text-embedding-{version}:predict",
  treatment: "inspected",
  match(target): PathFacts | undefined {
    const facts = matchVertexPath(target, "predict", { stream: false });
    return facts?.publisher === "google" && /embedding/.test(facts.model ?? "") ? facts : undefined;
  },
  readRequest: (doc: JsonDoc, facts: PathFacts): Result<RequestView, ParseError> => readPredict(doc.root, facts),
  editRequest({ doc }: ParsedRequest, change: RequestChange): readonly JsonEdit[] {
    const { model: _path, parameters: _generation, ...rest } = change;
    return doc.root.kind === "object" ? topLevelEdits(doc.root, rest, { model: "model", outputTokensMax: undefined }) : [];
  },
  upstreamPath: vertexPath,
  openAnswer(context: AnswerContext): AnswerReader {
    if (context.status < 400) return new TokenCountReader(context);
    return openReader({ ...context, contentType: "application/json" }, new PlainAnswer(context), geminiErrorBody);
  },
};

const RULES: WalkRules = {
  keys: ruleTable({ task_type: SKIP, taskType: SKIP, mimeType: SKIP, bytesBase64Encoded: FILE, gcsUri: placed("url") }),
  placeOf: (_object, inherited) => inherited,
};

function readPredict(root: JsonNode, facts: PathFacts): Result<RequestView, ParseError> {
  if (root.kind !== "object") return err({ code: "invalid_request", where: "", message: "The body must be a JSON object." });
  const fields = new RequestFields(root);
  const instances = fields.objects("instances");
  const view: RequestView = {
    model: facts.model,
    streaming: false,
    framing: "json",
    outputTokensMax: undefined,
    choices: 1,
    tools: [],
    // Objects in Google's storage, which are read with the gateway's rights.
    providerState: instances.flatMap((instance) =>
      ["image", "video"].flatMap((key) => {
        const uri = member(member(instance, key), "gcsUri");
        return uri?.kind === "string" ? [{ kind: "file" as const, node: uri }] : [];
      }),
    ),
    contractFields: fields.contractFields(),
    inputParts: () => readInputParts(root, { bare: true }),
    texts() {
      const out = new Texts();
      for (const entry of root.members) {
        const { key, value } = entry;
        if (parameterTexts(entry, out)) continue;
        if (key === "parameters") walkAllTexts(value, "parameter", out);
        else walkTexts(value, key === "instances" ? "user" : "other", RULES, out);
      }
      return out;
    },
  };
  return fields.problem === undefined ? ok(view) : err(fields.problem);
}

/** A count within the statistics of each vector; whole only with what follows its last digit. */
const TOKEN_COUNT = /"token_count"\s*:\s*([0-9]{1,12})(?=[^0-9])/g;
/** Bytes kept of what was searched, in which a count may have begun. */
const CARRY_BYTES = 64;
/** Kept of an answer to see whether it is whole. */
const EDGE_BYTES = 4096;

/**
 * Passes vectors on as they come, and adds up the tokens that each was made of, without parsing megabytes of numbers. Where guards look,
 * a small body may be an error that came with status 200, and is theirs to see.
 */
class TokenCountReader implements AnswerReader {
  readonly #tally = new AnswerTally();
  #carry = "";
  #head = "";
  #last = "";
  #tokens: number | undefined;
  #bytes = 0;
  readonly #seen: AnswerReader | undefined;

  constructor(context: AnswerContext) {
    if (context.guarded === true) this.#seen = openEdgeReader(context, new PlainAnswer(context), geminiErrorBody, []);
  }

  push(chunk: Uint8Array): readonly Frame[] {
    if (chunk.length === 0) return [];
    this.#bytes += chunk.length;
    const text = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length).toString("latin1");
    if (this.#head.length < EDGE_BYTES) this.#head += text.slice(0, EDGE_BYTES - this.#head.length);
    const end = text.trimEnd();
    if (end !== "") this.#last = end.slice(-1);
    this.#search(this.#carry + text);
    return this.#seen?.push(chunk) ?? [{ bytes: chunk, deltas: [] }];
  }

  end(): readonly Frame[] {
    const whole = this.#head.trimStart().startsWith("{") && this.#last === "}";
    this.#tally.complete = whole;
    if (!whole && this.#bytes > 0) this.#tally.invalidEvents++;
    return this.#seen?.end() ?? [];
  }

  usage(): Usage | undefined {
    if (this.#tokens === undefined) return undefined;
    return { inputTokens: this.#tokens, reported: { token_count: this.#tokens } };
  }
  summary(): AnswerSummary {
    return (this.#seen ?? this.#tally).summary();
  }
  tail(reason: TailReason): Uint8Array {
    return new TextEncoder().encode(this.#bytes === 0 ? geminiErrorBody(reason) : "");
  }

  #search(text: string): void {
    let after = 0;
    for (const match of text.matchAll(TOKEN_COUNT)) {
      this.#tokens = (this.#tokens ?? 0) + Number(match[1]);
      after = match.index + match[0].length;
    }
    this.#carry = text.slice(Math.max(after, text.length - CARRY_BYTES));
  }
}
