import type { Faults } from "./faults.ts";
import { answerTokens, exampleOf, hashText, idText, inputTokensOf, jsonTokens, nextHash, tokensOf } from "./text.ts";

/** A function that the request offers. */
export interface OfferedTool {
  readonly name: string;
  readonly schema: unknown;
}

/** What the simulator understands of a request, in words of no dialect. */
export interface Ask {
  readonly model: string;
  readonly streaming: boolean;
  /** Every text of the prompt, system first. */
  readonly texts: readonly string[];
  readonly lastUserText: string;
  /** The last message is a tool's result: the model answers in words now. */
  readonly afterToolResult: boolean;
  readonly maxTokens: number | undefined;
  readonly choices: number;
  readonly tools: readonly OfferedTool[];
  /** What the tool choice says: a name, "any", or "auto"; "none" forbids. */
  readonly toolChoice: string;
  /** JSON mode: the schema to fill, or `{}` where none was given. */
  readonly json: unknown;
  readonly reasoning: boolean;
}

export interface ToolCall {
  readonly id: string;
  readonly name: string;
  readonly pieces: readonly string[];
  /** The arguments are whole: no token cap cut them. */
  readonly whole: boolean;
}
export interface Choice {
  readonly reasoning: readonly string[];
  readonly content: readonly string[];
  readonly tool: ToolCall | undefined;
  readonly finish: "stop" | "length" | "tool";
}
export interface Answer {
  /** Follows from model, texts and seed: the same question always gets the same answer, ids and times included. */
  readonly hash: number;
  readonly createdUnixS: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly reasoningTokens: number;
  readonly choices: readonly Choice[];
}

/** One event's worth of a streamed answer. */
export interface Piece {
  readonly text: string | Uint8Array;
  readonly tokens: number;
}

const BIG_PIECE_BYTES = 4096;
const REASONING_TOKENS = 12;

function bigTokens(bytes: number): string[] {
  const piece = "lorem ipsum dolor sit amet ".repeat(Math.ceil(BIG_PIECE_BYTES / 27)).slice(0, BIG_PIECE_BYTES);
  const tokens = new Array<string>(Math.floor(bytes / BIG_PIECE_BYTES)).fill(piece);
  const rest = bytes % BIG_PIECE_BYTES;
  return rest === 0 ? tokens : [...tokens, piece.slice(0, rest)];
}

function chosenTool(ask: Ask): OfferedTool | undefined {
  if (ask.tools.length === 0 || ask.toolChoice === "none") return undefined;
  if (ask.toolChoice === "any") return ask.tools[0];
  if (ask.toolChoice !== "auto") return ask.tools.find((tool) => tool.name === ask.toolChoice);
  if (ask.afterToolResult || !/use the tool/i.test(ask.lastUserText)) return undefined;
  return ask.tools.find((tool) => ask.lastUserText.includes(tool.name)) ?? ask.tools[0];
}

function contentTokens(ask: Ask, faults: Faults, hash: number, promptChars: number): string[] {
  if (faults.bigBytes !== undefined) return bigTokens(faults.bigBytes);
  if (faults.echo === true) return tokensOf(ask.lastUserText);
  if (ask.json !== undefined && faults.tokens === undefined) {
    const value = Object.keys(Object(ask.json)).length === 0 ? { answer: "simulated" } : exampleOf(ask.json);
    return jsonTokens(JSON.stringify(value));
  }
  return answerTokens({ promptChars, hash, count: faults.tokens ?? 24 + (hash % 24) });
}

function choiceOf(ask: Ask, faults: Faults, hash: number, promptChars: number): Choice {
  const budget = ask.maxTokens ?? Number.POSITIVE_INFINITY;
  const thoughts = ask.reasoning ? answerTokens({ promptChars, hash: nextHash(hash), count: REASONING_TOKENS }) : [];
  const reasoning = thoughts.slice(0, budget);
  const left = budget - reasoning.length;
  const offered = chosenTool(ask);
  if (offered === undefined) {
    const all = contentTokens(ask, faults, hash, promptChars);
    const cut = thoughts.length + all.length > budget;
    return { reasoning, content: cut ? all.slice(0, left) : all, tool: undefined, finish: cut ? "length" : "stop" };
  }
  const args = exampleOf(offered.schema);
  const pieces = jsonTokens(JSON.stringify(typeof args === "object" && args !== null ? args : {}));
  const whole = pieces.length <= left;
  const tool: ToolCall = { id: idText(hash, 24), name: offered.name, pieces: whole ? pieces : pieces.slice(0, left), whole };
  return { reasoning, content: [], tool, finish: whole ? "tool" : "length" };
}

/** The deterministic answer to a request. Output tokens are the streamed pieces: words, or pieces of JSON. */
export function answerOf(ask: Ask, faults: Faults, seed: number): Answer {
  let hash = hashText(ask.model, seed);
  let chars = 0;
  let bytes = 0;
  for (const text of ask.texts) {
    hash = hashText(text, hash);
    chars += text.length;
    bytes += Buffer.byteLength(text);
  }
  const choices: Choice[] = [];
  let outputTokens = 0;
  let reasoningTokens = 0;
  for (let i = 0, state = hash; i < ask.choices; i += 1, state = nextHash(state)) {
    const choice = choiceOf(ask, faults, state, chars);
    choices.push(choice);
    reasoningTokens += choice.reasoning.length;
    outputTokens += choice.reasoning.length + choice.content.length + (choice.tool?.pieces.length ?? 0);
  }
  return {
    hash,
    createdUnixS: 1_767_225_600 + (hash % 1_000_000),
    inputTokens: inputTokensOf(bytes),
    outputTokens,
    reasoningTokens,
    choices,
  };
}
