import { CODECS } from "../../../src/codecs/index.ts";
import { code, type GeneratedPage, page, table } from "./page.ts";

/** What providers offer and the gateway refuses, by provider: `METHOD path`; the first word may be several methods. */
export const DENIED: readonly { readonly whose: string; readonly why: string; readonly paths: readonly string[] }[] = [
  {
    whose: "OpenAI, Azure OpenAI",
    why: "files and what is made of them: contents would pass unread, and stay with the provider",
    paths: [
      ...[
        "POST|GET /v1/files",
        "GET|DELETE /v1/files/{id}",
        "GET /v1/files/{id}/content",
        "POST /v1/uploads",
        "POST /v1/uploads/{id}/parts",
      ],
      ...["POST|GET /v1/vector_stores", "POST /v1/vector_stores/{id}/search", "POST /v1/vector_stores/{id}/files"],
      ...[
        "POST|GET /v1/containers",
        "POST /v1/containers/{id}/files",
        "GET /v1/containers/{id}/files/{id}/content",
        "POST|GET /openai/files",
      ],
      ...["POST /v1/skills"],
    ],
  },
  {
    whose: "OpenAI, Azure OpenAI",
    why: "work that runs later, beside the gateway: its calls could be neither decided nor charged",
    paths: [
      ...[
        "POST|GET /v1/batches",
        "POST /v1/batches/{id}/cancel",
        "POST|GET /v1/fine_tuning/jobs",
        "POST /v1/evals",
        "POST /v1/evals/{id}/runs",
      ],
      ...["POST /v1/fine_tuning/alpha/graders/run", "POST /openai/deployments/{name}/batches", "POST|GET /v1/videos"],
    ],
  },
  {
    whose: "OpenAI, Azure OpenAI",
    why: "conversations kept under ids that no answer ties to one app",
    paths: [
      ...[
        "POST|GET /v1/assistants",
        "POST /v1/threads",
        "POST /v1/threads/{id}/messages",
        "POST /v1/threads/{id}/runs",
        "POST /v1/threads/runs",
      ],
      ...["POST /v1/conversations", "GET|POST|DELETE /v1/conversations/{id}", "POST /v1/conversations/{id}/items"],
      ...["GET /v1/chat/completions", "GET|POST|DELETE /v1/chat/completions/{id}", "GET /v1/chat/completions/{id}/messages"],
    ],
  },
  {
    whose: "OpenAI, Azure OpenAI",
    why: "connections that are no request and answer (WebSocket, WebRTC), and what opens them",
    paths: [
      ...["GET /v1/realtime", "POST /v1/realtime/sessions", "POST /v1/realtime/client_secrets", "POST /v1/realtime/transcription_sessions"],
      ...["POST /v1/realtime/calls", "GET /v1/responses", "GET /openai/realtime"],
    ],
  },
  {
    whose: "OpenAI",
    why: "the account itself",
    paths: [
      ...[
        "GET /v1/organization/usage/completions",
        "GET|POST /v1/organization/admin_api_keys",
        "GET /v1/organization/costs",
        "DELETE /v1/models/{id}",
      ],
      ...["POST /v1/audio/voices", "POST /v1/audio/voice_consents"],
    ],
  },
  {
    whose: "Anthropic",
    why: "files, batches, skills, the account, and completions before messages",
    paths: [
      ...["POST|GET /v1/messages/batches", "GET|DELETE /v1/messages/batches/{id}", "GET /v1/messages/batches/{id}/results"],
      ...["GET /v1/organizations/me", "GET /v1/organizations/api_keys", "POST /v1/complete"],
    ],
  },
  {
    whose: "Gemini",
    why: "files, cached contents, batches, tuning, search stores, live connections",
    paths: [
      ...["POST /upload/v1beta/files", "GET /v1beta/files", "GET|DELETE /v1beta/files/{id}", "POST|GET /v1beta/cachedContents"],
      ...[
        "GET|PATCH|DELETE /v1beta/cachedContents/{id}",
        "POST /v1beta/models/{model}:batchGenerateContent",
        "POST /v1beta/models/{model}:predictLongRunning",
      ],
      ...["POST|GET /v1beta/tunedModels", "POST /v1beta/fileSearchStores", "POST /v1beta/interactions", "POST /v1beta/auth_tokens"],
      ...["GET /ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"],
    ],
  },
];

