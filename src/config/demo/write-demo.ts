import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { stringify } from "yaml";
import { err, ok, type Result } from "../../core/result.ts";
import type { StageDefinition } from "../../core/stage.ts";
import type { Dialect } from "../../core/view.ts";
import { issueKey } from "../keys.ts";
import { makeFolder } from "../make-folder.ts";
import { DEMO_PROVIDERS, type DemoProvider } from "./providers.ts";

export interface DemoOptions {
  /** Where the providers' keys may be; only names of those that are set get into the policy. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The provider simulator, taken when no key is set. */
  readonly simulatorUrl?: string;
  readonly nowMs: number;
}
export interface Demo {
  /** The policy file. */
  readonly policy: string;
  /** A fresh key of demo/first-app, shown here and nowhere else. */
  readonly key: string;
  readonly simulated: boolean;
  readonly providers: readonly string[];
  /** A model to try, for each API that some provider speaks. */
  readonly models: Readonly<Partial<Record<Dialect, string>>>;
}

const TEMPLATE = new URL("./policy.yaml", import.meta.url);
/** The template's providers, models and tiers stand between the comments that begin so. */
const FROM = "# Accounts at providers.";
const TO = "# Rules of every call.";

/**
 * Writes the demo policy into a folder, with the providers whose keys are set (`OPENAI_API_KEY` and so on), or all three
 * formats on the simulator. Error: one line for the caller to show.
 */
export async function writeDemo(folder: string, stages: readonly StageDefinition[], options: DemoOptions): Promise<Result<Demo, string>> {
  const real = DEMO_PROVIDERS.flatMap((provider) => {
    const variable = provider.variables.find((name) => (options.env[name] ?? "") !== "");
    return variable === undefined ? [] : [{ ...provider, credential: { env: variable } }];
  });
  const simulated = real.length === 0;
  if (simulated && options.simulatorUrl === undefined)
    return err(`no provider key is set: set one of ${DEMO_PROVIDERS.flatMap(({ variables }) => variables).join(", ")}`);
  const chosen = simulated ? simulatedProviders(options.simulatorUrl ?? "") : real;
  const policy = join(folder, "policy.yaml");
  try {
    const template = await readFile(TEMPLATE, "utf8");
    const [from, to] = [template.indexOf(FROM), template.indexOf(TO)];
    if (from < 0 || to < from) return err("the demo policy has lost its marks");
    const text =
      template.slice(0, from) +
      catalogText(chosen, simulated) +
      template.slice(to).replace(/^( {6}tiers: ).*?( +#)/m, `$1[${tiersOf(chosen).join(", ")}]$2`);
    await makeFolder(folder);
    await writeFile(`${policy}.tmp`, withoutSchemaLine(text));
    await rename(`${policy}.tmp`, policy);
  } catch (error) {
    return err(
      `the demo policy cannot be written to ${folder} (${error instanceof Error && "code" in error ? String(error.code) : "unknown error"})`,
    );
  }
  const owner = { tenant: "demo", app: "first-app", useCase: undefined, user: undefined, note: "made for the demo", expiresMs: undefined };
  const issued = await issueKey(policy, stages, owner, options.nowMs);
  if (!issued.ok) return issued;
  const models: Partial<Record<Dialect, string>> = {};
  for (const { format, models: served } of chosen) {
    const [first] = served;
    if (first !== undefined) models[format] ??= first.name;
  }
  return ok({ policy, key: issued.value.key, simulated, providers: chosen.map(({ name }) => name), models });
}

type ChosenProvider = Omit<DemoProvider, "variables"> & { readonly credential?: { readonly env: string }; readonly catalog?: string };

function simulatedProviders(url: string): readonly ChosenProvider[] {
  const base = url.replace(/\/+$/, "");
  return DEMO_PROVIDERS.filter(({ name, format }) => name === format || name === "gemini").map(({ variables: _, ...provider }) => ({
    ...provider,
    baseUrl: provider.format === "openai" ? `${base}/v1` : base,
    catalog: provider.name,
  }));
}

function tiersOf(chosen: readonly ChosenProvider[]): readonly string[] {
  return ["high", "standard", "cheap"].filter((tier) =>
    chosen.some(({ models }) => models.some((model) => model.tiers.some((one) => one === tier))),
  );
}

/** The part of the policy that depends on the machine. The first of each kind is commented; the others look the same. */
function catalogText(chosen: readonly ChosenProvider[], simulated: boolean): string {
  const lines: string[] = [];
  const said = new Set<string>();
  const add = (text: string, comment: string): void => {
    lines.push(said.has(comment) ? text : `${text.padEnd(54)}  # ${comment}`);
    said.add(comment);
  };
  lines.push(
    simulated
      ? "# Accounts at providers. No provider key was set, so these are the bundled simulator: their answers are made up, their prices real."
      : "# Accounts at providers. Envoy adds the credential on the way out; neither callers nor Sluice ever see it.",
    "providers:",
  );
  for (const { name, format, baseUrl, credential, catalog } of chosen) {
    lines.push(`  ${name}:`);
    add(`    format: ${format}`, "whose API it speaks; OpenAI-compatible providers are openai too");
    add(`    baseUrl: ${baseUrl}`, "up to the version");
    if (credential !== undefined)
      add(`    credential: { env: ${credential.env} }`, "where Envoy finds the key: { env: NAME } or { file: PATH }");
    if (catalog !== undefined) add(`    catalog: ${catalog}`, "whose prices its models have, where the host does not tell");
  }
  lines.push("", "# The names that callers use, and who serves them.", "models:");
  for (const { name: provider, models } of chosen) {
    for (const { name, model, family, priced } of models) {
      lines.push(`  ${scalar(name)}:`);
      if (family !== undefined) add(`    family: ${family}`, "callers may also ask for family:NAME");
      add(`    targets: [{ provider: ${provider}, model: ${scalar(model)} }]`, "the account, and its own name for the model");
      if (priced) add("    price: catalog", "from the bundled list; or { input: 0.15, output: 0.6 } in USD per million tokens");
    }
  }
  lines.push(
    "",
    "# Models by meaning: callers ask for tier:cheap, and you decide what that is. The first that speaks the caller's API is taken.",
    "tiers:",
  );
  for (const tier of tiersOf(chosen)) {
    const names = chosen.flatMap(({ models }) =>
      models.filter((model) => model.tiers.some((one) => one === tier)).map(({ name }) => scalar(name)),
    );
    lines.push(`  ${tier}: [${names.join(", ")}]`);
  }
  return `${lines.join("\n")}\n\n`;
}

const scalar = (text: string): string => stringify(text, { lineWidth: 0 }).trimEnd();

/** The editor's schema lies beside the template, not beside the copy. */
function withoutSchemaLine(text: string): string {
  return text.replace(/^# yaml-language-server:.*\n/m, "");
}
