/**
 * The demo policy of `sluice up`, with its key, in a folder that stays. It is written once, and again only while nobody has
 * changed it and the provider keys at hand are others. An edited policy is never touched.
 */
import { createHash } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { DEMO_PROVIDERS } from "../../config/demo/providers.ts";
import { writeDemo } from "../../config/demo/write-demo.ts";
import { ok, type Result } from "../../core/result.ts";
import { STAGES } from "../../stages/index.ts";

const State = z.object({
  key: z.string(),
  simulated: z.boolean(),
  /** Where the policy expects the simulator. */
  simulatorPort: z.number(),
  providers: z.array(z.string()),
  models: z.object({ openai: z.string().optional(), anthropic: z.string().optional(), gemini: z.string().optional() }),
  /** SHA-256 of the policy as it was written. */
  written: z.string(),
});
type DemoState = z.infer<typeof State>;

export interface Demo extends DemoState {
  readonly policy: string;
  /** Changed by hand since it was written. */
  readonly edited: boolean;
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** Providers whose keys are set. */
export const providersAtHand = (env: Environment): readonly string[] =>
  DEMO_PROVIDERS.filter(({ variables }) => variables.some((name) => (env[name] ?? "") !== "")).map(({ name }) => name);

export const demoPolicyPath = (folder: string): string => join(folder, "policy.yaml");
const statePath = (folder: string): string => join(folder, "demo.json");

/** The demo that an earlier run left; undefined when there is none, or what is there cannot be used. */
export async function readDemo(folder: string): Promise<Demo | undefined> {
  try {
    const raw: unknown = JSON.parse(await readFile(statePath(folder), "utf8"));
    const state = State.parse(raw);
    const hash = sha256(await readFile(demoPolicyPath(folder)));
    return { ...state, policy: demoPolicyPath(folder), edited: hash !== state.written };
  } catch {
    return undefined;
  }
}

/** May the demo be used as it is? An edited one always is; it says itself what is missing. */
export function fits(demo: Demo, env: Environment): boolean {
  const atHand = providersAtHand(env);
  const wanted = demo.simulated ? [] : demo.providers;
  return demo.edited || JSON.stringify(wanted) === JSON.stringify(atHand);
}

export async function makeDemo(folder: string, env: Environment, simulatorPort: number, nowMs: number): Promise<Result<Demo, string>> {
  const simulatorUrl = `http://127.0.0.1:${simulatorPort}`;
  const made = await writeDemo(folder, STAGES, { env, nowMs, simulatorUrl });
  if (!made.ok) return made;
  const { key, simulated, providers, models, policy } = made.value;
  const written = sha256(await readFile(policy));
  const state: DemoState = { key, simulated, simulatorPort, providers: [...providers], models: { ...models }, written };
  // The key of a demo on loopback, kept so that what was pasted yesterday works today. Only its hash is in the policy.
  await writeFile(statePath(folder), `${JSON.stringify(state, null, 2)}\n`, { mode: 0o600 });
  return ok({ ...state, policy, edited: false });
}

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
