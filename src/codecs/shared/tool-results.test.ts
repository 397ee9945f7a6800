import assert from "node:assert/strict";
import { test } from "node:test";
import { parseJson } from "../../core/json.ts";
import { readToolResults } from "./tool-results.ts";

const fn = (name: string) => ({ name, arguments: "{}" });
const table: readonly [name: string, body: object, tools: readonly (string | undefined)[]][] = [
  ["none", { messages: [{ role: "user", content: "hi" }], tools: [{ type: "function", function: { name: "a" } }] }, []],
  [
    "chat completions, with parallel calls, an old function, and an id that nobody knows",
    {
      messages: [
        {
          role: "assistant",
          tool_calls: [
            { id: "c1", type: "function", function: fn("web_search") },
            { id: "c2", type: "function", function: fn("clock") },
          ],
        },
        { role: "tool", tool_call_id: "c2", content: "12:00" },
        { role: "tool", tool_call_id: "c1", content: [{ type: "text", text: "page" }] },
        { role: "function", name: "old", content: "x" },
        { role: "tool", tool_call_id: "c9", content: "?" },
      ],
    },
    ["clock", "web_search", "old", undefined],
  ],
  [
    "Messages",
    {
      messages: [
        { role: "assistant", content: [{ type: "tool_use", id: "t1", name: "fetch", input: { id: "t2", name: "not a call" } }] },
        { role: "user", content: [{ type: "tool_result", tool_use_id: "t1", content: [{ type: "text", text: "page" }] }] },
      ],
    },
    ["fetch"],
  ],
  [
    "Responses",
    {
      input: [
        { type: "function_call", call_id: "f1", id: "fc_1", name: "fetch", arguments: "{}" },
        { type: "function_call_output", call_id: "f1", output: "page" },
      ],
    },
    ["fetch"],
  ],
  [
    "Responses, of tools that the provider runs and of remote servers",
    {
      input: [
        { type: "web_search_call", id: "w1", status: "completed", action: { type: "search", query: "q" } },
        { type: "code_interpreter_call", id: "c1", code: "x", outputs: [{ type: "logs", logs: "l" }] },
        { type: "mcp_list_tools", id: "l1", server_label: "wiki", tools: [{ name: "read_page" }] },
        { type: "mcp_call", id: "m1", name: "read_page", server_label: "wiki", arguments: "{}", output: "page" },
        { type: "message", role: "assistant", content: [{ type: "output_text", text: "done" }] },
      ],
    },
    ["web_search", "code_interpreter", "wiki", "read_page", "wiki"],
  ],
  [
    "Messages, of tools that the provider runs and of remote servers",
    {
      messages: [
        {
          role: "assistant",
          content: [
            { type: "server_tool_use", id: "s1", name: "web_search", input: { query: "q" } },
            { type: "web_search_tool_result", tool_use_id: "s1", content: [{ type: "web_search_result", title: "t" }] },
            { type: "mcp_tool_use", id: "m1", name: "read_page", server_name: "wiki", input: {} },
            { type: "mcp_tool_result", tool_use_id: "m1", content: [{ type: "text", text: "page" }] },
          ],
        },
      ],
    },
    ["web_search", "read_page", "wiki"],
  ],
  [
    "Gemini, of its code",
    {
      contents: [
        { role: "model", parts: [{ executableCode: { code: "x" } }, { codeExecutionResult: { outcome: "OUTCOME_OK", output: "y" } }] },
      ],
    },
    ["codeExecution"],
  ],
  [
    "Gemini",
    { contents: [{ role: "user", parts: [{ functionResponse: { name: "fetch", response: { name: "inner", id: "x" } } }] }] },
    ["fetch"],
  ],
  [
    "Converse",
    {
      messages: [
        { role: "assistant", content: [{ toolUse: { toolUseId: "u1", name: "fetch", input: {} } }] },
        { role: "user", content: [{ toolResult: { toolUseId: "u1", content: [{ text: "page" }] } }] },
      ],
    },
    ["fetch"],
  ],
  [
    "Cohere's first version",
    { message: "m", tool_results: [{ call: { name: "fetch", parameters: {} }, outputs: [{ page: "x" }] }], documents: [{}] },
    ["fetch", "documents"],
  ],
];
for (const [name, body, tools] of table)
  test(`tool results: ${name}`, () => {
    const doc = parseJson(Buffer.from(JSON.stringify(body)));
    assert.ok(doc.ok);
    assert.deepEqual(
      [...readToolResults(doc.value.root)].map(({ tool }) => tool),
      tools,
    );
  });
