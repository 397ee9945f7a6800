/** Rules on what models answer, through a real Envoy: calls by the names that providers give them, grants, and what is no answer at all. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type Gateway, startGateway } from "../support/gateway.ts";
import { startIssuer, type TestIssuer } from "../support/issuer.ts";
import { startRemote, type TestRemote } from "../support/remote.ts";
import { assertSubset } from "../support/subset.ts";

let gateway: Gateway;
let issuer: TestIssuer;
let hook: TestRemote;
const policy = (version: string) => `
apiVersion: sluice/v1
version: "${version}"
providers:
  openai: { format: openai, baseUrl: "\${SIM}/v1", credential: { env: SIM_KEY } }
  anthropic: { format: anthropic, baseUrl: "\${SIM}", credential: { env: SIM_KEY } }
models:
  gpt-4o-mini: { targets: [{ provider: openai, model: gpt-4o-mini }] }
  claude-haiku-4-5: { targets: [{ provider: anthropic, model: claude-haiku-4-5 }] }
  dall-e-3: { targets: [{ provider: openai, model: dall-e-3 }] }
approvals:
  approvers: [{ jwt: { issuer: "${issuer.url}", audience: desk, map: { user: sub } }, tenants: [acme] }]
  webhook: { url: "${hook.url}" }
tenants:
  acme: { apps: { bot: { credentials: [{ apiKey: { id: k1, sha256: "\${KEY:acme/bot}" } }], useCases: [ask, watch, warn, servers, rules, images] } } }
useCases:
  ask: { access: { models: ["*"], tools: { approve: ["get_*", apply_patch, shell, sql] } } }
  watch: { mode: shadow, access: { models: ["*"], tools: { approve: ["get_*"] } } }
  warn: { mode: warn, access: { models: ["*"], tools: { approve: ["get_*"] } } }
  servers: { access: { models: ["*"], tools: { allow: [github, computer_use_preview, code_execution], deny: [delete_repo, "*"], servers: { allow: [mcp.example] } } } }
  rules: { access: { models: ["*"] }, output: { systemPrompt: { canaries: [CANARY-4711-X] } } }
  images: { access: { operations: [image], models: ["*"] }, redact: { profile: strict, profiles: { strict: { extends: strict, entities: { url: mask } } } }, output: { urls: { allow: [img.example] } } }
`;

before(async () => {
  issuer = await startIssuer();
  hook = await startRemote(() => ({}));
  gateway = await startGateway({ policy: policy("answers.1"), live: true });
});
after(async () => {
  await gateway.stop();
  await hook.close();
  await issuer.close();
});

function answers(body: unknown, type = "application/json"): void {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  gateway.simulator.respondWith(() => ({ status: 200, headers: { "content-type": type }, chunks: [text] }));
}
async function call(path: string, useCase: string, body: object, headers: Readonly<Record<string, string>> = {}) {
  const answer = await fetch(gateway.url + path, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      authorization: `Bearer ${gateway.key()}`,
      "x-ai-use-case": useCase,
      "anthropic-version": "2023-06-01",
      ...headers,
    },
    body: JSON.stringify(body),
  });
  const text = await answer.text();
  const code = answer.headers.get("x-ai-error") ?? undefined;
  return { status: answer.status, text, code, record: await gateway.record(answer.headers.get("x-ai-request-id") ?? "") };
}
async function desk(path: string, method = "GET"): Promise<Record<string, unknown>> {
  const token = await issuer.token({ sub: "ada", aud: "desk" });
  const answer = await fetch(`http://127.0.0.1:${gateway.sluice.adminPort}/approvals${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
  });
  const body: Record<string, unknown> = JSON.parse(await answer.text());
  return body;
}
const waiting = async (useCase: string): Promise<readonly string[]> => {
  const { approvals } = await desk("?status=pending");
  const rows: readonly { readonly id: string; readonly useCase: string }[] = Array.isArray(approvals) ? approvals : [];
  return rows.filter((row) => row.useCase === useCase).map(({ id }) => id);
};
const idIn = (text: string): string => /apr_[0-9a-z]{26}/.exec(text)?.[0] ?? assert.fail(text);

const CHAT = "/v1/chat/completions";
const functionTool = (name: string) => ({ type: "function", function: { name } });
const asks = (...tools: object[]) => ({ model: "gpt-4o-mini", messages: [{ role: "user", content: "go" }], tools });
const calls = (...names: string[]) => ({
  id: "chatcmpl-1",
  object: "chat.completion",
  created: 1,
  model: "gpt-4o-mini",
  choices: [
    {
      index: 0,
      message: {
        role: "assistant",
        content: null,
        tool_calls: names.map((name) => ({ id: name, type: "function", function: { name, arguments: "{}" } })),
      },
      finish_reason: "tool_calls",
    },
  ],
  usage: { prompt_tokens: 9, completion_tokens: 5, total_tokens: 14 },
});
const response = (...output: object[]) => ({
  id: "resp_1",
  object: "response",
  status: "completed",
  model: "gpt-4o-mini",
  output,
  usage: { input_tokens: 9, output_tokens: 5, total_tokens: 14 },
});
const respond = (...tools: object[]) => ({ model: "gpt-4o-mini", input: "go", store: false, tools });

test("a grant for one file is none for another: what a patch is about is shown, and part of the grant", async () => {
  const patch = (operation: object) => response({ type: "apply_patch_call", id: "p", call_id: "c", status: "completed", operation });
  const ask = () => call("/v1/responses", "ask", respond({ type: "apply_patch" }));
  answers(patch({ type: "delete_file", path: "notes.txt" }));
  const id = idIn((await ask()).text);
  const shown: unknown = JSON.parse(String((await desk(`/${id}`))["arguments"]));
  assertSubset(shown, { type: "delete_file", path: "notes.txt" });
  await desk(`/${id}/approve`, "POST");
  answers(patch({ type: "delete_file", path: "payroll.db" }));
  const other = await ask();
  assert.deepEqual([other.status, other.code], [403, "approval_required"]);
  answers(patch({ type: "update_file", path: "notes.txt", diff: "+x" }));
  assert.equal((await ask()).code, "approval_required");
  answers(patch({ type: "delete_file", path: "notes.txt" }));
  assert.equal((await ask()).status, 200);
});

test("calls whose arguments are a plain text can be approved: a tool of free form, the commands of a shell", async () => {
  const custom = calls();
  Object.assign(custom.choices[0]?.message ?? {}, {
    tool_calls: [{ id: "1", type: "custom", custom: { name: "sql", input: "SELECT 1" } }],
  });
  answers(custom);
  const ask = () => call(CHAT, "ask", asks({ type: "custom", custom: { name: "sql" } }));
  const id = idIn((await ask()).text);
  assert.equal((await desk(`/${id}`))["arguments"], '{"input":"SELECT 1"}');
  await desk(`/${id}/approve`, "POST");
  assert.equal((await ask()).status, 200);

  answers(response({ type: "shell_call", id: "s", call_id: "c", status: "completed", action: { commands: ["ls", "pwd"] } }));
  assert.equal((await call("/v1/responses", "ask", respond({ type: "shell" }))).code, "approval_required");
  const asked = await Promise.all((await waiting("ask")).map(async (one) => (await desk(`/${one}`))["arguments"]));
  assert.ok(asked.includes('{"command":"ls"}') && asked.includes('{"command":"pwd"}'), JSON.stringify(asked));
});

test("a grant is not used up by an answer that another call of it holds back", async () => {
  answers(calls("get_a", "get_b"));
  const ask = () => call(CHAT, "ask", asks(functionTool("get_a"), functionTool("get_b")), { "x-ai-user": "jo" });
  const before = await waiting("ask");
  const refused = await ask();
  const ids = (await waiting("ask")).filter((id) => !before.includes(id));
  assert.equal(ids.length, 2);
  // The caller, the record and the approvers speak of the same.
  assert.equal(refused.record.stages.find(({ on }) => on === "answer")?.reason?.includes(idIn(refused.text)), true);
  const first = idIn(refused.text);
  await desk(`/${first}/approve`, "POST");
  assert.equal((await ask()).code, "approval_required");
  assert.equal((await desk(`/${first}`))["status"], "approved", "given back");
  for (const id of ids) await desk(`/${id}/approve`, "POST");
  assert.equal((await ask()).status, 200);
  assert.equal((await desk(`/${first}`))["status"], "used");
  assert.equal((await ask()).code, "approval_required", "once");
});

test("in shadow and warn nobody is asked: the record says that the call would wait", async () => {
  answers(calls("get_a"));
  for (const useCase of ["watch", "warn"]) {
    const passed = await call(CHAT, useCase, asks(functionTool("get_a")));
    assert.equal(passed.status, 200);
    assertSubset(
      passed.record.stages.find(({ on }) => on === "answer"),
      { verdict: "deny", code: "approval_required", evidence: { found: [{ action: "wait" }] } },
    );
    assert.deepEqual(await waiting(useCase), []);
  }
});

test("what a provider runs is judged by the name that it is offered by, unless a list names the call itself", async () => {
  const server = { type: "mcp", server_label: "github", server_url: "https://mcp.example" };
  const called = (name: string) => response({ type: "mcp_call", id: "m", server_label: "github", name, arguments: "{}", output: "done" });
  answers(called("create_issue"));
  assert.equal((await call("/v1/responses", "servers", respond(server))).status, 200);
  answers(called("delete_repo"));
  assert.equal((await call("/v1/responses", "servers", respond(server))).code, "tool_not_allowed");
  answers(response({ type: "computer_call", id: "k", call_id: "c", status: "completed", action: { type: "click", x: 1, y: 2 } }));
  const computer = { type: "computer_use_preview", display_width: 1, display_height: 1, environment: "browser" };
  assert.equal((await call("/v1/responses", "servers", respond(computer))).status, 200);

  const message = (block: object) => ({
    id: "msg_1",
    type: "message",
    role: "assistant",
    model: "claude-haiku-4-5",
    content: [block],
    stop_reason: "end_turn",
    stop_sequence: null,
    usage: { input_tokens: 1, output_tokens: 1 },
  });
  const ask = (more: object) =>
    call("/v1/messages", "servers", { model: "claude-haiku-4-5", max_tokens: 9, messages: [{ role: "user", content: "go" }], ...more });
  answers(message({ type: "server_tool_use", id: "s", name: "bash_code_execution", input: { command: "ls" } }));
  assert.equal((await ask({ tools: [{ type: "code_execution_20250825", name: "code_execution" }] })).status, 200);
  const toolset = {
    mcp_servers: [{ type: "url", url: "https://mcp.example", name: "github" }],
    tools: [{ type: "mcp_toolset", mcp_server_name: "github" }],
  };
  answers(message({ type: "mcp_tool_use", id: "s", name: "create_issue", server_name: "github", input: {} }));
  assert.equal((await ask(toolset)).status, 200);
  answers(message({ type: "mcp_tool_use", id: "s", name: "delete_repo", server_name: "github", input: {} }));
  assert.equal((await ask(toolset)).code, "tool_not_allowed");
});

test("a remote tool server elsewhere is refused, whatever its label: nothing of the call leaves", async () => {
  const sentBefore = gateway.simulator.requests.length;
  const elsewhere = { type: "mcp", server_label: "github", server_url: "https://elsewhere.example/sse" };
  const refused = await call("/v1/responses", "servers", respond(elsewhere));
  assert.deepEqual([refused.status, refused.code], [403, "tool_not_allowed"]);
  const other = await call("/v1/messages", "servers", {
    model: "claude-haiku-4-5",
    max_tokens: 9,
    messages: [{ role: "user", content: "go" }],
    mcp_servers: [{ type: "url", url: "https://mcp.example@elsewhere.example/", name: "github" }],
    tools: [{ type: "mcp_toolset", mcp_server_name: "github" }],
  });
  assert.deepEqual([other.status, other.code], [403, "tool_not_allowed"]);
  assert.equal(gateway.simulator.requests.length, sentBefore);
});

test("a page that is no answer of the API, and breaks a rule, is the provider's failure", async () => {
  answers("<html><body>CANARY-4711-X</body></html>", "text/html");
  const { status, code, text, record } = await call(CHAT, "rules", { model: "gpt-4o-mini", messages: [{ role: "user", content: "go" }] });
  assert.deepEqual([status, code], [502, "upstream_error"]);
  assert.ok(!text.includes("CANARY"));
  assertSubset(record, { status: 502, code: "upstream_error", ending: "cut" });
  assertSubset(
    record.stages.find(({ on }) => on === "answer"),
    { stage: "output", verdict: "deny", evidence: { found: [{ entity: "canary" }] } },
  );
});

test("the webhook hears of a call although it was down when that began to wait, and the policy was edited meanwhile", async () => {
  const heardOf = (one: string): number => hook.asked.filter(({ body }) => JSON.stringify(body).includes(one)).length;
  // Messages go out in order: those of the tests before are out of the way.
  const before = await waiting("ask");
  for (let waited = 0; waited < 10_000 && before.some((one) => heardOf(one) === 0); waited += 50) await sleep(50);
  hook.behave({ status: 503 });
  answers(calls("get_a"));
  const id = idIn((await call(CHAT, "ask", asks(functionTool("get_a")), { "x-ai-user": "down" })).text);
  const told = () => heardOf(id);
  for (let waited = 0; waited < 5_000 && told() === 0; waited += 50) await sleep(50);
  const tries = told();
  assert.ok(tries > 0, "it was tried");
  hook.behave("well");
  await gateway.rewrite(policy("answers.2"));
  for (let waited = 0; waited < 15_000 && told() === tries; waited += 50) await sleep(50);
  assert.ok(told() > tries, "it was told after all");
  await sleep(1_200);
  assert.equal(told(), tries + 1, "and once");
});

test("the address of a generated image is held to the list of hosts, and no other rule changes it", async () => {
  const listed = "https://img.example/a.png?st=2026-11-30&sig=Zm9vYmFyYmF6cXV4MTIzNDU2Nzg5MGFiY2RlZg%3D%3D";
  answers({ created: 1, data: [{ url: listed }, { url: "https://evil.example/b.png?d=1" }] });
  const { status, text } = await call("/v1/images/generations", "images", { model: "dall-e-3", prompt: "a red door", n: 2 });
  assert.equal(status, 200);
  assert.deepEqual(JSON.parse(text), { created: 1, data: [{ url: listed }, { url: "<URL>" }] });
});
