import assert from "node:assert/strict";
import { test } from "node:test";
import { applyEdits, type JsonDoc, type JsonNode, type JsonString, member, parseJson } from "../core/json.ts";
import { sharedEdits } from "./request-edits.ts";

function parsed(text: string): JsonDoc {
  const doc = parseJson(Buffer.from(text));
  assert.ok(doc.ok);
  return doc.value;
}
/** Nodes of objects that have a member `name` of one of these values, wherever they stand. */
function named(node: JsonNode, names: readonly string[]): readonly JsonNode[] {
  if (node.kind === "array") return node.items.flatMap((item) => named(item, names));
  if (node.kind !== "object") return [];
  const name = member(node, "name");
  if (name?.kind === "string" && names.includes(name.value)) return [node];
  return node.members.flatMap(({ value }) => named(value, names));
}
function without(text: string, names: readonly string[]): string {
  const doc = parsed(text);
  // OpenAI's tool is the object around the function.
  const inner = named(doc.root, names);
  const tools = member(doc.root, "tools");
  const items = tools?.kind === "array" ? tools.items : [];
  const nodes = inner.map((node) => items.find((item) => member(item, "function") === node) ?? node);
  return applyEdits(doc, sharedEdits(doc, { dropTools: nodes }));
}

const table: readonly [name: string, before: string, dropped: readonly string[], after: string][] = [
  [
    "one of several; the others keep their bytes",
    '{"model": "m", "tools": [ {"type":"function","function":{"name":"a","x":1.0}}, {"type":"function","function":{"name":"b"}} ], "tool_choice": "auto"}',
    ["b"],
    '{"model": "m", "tools": [{"type":"function","function":{"name":"a","x":1.0}}], "tool_choice": "auto"}',
  ],
  [
    "the last: what speaks of tools goes too",
    '{"model":"m","tools":[{"type":"function","function":{"name":"a"}}],"tool_choice":"auto","parallel_tool_calls":true,"n":1}',
    ["a"],
    '{"model":"m","n":1}',
  ],
  ["Anthropic", '{"tools":[{"name":"a"},{"name":"b"}],"max_tokens":1}', ["a"], '{"tools":[{"name":"b"}],"max_tokens":1}'],
  [
    "Gemini: a list within a list",
    '{"tools":[{"functionDeclarations":[{"name":"a"},{"name":"b"}]},{"googleSearch":{}}],"toolConfig":{"functionCallingConfig":{"mode":"AUTO"}}}',
    ["a"],
    '{"tools":[{"functionDeclarations":[{"name":"b"}]},{"googleSearch":{}}],"toolConfig":{"functionCallingConfig":{"mode":"AUTO"}}}',
  ],
  [
    "Gemini: all functions, and another tool stays",
    '{"tools":[{"functionDeclarations":[{"name":"a"}]},{"googleSearch":{}}]}',
    ["a"],
    '{"tools":[{"googleSearch":{}}]}',
  ],
  [
    "Gemini: all",
    '{"contents":[],"tools":[{"functionDeclarations":[{"name":"a"}]}],"toolConfig":{"functionCallingConfig":{"mode":"AUTO"}}}',
    ["a"],
    '{"contents":[]}',
  ],
  [
    "Converse: the list and the choice stand in one object",
    '{"toolConfig":{"tools":[{"toolSpec":{"name":"a"}}],"toolChoice":{"auto":{}}},"messages":[]}',
    ["a"],
    '{"messages":[]}',
  ],
  [
    "Converse: nothing but a mark of the cache is left",
    '{"toolConfig":{"tools":[{"toolSpec":{"name":"a"}},{"cachePoint":{"type":"default"}}]},"messages":[]}',
    ["a"],
    '{"messages":[]}',
  ],
  [
    "Responses: a namespace that loses all of its tools, and what the choice narrows them to",
    '{"tools":[{"type":"namespace","name":"n","tools":[{"type":"function","name":"a"}]},{"type":"function","name":"b"}],"tool_choice":{"type":"allowed_tools","mode":"auto","tools":[{"type":"function","name":"a"}]}}',
    ["a"],
    '{"tools":[{"type":"function","name":"b"}]}',
  ],
  [
    "OpenAI: a choice that narrows to what is gone",
    '{"tools":[{"name":"a"},{"name":"b"}],"tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"auto","tools":[{"name":"a"}]}}}',
    ["a"],
    '{"tools":[{"name":"b"}]}',
  ],
  [
    "Responses: the output of a search for tools stays, and is empty",
    '{"input":[{"type":"tool_search_call","call_id":"c"},{"type":"tool_search_output","call_id":"c","tools":[{"name":"a"}]}]}',
    ["a"],
    '{"input":[{"type":"tool_search_call","call_id":"c"},{"type":"tool_search_output","call_id":"c","tools":[]}]}',
  ],
];
for (const [name, before, dropped, after] of table)
  test(`tools no longer offered: ${name}`, () => assert.equal(without(before, dropped), after));

test("texts within tools that stay, and elsewhere, are said otherwise in the same edit", () => {
  const doc = parsed('{"tools":[{"name":"a","description":"mail jo@x.io"},{"name":"b","description":"b"}],"system":"mail jo@x.io"}');
  const string = (node: JsonNode | undefined): JsonString => {
    assert.ok(node?.kind === "string");
    return node;
  };
  const [a, b] = [named(doc.root, ["a"])[0], named(doc.root, ["b"])[0]];
  assert.ok(b !== undefined);
  const texts = new Map([
    [string(member(a, "description")), 'mail "<EMAIL>"'],
    [string(member(doc.root, "system")), "mail <EMAIL>"],
  ]);
  const after = applyEdits(doc, sharedEdits(doc, { texts, dropTools: [b] }));
  assert.equal(after, '{"tools":[{"name":"a","description":"mail \\"<EMAIL>\\""}],"system":"mail <EMAIL>"}');
});
