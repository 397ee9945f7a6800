/** Exchanges of our own in the shape of recordings, so that the replay means something where no recordings are. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { RecordedUsage, Recording } from "./recordings.ts";

const fixture = (name: string): string => readFileSync(join(import.meta.dirname, "../fixtures", name), "utf8");
const SSE = "text/event-stream; charset=utf-8";

interface Own {
  readonly id: string;
  readonly path: string;
  readonly query?: string;
  readonly method?: "GET";
  readonly request: string;
  readonly status?: number;
  readonly contentType: string;
  readonly answer: string;
  readonly usage?: Partial<RecordedUsage> & { readonly dialect: string };
}

const CHAT = '"messages": [ {"role":"user","content":"Grüße \\ud83d\\ude00"} ], "temperature": 0.70, "x_unknown": {"kept": [1.0, 2e3]}';
const geminiRequest = '{"contents":[{"role":"user","parts":[{"text":"hi"}]}],"generationConfig":{"maxOutputTokens":90}}';
const geminiChunks = [
  '{"candidates":[{"content":{"parts":[{"text":"Let me see","thought":true}],"role":"model"},"index":0}],"usageMetadata":{"promptTokenCount":11,"totalTokenCount":16,"thoughtsTokenCount":5},"modelVersion":"gemini-own"}',
  '{"candidates":[{"content":{"parts":[{"functionCall":{"name":"get_weather","args":{"city":"Z\\u00fcrich"}}}],"role":"model"},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":11,"candidatesTokenCount":7,"totalTokenCount":26,"thoughtsTokenCount":5,"toolUsePromptTokenCount":3,"cachedContentTokenCount":4},"modelVersion":"gemini-own"}',
];
const geminiUsage = { dialect: "gemini", input: 11, output: 7, reasoning: 5, cached: 4, tool_input: 3, total: 26 };
const chatUsage = { dialect: "openai", input: 120, output: 9, total: 129, cached: 64, reasoning: 0 };
const messagesUsage = { dialect: "anthropic", input: 10, output: 77, cached: 50, cache_write: 300, reasoning: 9 };
const responsesUsage = { dialect: "openai-responses", input: 120, output: 40, total: 160, cached: 64, cache_write: 8, reasoning: 12 };

const OWN: readonly Own[] = [
  {
    id: "chat",
    path: "/v1/chat/completions",
    request: `{ "model" : "gpt-own", ${CHAT} }`,
    contentType: "application/json",
    answer: fixture("openai-chat.json"),
    usage: { dialect: "openai", input: 20, output: 11, total: 31, cached: 0, cache_write: 5, reasoning: 4 },
  },
  {
    id: "chat-stream",
    path: "/v1/chat/completions",
    request: `{"stream": true, "stream_options": {"include_usage": true}, "model": "gpt-own", ${CHAT}}`,
    contentType: SSE,
    answer: fixture("openai-chat.sse"),
    usage: chatUsage,
  },
  {
    id: "chat-stream-other-options",
    path: "/v1/chat/completions",
    request: `{"stream": true, "stream_options": {"include_obfuscation": false}, "model": "gpt-own", ${CHAT}}`,
    contentType: SSE,
    answer: fixture("openai-chat.sse"),
    usage: chatUsage,
  },
  {
    id: "chat-stream-tools",
    path: "/v1/chat/completions",
    request: `{"stream": true, "model": "gpt-own", ${CHAT}}`,
    contentType: SSE,
    answer: fixture("openai-chat-tools.sse"),
  },
  {
    id: "chat-stream-compatible",
    path: "/v1/chat/completions",
    request: `{"stream": true, "model": "gpt-own", ${CHAT}}`,
    contentType: SSE,
    answer: fixture("compatible-chat.sse"),
    usage: { dialect: "openai", input: 7, output: 5, total: 12, cached: 4, reasoning: 3 },
  },
  {
    id: "chat-error",
    path: "/v1/chat/completions",
    request: `{"stream": true, "model": "gpt-own", ${CHAT}}`,
    status: 404,
    contentType: "application/json",
    answer: '{"error":{"message":"no such model","type":"invalid_request_error","param":null,"code":"model_not_found"}}',
  },
  {
    id: "embeddings",
    path: "/v1/embeddings",
    request: '{"input":["one","two"],"model":"embed-own","encoding_format":"base64"}',
    contentType: "application/json",
    answer:
      '{"object":"list","data":[{"object":"embedding","index":0,"embedding":"AAAA"}],"model":"embed-own","usage":{"prompt_tokens":2,"total_tokens":2}}',
    usage: { dialect: "openai", input: 2, total: 2 },
  },
  {
    id: "responses",
    path: "/v1/responses",
    request: '{"model":"gpt-own","input":"hi","previous_response_id":"resp_0"}',
    contentType: "application/json",
    answer: fixture("openai.responses/body.json"),
    usage: responsesUsage,
  },
  {
    id: "responses-stream",
    path: "/v1/responses",
    request: '{"model":"gpt-own","input":"hi","stream":true}',
    contentType: SSE,
    answer: fixture("openai.responses/stream.sse"),
    usage: responsesUsage,
  },
  {
    id: "azure",
    path: "/openai/deployments/own-deployment/chat/completions",
    query: "api-version=2023-05-15",
    request: `{${CHAT}}`,
    contentType: "application/json",
    answer: fixture("openai-chat.json"),
    usage: { dialect: "openai", input: 20, output: 11, total: 31, cached: 0, cache_write: 5, reasoning: 4 },
  },
  {
    id: "completions-stream",
    path: "/v1/completions",
    request: '{"model":"gpt-own","prompt":["a","b"],"stream":true,"stream_options":{"include_usage":true},"max_tokens":4}',
    contentType: SSE,
    answer: [
      '{"id":"cmpl-1","object":"text_completion","created":1,"choices":[{"text":" one","index":0,"logprobs":null,"finish_reason":"length"}],"model":"gpt-own","usage":null}',
      '{"id":"cmpl-1","object":"text_completion","created":1,"choices":[{"text":" two","index":1,"logprobs":null,"finish_reason":"stop"}],"model":"gpt-own", "usage": null}',
      '{"id":"cmpl-1","object":"text_completion","created":1,"model":"gpt-own","choices":[],"usage":{"prompt_tokens":2,"completion_tokens":5,"total_tokens":7}}',
      "[DONE]",
    ]
      .map((data) => `data: ${data}\n\n`)
      .join(""),
    usage: { dialect: "openai", input: 2, output: 5, total: 7 },
  },
  {
    id: "compact",
    path: "/v1/responses/compact",
    request: '{"model":"gpt-own","input":"hi"}',
    contentType: "application/json",
    answer:
      '{"id":"resp_9","object":"response.compaction","created_at":1,"output":[],"usage":{"input_tokens":117,"input_tokens_details":{"cached_tokens":3},"output_tokens":193,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":310}}',
    usage: { dialect: "openai-responses", input: 117, output: 193, total: 310, cached: 3, reasoning: 0 },
  },
  {
    id: "input-tokens",
    path: "/v1/responses/input_tokens",
    request: '{"model":"gpt-own","input":"hi"}',
    contentType: "application/json",
    answer: '{"object":"response.input_tokens","input_tokens":16}',
    usage: { dialect: "count", input: 16 },
  },
  {
    id: "kept",
    method: "GET",
    path: "/v1/responses/resp_1",
    query: "stream=false",
    request: "",
    contentType: "application/json",
    answer: fixture("openai.responses/body.json"),
  },
  {
    id: "messages",
    path: "/v1/messages",
    query: "beta=true",
    request: '{"model":"claude-own","max_tokens":100,"messages":[{"role":"user","content":"hi"}]}',
    contentType: "application/json",
    answer: fixture("anthropic.messages/body.json"),
    usage: messagesUsage,
  },
  {
    id: "messages-stream",
    path: "/v1/messages",
    request: '{"model":"claude-own","max_tokens":100,"stream":true,"messages":[{"role":"user","content":"hi"}]}',
    contentType: SSE,
    answer: fixture("anthropic.messages/stream.sse"),
    usage: messagesUsage,
  },
  {
    id: "count-tokens",
    path: "/v1/messages/count_tokens",
    request: '{"model":"claude-own","messages":[{"role":"user","content":"hi"}]}',
    contentType: "application/json",
    answer: '{"input_tokens":14}',
    usage: { dialect: "count", input: 14 },
  },
  {
    id: "generate",
    path: "/v1beta/models/gemini-own:generateContent",
    request: geminiRequest,
    contentType: "application/json; charset=UTF-8",
    answer: geminiChunks[1] ?? "",
    usage: geminiUsage,
  },
  {
    id: "generate-stream",
    path: "/v1beta/models/gemini-own:streamGenerateContent",
    query: "alt=sse",
    request: geminiRequest,
    contentType: "text/event-stream",
    answer: geminiChunks.map((chunk) => `data: ${chunk}\r\n\r\n`).join(""),
    usage: geminiUsage,
  },
  {
    id: "generate-array",
    path: "/v1beta/models/gemini-own:streamGenerateContent",
    request: geminiRequest,
    contentType: "application/json; charset=UTF-8",
    answer: `[${geminiChunks.join("\n,\r\n")}\n]`,
    usage: geminiUsage,
  },
];

export function ownRecordings(): readonly Recording[] {
  return OWN.map(({ id, path, query, method = "POST", request, status = 200, contentType, answer, usage }) => ({
    id: `own-${id}`,
    method,
    path,
    query,
    request_headers: {},
    request_body: request,
    status,
    response_headers: { "content-type": contentType },
    response_body: answer,
    usage,
  }));
}
