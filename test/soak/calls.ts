/** What the soak calls: every surface of the simulator, whole and streamed, and bodies that are up to no good. */

export const SOAK_POLICY = `
apiVersion: sluice/v1
version: "soak.1"
providers:
  openai: { format: openai, baseUrl: "\${SIM}/v1", credential: { env: SIM_KEY } }
  anthropic: { format: anthropic, baseUrl: "\${SIM}", credential: { env: SIM_KEY } }
  gemini: { format: gemini, baseUrl: "\${SIM}", credential: { env: SIM_KEY } }
  cohere: { format: cohere, baseUrl: "\${SIM}", credential: { env: SIM_KEY } }
  bedrock: { format: bedrock, baseUrl: "\${SIM}", credential: { env: SIM_KEY } }
  vertex: { format: vertex, baseUrl: "\${SIM}", credential: { env: SIM_KEY }, google: { project: p, location: europe-west1 } }
models:
  gpt-4o-mini: { targets: [{ provider: openai, model: gpt-4o-mini }], price: { input: "0.15", output: "0.6" } }
  gpt-3.5-turbo-instruct: { targets: [{ provider: openai, model: gpt-3.5-turbo-instruct }], price: { input: "1.5", output: 2 } }
  text-embedding-3-small: { targets: [{ provider: openai, model: text-embedding-3-small }], price: { input: "0.02" } }
  gpt-image-1: { targets: [{ provider: openai, model: gpt-image-1 }], price: { input: 5, output: 40 } }
  tts-1: { targets: [{ provider: openai, model: tts-1 }], price: { character: 15 } }
  whisper-1: { targets: [{ provider: openai, model: whisper-1 }], price: { second: "0.0001" } }
  omni-moderation-latest: { targets: [{ provider: openai, model: omni-moderation-latest }], price: { input: 0 } }
  claude-haiku-4-5: { targets: [{ provider: anthropic, model: claude-haiku-4-5 }], price: { input: "1", output: "5" } }
  gemini-2.5-flash: { targets: [{ provider: gemini, model: gemini-2.5-flash }], price: { input: "0.3", output: "2.5" } }
  command-a: { targets: [{ provider: cohere, model: command-a-03-2025 }], price: { input: "2.5", output: "10" } }
  embed-v4.0: { targets: [{ provider: cohere, model: embed-v4.0 }], price: { input: "0.12" } }
  nova: { targets: [{ provider: bedrock, model: "amazon.nova-lite-v1:0" }], price: { input: "1", output: "1" } }
  gemini-vertex: { targets: [{ provider: vertex, model: gemini-2.5-flash }], price: { input: "0.3", output: "2.5" } }
tenants:
  acme:
    apps:
      bot: { credentials: [{ apiKey: { id: k1, sha256: "\${KEY:acme/bot}" } }], useCases: [all] }
useCases:
  all:
    access: { operations: [chat, embed, image, audio, list], models: ["*"], tools: { allow: ["*"] }, providerState: own }
    caps: { outputTokensMax: 500 }
    route: { retry: { attempts: 1 } }
`;

export interface SoakCall {
  readonly name: string;
  readonly path: string;
  readonly body?: string | Buffer | undefined;
  readonly type?: string;
  /** The status that is right. */
  readonly status: number;
  /** How often among the others; 1 unless said. */
  readonly weight?: number;
  /** The caller leaves at the first piece of the answer. */
  readonly leaves?: true;
}

const BOUNDARY = "soak-boundary";
const user = (content: unknown): object[] => [{ role: "user", content }];
const contents = (text: string): object => ({ contents: [{ role: "user", parts: [{ text }] }] });

