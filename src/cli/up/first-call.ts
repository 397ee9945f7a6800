import { err, ok, type Result } from "../../core/result.ts";
import type { Demo } from "./demo.ts";

interface Call {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

/**
 * A real call through Envoy, again and again until it passes. With the simulator a whole answer; with real providers the
 * list of models, which costs nothing; without a key of ours, any answer that Sluice gave. Says what came.
 */
export async function firstCall(
  url: string,
  demo: Demo | undefined,
  repeat: (ask: () => Promise<boolean>) => Promise<boolean>,
): Promise<Result<string, string>> {
  const call = chooseCall(demo);
  const last = { said: "nothing came back", ok: false };
  const passed = await repeat(async () => {
    const answer = await fetch(`${url}${call.path}`, {
      method: call.method,
      headers: call.headers,
      ...(call.body !== undefined && { body: call.body }),
      signal: AbortSignal.timeout(10_000),
    });
    const text = await answer.text();
    const bySluice = answer.headers.has("x-ai-request-id");
    last.said = `${call.method} ${call.path} answered ${answer.status}`;
    last.ok = answer.ok;
    if (!answer.ok && text.length < 300) last.said += ` ${text.trim()}`;
    // An edited policy may well refuse the demo's call: then Sluice has spoken, which is what was to be seen.
    return bySluice && (answer.ok || ((demo === undefined || demo.edited) && answer.status < 500));
  });
  if (!passed) return err(`no call passed through Envoy: ${last.said}`);
  return ok(last.ok ? `a first call passed: ${call.method} ${call.path}` : `Envoy and Sluice answer: ${last.said}`);
}

function chooseCall(demo: Demo | undefined): Call {
  if (demo === undefined) return { method: "GET", path: "/v1/models", headers: {} };
  const headers = { authorization: `Bearer ${demo.key}`, "content-type": "application/json" };
  const model = demo.simulated ? demo.models.openai : undefined;
  if (model === undefined) return { method: "GET", path: "/v1/models", headers };
  return {
    method: "POST",
    path: "/v1/chat/completions",
    headers,
    body: JSON.stringify({ model, messages: [{ role: "user", content: "Hello" }] }),
  };
}
