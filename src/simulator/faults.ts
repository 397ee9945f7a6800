import { hashText } from "./text.ts";

/** What the directives of a prompt ask for. Absent members change nothing. README.md has the table. */
export interface Faults {
  readonly status?: number;
  readonly retryAfterS?: number;
  readonly delayMs?: number;
  readonly firstTokenMs?: number;
  readonly tokenDelayMs?: number;
  /** Length of the answer, tokens. */
  readonly tokens?: number;
  /** Destroy the socket after so many streamed tokens. */
  readonly cutAtToken?: number;
  readonly errorAtToken?: number;
  readonly garbage?: boolean;
  readonly hang?: boolean;
  readonly empty?: boolean;
  readonly gzip?: boolean;
  /** Size of the answer's text, bytes. */
  readonly bigBytes?: number;
  readonly echo?: boolean;
  /** OpenAI chat: stream the reasoning as `reasoning_content`, as DeepSeek and vLLM do. */
  readonly reasoningContent?: boolean;
}

export const NO_FAULTS: Faults = {};
const DELAY_MS_MAX = 600_000;
const TOKENS_MAX = 1_000_000;
const BIG_BYTES_MAX = 64 * 1024 * 1024;
const DIRECTIVES_MAX = 32;
const REMEMBERED_MAX = 1024;

type Words = ReadonlyMap<string, string>;

function readDirectives(text: string): Words[] {
  const found: Words[] = [];
  for (const match of text.matchAll(/\[\[sim ([^\]\n]{1,400})\]\]/g)) {
    if (found.length >= DIRECTIVES_MAX) break;
    const words = new Map<string, string>();
    for (const word of (match[1] ?? "").trim().split(/\s+/)) {
      const at = word.indexOf("=");
      words.set(at < 0 ? word : word.slice(0, at), at < 0 ? "" : word.slice(at + 1));
    }
    found.push(words);
  }
  return found;
}

function count(words: Words, name: string, max: number): number | undefined {
  const raw = words.get(name);
  if (raw === undefined || !/^[0-9]{1,9}$/.test(raw)) return undefined;
  return Math.min(max, Number(raw));
}

function faultsOf(words: Words): Faults {
  const numbers: [keyof Faults, number | undefined][] = [
    ["status", count(words, "status", 599)],
    ["retryAfterS", count(words, "retry-after", 86_400)],
    ["delayMs", count(words, "delay", DELAY_MS_MAX)],
    ["firstTokenMs", count(words, "first-token", DELAY_MS_MAX)],
    ["tokenDelayMs", count(words, "token-delay", DELAY_MS_MAX)],
    ["tokens", count(words, "tokens", TOKENS_MAX)],
    ["cutAtToken", count(words, "cut", TOKENS_MAX)],
    ["errorAtToken", count(words, "error-in-stream", TOKENS_MAX)],
    ["bigBytes", count(words, "big", BIG_BYTES_MAX)],
  ];
  const flags: [keyof Faults, boolean][] = [
    ["garbage", words.has("garbage")],
    ["hang", words.has("hang")],
    ["empty", words.has("empty")],
    ["gzip", words.has("gzip")],
    ["echo", words.has("echo")],
    ["reasoningContent", words.has("reasoning-content")],
  ];
  return Object.fromEntries([...numbers.filter(([, value]) => value !== undefined), ...flags.filter(([, value]) => value)]);
}

/** Counts how often each exact body came, for `fail-first`. Bounded: the oldest body is forgotten. */
export class Attempts {
  readonly #seen = new Map<string, number>();

  /** How often this body came, this time included. */
  next(body: string): number {
    const key = `${body.length}:${hashText(body, 1)}:${hashText(body, 2)}`;
    const attempt = (this.#seen.get(key) ?? 0) + 1;
    this.#seen.delete(key);
    this.#seen.set(key, attempt);
    if (this.#seen.size > REMEMBERED_MAX) {
      const oldest = this.#seen.keys().next();
      if (oldest.done !== true) this.#seen.delete(oldest.value);
    }
    return attempt;
  }
}

/**
 * The faults that the texts of one prompt ask for. Directives add up, the later one wins. A directive with
 * `fail-first=N` holds for the first N attempts of this exact body only; alone it fails them with status 503.
 */
export function readFaults(texts: readonly string[], body: string, attempts: Attempts): Faults {
  let faults = NO_FAULTS;
  for (const text of texts) {
    if (!text.includes("[[sim ")) continue;
    for (const words of readDirectives(text)) {
      const first = count(words, "fail-first", TOKENS_MAX);
      const asked = faultsOf(words);
      if (first === undefined) faults = { ...faults, ...asked };
      else if (attempts.next(body) <= first) faults = { ...faults, ...(Object.keys(asked).length === 0 ? { status: 503 } : asked) };
    }
  }
  return faults;
}