/** Prompts differ from call to call, as the digests and the simulator's words then do. */
export function soakCalls(round: number): readonly SoakCall[] {
  const text = `hello ${round}`;
  const slow = `${text} [[sim tokens=200 token-delay=5]]`;
  const json = (path: string, body: object, more: Partial<SoakCall> = {}): SoakCall => ({
    name: path,
    path,
    body: JSON.stringify(body),
    status: 200,
    ...more,
  });
  const chat = (more: object, call: Partial<SoakCall> = {}): SoakCall =>
    json("/v1/chat/completions", { model: "gpt-4o-mini", messages: user(text), ...more }, call);
  return [
    chat({}, { weight: 8 }),
    chat({ stream: true }, { weight: 8 }),
    chat({ tools: [{ type: "function", function: { name: "get_weather", parameters: { type: "object" } } }] }),
    chat({ messages: user("x".repeat(100_000)) }),
    chat({ stream: true, messages: user(slow) }, { leaves: true }),
    json("/v1/messages", { model: "claude-haiku-4-5", max_tokens: 60, stream: true, messages: user(slow) }, { leaves: true }),
    json("/v1/responses", { model: "gpt-4o-mini", store: false, input: text }),
    json("/v1/responses", { model: "gpt-4o-mini", store: false, stream: true, input: text }),
    json("/v1/completions", { model: "gpt-3.5-turbo-instruct", prompt: text, max_tokens: 9 }),
    json("/v1/embeddings", { model: "text-embedding-3-small", input: [text, "again"] }),
    json("/v1/moderations", { model: "omni-moderation-latest", input: text }),
    json("/v1/images/generations", { model: "gpt-image-1", prompt: text }),
    json("/v1/audio/speech", { model: "tts-1", voice: "alloy", input: text }),
    {
      name: "transcription",
      path: "/v1/audio/transcriptions",
      type: `multipart/form-data; boundary=${BOUNDARY}`,
      body: form(),
      status: 200,
    },
    { name: "models", path: "/v1/models", status: 200 },
    json("/v1/messages", { model: "claude-haiku-4-5", max_tokens: 60, messages: user(text) }),
    json("/v1/messages", { model: "claude-haiku-4-5", max_tokens: 60, stream: true, messages: user(text) }),
    json("/v1/messages/count_tokens", { model: "claude-haiku-4-5", messages: user(text) }),
    json("/v1beta/models/gemini-2.5-flash:generateContent", contents(text)),
    json("/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse", contents(text)),
    json("/v1beta/models/gemini-2.5-flash:streamGenerateContent", contents(text)),
    json("/v1beta/models/gemini-2.5-flash:countTokens", contents(text)),
    json("/v2/chat", { model: "command-a", messages: user(text) }),
    json("/v2/chat", { model: "command-a", stream: true, messages: user(text) }),
    json("/v2/embed", { model: "embed-v4.0", texts: [text], input_type: "search_document", embedding_types: ["float"] }),
    json("/model/nova/converse", { messages: user([{ text }]) }),
    json("/model/nova/converse-stream", { messages: user([{ text }]) }),
    json("/v1/projects/p/locations/l/publishers/google/models/gemini-vertex:generateContent", contents(text)),
    ...hostile(round, chat),
  ];
}

function hostile(round: number, chat: (more: object, call?: Partial<SoakCall>) => SoakCall): readonly SoakCall[] {
  const bad = (name: string, body: string | Buffer): SoakCall => ({ name, path: "/v1/chat/completions", body, status: 400 });
  const rare = round % 25 === 0;
  return [
    bad("no JSON", "hello"),
    bad("a duplicate key", '{"model":"gpt-4o-mini","messages":[],"model":"x"}'),
    bad("depth 10,000", `{"model":"gpt-4o-mini","messages":[],"x":${"[".repeat(10_000)}${"]".repeat(10_000)}}`),
    bad("invalid UTF-8", Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d])),
    chat({ messages: user(" [[sim garbage]]") }),
    chat({ messages: user(" [[sim status=500]]") }, { status: 500 }),
    ...(rare
      ? [
          chat({ messages: Array.from({ length: 20_000 }, (_, at) => ({ role: "user", content: `m${at}` })) }),
          bad("3 MB of values", `{"model":"gpt-4o-mini","x":[${"0,".repeat(1_500_000)}0]}`),
        ]
      : []),
  ];
}

function form(): Buffer {
  const part = (name: string, more = ""): string => `--${BOUNDARY}\r\nContent-Disposition: form-data; name="${name}"${more}\r\n`;
  return Buffer.concat([
    Buffer.from(`${part("model")}\r\nwhisper-1\r\n${part("file", '; filename="a.wav"')}Content-Type: audio/wav\r\n\r\n`),
    Buffer.alloc(4_000, "\x00\xff", "latin1"),
    Buffer.from(`\r\n--${BOUNDARY}--\r\n`),
  ]);
}
