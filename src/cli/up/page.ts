import { relative } from "node:path";
import type { Demo } from "./demo.ts";

export interface PageFacts {
  /** `http://127.0.0.1:8080`. */
  readonly url: string;
  readonly adminUrl: string;
  readonly demo: Demo | undefined;
  readonly policy: string;
  readonly policyName: string;
  readonly records: string;
  readonly envoyLog: string;
  readonly accessLog: string;
  /** Folder that paths are shown from. */
  readonly cwd: string;
  /** What the first call through Envoy brought. */
  readonly firstCall: string;
}

/** What `sluice up` prints when a call has passed: all that somebody needs to try it. */
export function upPage(facts: PageFacts): string {
  const { url, demo } = facts;
  const near = (path: string): string => {
    const short = relative(facts.cwd, path);
    return short.startsWith("..") ? path : short;
  };
  const key = demo?.key ?? "$SLUICE_KEY";
  const places = [
    ["policy", `${near(facts.policy)}  (${facts.policyName}; as in force: ${facts.adminUrl}/policy)`],
    ["records", `${near(facts.records)}  (one JSON line an exchange)`],
    ["metrics", `${facts.adminUrl}/metrics`],
    ["logs", `${near(facts.accessLog)}, ${near(facts.envoyLog)}`],
  ];
  return [
    `Sluice is ready at ${url}  (${facts.firstCall})`,
    ...(demo?.simulated === true
      ? [
          "",
          "No provider key is set, so a bundled simulator answers: its texts are made up. Set OPENAI_API_KEY, ANTHROPIC_API_KEY or",
          "GEMINI_API_KEY and start again to call the real providers.",
        ]
      : []),
    ...(demo !== undefined && !demo.simulated ? ["", `Calls go to ${demo.providers.join(", ")} and cost money there.`] : []),
    "",
    ...snippets(url, key, demo?.models ?? {}),
    "",
    demo === undefined ? "key       one of your policy; make one: sluice keys new --help" : `key       ${demo.key}`,
    ...places.map(([name, value]) => `${(name ?? "").padEnd(10)}${value}`),
    "",
    "Ctrl-C stops all of it.",
    "",
  ].join("\n");
}

function snippets(url: string, key: string, models: Demo["models"]): readonly string[] {
  const { openai, anthropic, gemini } = models;
  if (openai !== undefined || (anthropic === undefined && gemini === undefined)) {
    const model = openai ?? "MODEL";
    return [
      `curl ${url}/v1/chat/completions -H 'authorization: Bearer ${key}' -H 'content-type: application/json' \\`,
      `  -d '{"model":"${model}","messages":[{"role":"user","content":"Hello"}]}'`,
      "",
      "Python   from openai import OpenAI",
      `         client = OpenAI(base_url="${url}/v1", api_key="${key}")`,
      `         print(client.chat.completions.create(model="${model}", messages=[{"role": "user", "content": "Hello"}]).choices[0].message.content)`,
      "",
      'Node     import OpenAI from "openai";',
      `         const client = new OpenAI({ baseURL: "${url}/v1", apiKey: "${key}" });`,
      `         console.log((await client.chat.completions.create({ model: "${model}", messages: [{ role: "user", content: "Hello" }] })).choices[0].message.content);`,
      ...(anthropic === undefined
        ? []
        : ["", `The Anthropic SDK takes base_url="${url}", Google's http_options={"base_url": "${url}"}, with the same key.`]),
    ];
  }
  if (anthropic !== undefined) {
    return [
      `curl ${url}/v1/messages -H 'x-api-key: ${key}' -H 'anthropic-version: 2023-06-01' -H 'content-type: application/json' \\`,
      `  -d '{"model":"${anthropic}","max_tokens":100,"messages":[{"role":"user","content":"Hello"}]}'`,
      "",
      "Python   from anthropic import Anthropic",
      `         client = Anthropic(base_url="${url}", api_key="${key}")`,
      `         print(client.messages.create(model="${anthropic}", max_tokens=100, messages=[{"role": "user", "content": "Hello"}]).content[0].text)`,
    ];
  }
  return [
    `curl ${url}/v1beta/models/${gemini}:generateContent -H 'x-goog-api-key: ${key}' -H 'content-type: application/json' \\`,
    `  -d '{"contents":[{"role":"user","parts":[{"text":"Hello"}]}]}'`,
    "",
    "Python   from google import genai",
    `         client = genai.Client(api_key="${key}", http_options={"base_url": "${url}"})`,
    `         print(client.models.generate_content(model="${gemini}", contents="Hello").text)`,
  ];
}
