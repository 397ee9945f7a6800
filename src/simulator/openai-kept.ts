import type { Piece } from "./answer.ts";
import { openaiStyle, SERVER_ERROR } from "./openai-style.ts";
import { JSON_TYPE, NO_ASK, type Opened, SSE_TYPE, type StreamReply, type Surface } from "./surface.ts";
import { inputTokensOf } from "./text.ts";
import { isObject, textOf, type Values } from "./values.ts";

const TAIL = /\/responses\/([A-Za-z0-9_-]+)(\/cancel|\/input_items)?$/;

/** A response as it is kept. The simulator keeps nothing, so it makes one for any id; `resp_missing…` is the id of none. */
function keptResponse(id: string, status: "completed" | "cancelled" | "in_progress"): Values {
  const text = { type: "output_text", annotations: [], logprobs: [], text: `Simulated answer kept as ${id}` };
  return {
    id,
    object: "response",
    created_at: 1_767_225_600,
    status,
    background: status === "cancelled",
    error: null,
    incomplete_details: null,
    instructions: null,
    metadata: {},
    model: "gpt-4o-mini",
    output: status === "completed" ? [{ id: `msg_${id}`, type: "message", status, role: "assistant", content: [text] }] : [],
    parallel_tool_calls: true,
    temperature: 1,
    tool_choice: "auto",
    tools: [],
    top_p: 1,
    usage:
      status === "in_progress"
        ? null
        : {
            input_tokens: 9,
            input_tokens_details: { cached_tokens: 0 },
            output_tokens: 5,
            output_tokens_details: { reasoning_tokens: 0 },
            total_tokens: 14,
          },
  };
}

function* pieces(id: string): Generator<Piece> {
  const event = (type: string, sequence_number: number, response: Values): string =>
    `event: ${type}\ndata: ${JSON.stringify({ type, sequence_number, response })}\n\n`;
  yield { text: event("response.created", 0, keptResponse(id, "in_progress")), tokens: 0 };
  yield { text: event("response.completed", 1, keptResponse(id, "completed")), tokens: 1 };
}

/** GET and DELETE …/responses/{id}, POST …/{id}/cancel, GET …/{id}/input_items. */
export const openaiKept: Surface = {
  name: "openai.responses.kept",
  style: openaiStyle,
  match({ method, path }) {
    const [, id, rest] = TAIL.exec(path) ?? [];
    if (id === undefined) return false;
    if (rest === "/cancel") return method === "POST";
    return rest === "/input_items" ? method === "GET" : method === "GET" || method === "DELETE";
  },
  open(_body, { method, path, query }): Opened | string {
    const [, id = "", rest] = TAIL.exec(path) ?? [];
    if (id.startsWith("resp_missing")) return `Response with id '${id}' not found.`;
    const streaming = method === "GET" && rest === undefined && query.get("stream") === "true";
    const item = { id: `msg_in_${id}`, type: "message", role: "user", status: "completed", content: [{ type: "input_text", text: "hi" }] };
    const body = (): Values => {
      if (method === "DELETE") return { id, object: "response", deleted: true };
      if (rest === "/cancel") return keptResponse(id, "cancelled");
      if (rest === undefined) return keptResponse(id, "completed");
      return { object: "list", data: [item], first_id: item.id, last_id: item.id, has_more: false };
    };
    return {
      ask: { ...NO_ASK, streaming },
      contentType: streaming ? SSE_TYPE : JSON_TYPE,
      unary: () => `${JSON.stringify(body(), null, 2)}\n`,
      stream: (): StreamReply => ({
        pieces: pieces(id),
        fail: () => `event: error\ndata: ${JSON.stringify({ type: "error", error: SERVER_ERROR })}\n\n`,
      }),
    };
  },
};

/** POST …/responses/input_tokens and …/responses/compact. */
export const openaiResponsesTools: Surface = {
  name: "openai.responses.tools",
  style: openaiStyle,
  match: ({ method, path }) => method === "POST" && /\/responses\/(?:input_tokens|compact)$/.test(path),
  open(body, { path }): Opened | string {
    if (!isObject(body)) return "We could not parse the JSON body of your request.";
    const text = JSON.stringify(body["input"] ?? "");
    const tokens = inputTokensOf(Buffer.byteLength(text));
    const model = textOf(body["model"]) ?? "";
    return {
      ask: { ...NO_ASK, model, texts: [text] },
      contentType: JSON_TYPE,
      unary(answer) {
        if (path.endsWith("/input_tokens")) return `${JSON.stringify({ object: "response.input_tokens", input_tokens: tokens })}\n`;
        const output = [{ id: `cmp_${answer.hash}`, type: "compaction", encrypted_content: "c2ltdWxhdGVk" }];
        const usage = {
          input_tokens: tokens,
          input_tokens_details: { cached_tokens: 0 },
          output_tokens: 7,
          output_tokens_details: { reasoning_tokens: 0 },
          total_tokens: tokens + 7,
        };
        return `${JSON.stringify({ id: `resp_${answer.hash}`, object: "response.compaction", created_at: answer.createdUnixS, output, usage })}\n`;
      },
    };
  },
};