/** Methods and path of an entry, with examples in place of its braces. */
export function requestsOf(entry: string): readonly { readonly method: string; readonly path: string }[] {
  const [methods = "", path = ""] = entry.split(" ");
  return methods.split("|").map((method) => ({ method, path: path.replace("{model}", "some-model").replaceAll(/\{[^}]+\}/g, "thing_1") }));
}

const NO_HEADERS = { get: () => undefined };

/** Azure's spellings of a surface's path, as the surface itself takes them. */
function aliases({ title, match }: (typeof CODECS)[number]): readonly string[] {
  const [method = "", path = ""] = title.split(" ");
  if (!path.startsWith("/v1/")) return [];
  const tail = path.slice("/v1".length);
  const spelt = [`/openai/v1${tail}`, `/openai/deployments/{name}${tail}`, `/openai${tail}`];
  return spelt.filter((other) => {
    const [asked] = requestsOf(`${method} ${other.replace(/\[.*\]$/, "")}`);
    return asked !== undefined && match({ ...asked, query: new URLSearchParams() }, NO_HEADERS) !== undefined;
  });
}

export function surfacesPage(): GeneratedPage {
  const served = CODECS.map((codec) => {
    const other = aliases(codec).map(code).join(", ");
    const body = codec.body === "multipart" ? "form" : codec.body === "none" || codec.readRequest === undefined ? "none" : "JSON";
    const how = codec.answerList !== undefined ? "answered by the gateway" : codec.treatment;
    const free = codec.billed === false || codec.operation === "other" || codec.operation === "list" ? "no" : "yes";
    return [code(codec.title), other, code(codec.surface), codec.operation, body, how, free];
  });
  return page("docs/surfaces.md", [
    "# Surfaces: what callers may speak",
    "",
    "Every method and path that the gateway serves, and the known ones that it refuses. What is in neither table is refused too, with",
    "`unsupported_surface` (404) in the dialect that the caller most likely speaks.",
    "",
    "- **inspected**: every text of the request and of the answer is read, so every rule applies; usage is read.",
    "- **metered**: who may call, what it used and what it cost are known; the answer's texts are not looked into.",
    "- **answered by the gateway**: no provider is asked; the answer holds what the caller may use.",
    "- **charged**: `no` where the provider bills nothing for the call by itself.",
    "",
    "A surface needs its operation in `access.operations` of the use case (`chat`, `embed`, `image`, `audio`, `list`); `other` needs none.",
    "",
    "## Served",
    "",
    ...table(["Method and path", "Also as", "Surface", "Operation", "Body", "Treatment", "Charged"], served),
    "",
    "Forms (`multipart/form-data`): the text fields are read, renamed models and contract fields included (`ai_use_case` or",
    "`metadata[ai_use_case]`); file names count as texts; the files themselves pass untouched and unread. A form that two parsers could",
    "read differently is refused: a field twice where one is meant, an encoded part, a form in a form, bytes before the first or behind",
    "the final boundary.",
    "",
    "Azure's paths name the model by the deployment, where the body names none; the provider may be Azure or any other of format `openai`.",
    "",
    "## State kept at a provider",
    "",
    "Ids of responses, their items and containers are remembered when an answer brings them, for 30 days, for the tenant and app that",
    "made them. A reference to one, in a body or a path, is allowed to that app alone and goes to the provider account that keeps it. For",
    "everyone else it is `forbidden`, in the same words as an id that does not exist. Files, vector stores, conversations, cached contents",
    "and stored prompts cannot be made through the gateway, so references to them are refused unless the use case has",
    "`access.providerState: allow`, which is for provider accounts that belong to one tenant. `deny` refuses to have anything kept: a call",
    "of the Responses API must then say `store: false`.",
    "",
    "The ids are kept as digests in `state.db` in the data folder, which the processes of one host share.",
    "",
    "## Refused",
    "",
    ...table(
      ["Whose", "Method and path", "Why"],
      DENIED.flatMap(({ whose, why, paths }) => paths.map((entry) => [whose, code(entry.replaceAll("|", " ")), why])),
    ),
    "",
    "WebSocket upgrades are refused on every path by Envoy itself (403, `forbidden`), and compressed request bodies by Sluice (400,",
    "`invalid_request`), each in the caller's dialect.",
  ]);
}
