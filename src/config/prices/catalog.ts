import { readFileSync } from "node:fs";
import { z } from "zod";
import type { Price } from "../../core/money.ts";

const nano = z.int().min(0);
const rates = {
  input: nano,
  output: nano,
  cachedInput: nano.exactOptional(),
  cacheWrite: nano.exactOptional(),
  cacheWrite1h: nano.exactOptional(),
  reasoning: nano.exactOptional(),
  imageInput: nano.exactOptional(),
  imageOutput: nano.exactOptional(),
  image: nano.exactOptional(),
  query: nano.exactOptional(),
};
const row = z.strictObject({ ...rates, above: z.array(z.strictObject({ tokens: z.int().min(1), ...rates })).exactOptional() });
const list = z.strictObject({
  source: z.string(),
  retrieved: z.iso.date(),
  unit: z.string(),
  providers: z.record(z.string(), z.record(z.string(), row)),
});
type Row = z.infer<typeof row>;

/** The bundled list of list prices, by provider and the provider's own model name. Prices of its day: check before billing. */
export interface PriceCatalog {
  /** The day the prices were taken, `2026-08-06`. */
  readonly retrieved: string;
  readonly source: string;
  readonly providers: ReadonlyMap<string, ReadonlyMap<string, Row>>;
}

export const PRICE_CATALOG: PriceCatalog = readCatalog(new URL("./catalog.json", import.meta.url));

function readCatalog(file: URL): PriceCatalog {
  const { source, retrieved, providers } = list.parse(JSON.parse(readFileSync(file, "utf8")));
  return { source, retrieved, providers: new Map(Object.entries(providers).map(([name, rows]) => [name, new Map(Object.entries(rows))])) };
}

/**
 * The price of a model, undefined where the list has none. Tried in this order: the name as it is; in lower case; without a
 * path or region prefix (`models/`, `publishers/google/models/`); without its date (`gpt-4o-mini-2024-07-18`, `@20250929`),
 * `-latest` or `-001`; and, for a name without a date, its newest dated form (`claude-3-7-sonnet`).
 */
export function findPrice(provider: string, model: string, catalog: PriceCatalog = PRICE_CATALOG): Price | undefined {
  const rows = catalog.providers.get(provider);
  if (rows === undefined || model.length > 256) return undefined;
  const name = findName(rows, model);
  const found = name === undefined ? undefined : rows.get(name);
  if (name === undefined || found === undefined) return undefined;
  const { above, ...price } = found;
  const source = `catalog:${provider}/${name}@${catalog.retrieved}`;
  if (above === undefined) return { ...price, source };
  return { ...price, above: above.map(({ tokens, ...step }) => ({ tokens, price: step })), source };
}

const PREFIX = /^(?:models\/|publishers\/[a-z]+\/models\/)/;
const DATE = /(?:-\d{4}-\d{2}-\d{2}|[-@]\d{8}|-latest|-\d{3})$/;

function findName(rows: ReadonlyMap<string, Row>, model: string): string | undefined {
  const short = model.replace(PREFIX, "");
  const undated = short.replace(DATE, "");
  for (const name of [model, model.toLowerCase(), short, short.toLowerCase(), undated, undated.toLowerCase()]) {
    if (rows.has(name)) return name;
  }
  // Some lists know a model only by its dated name. Of several the newest, which sorts last: dates are written big end first.
  const stem = short.toLowerCase();
  let newest: string | undefined;
  for (const name of rows.keys()) {
    if (name.toLowerCase().replace(/(?:-\d{4}-\d{2}-\d{2}|[-@]\d{8})$/, "") === stem && (newest === undefined || name > newest))
      newest = name;
  }
  return newest;
}

/** Hosts whose prices the list has. A leading dot stands for any subdomain. */
const HOSTS: readonly (readonly [host: string, provider: string])[] = [
  ["api.openai.com", "openai"],
  [".api.openai.com", "openai"],
  ["api.anthropic.com", "anthropic"],
  ["generativelanguage.googleapis.com", "gemini"],
  ["aiplatform.googleapis.com", "vertex"],
  [".aiplatform.googleapis.com", "vertex"],
  [".openai.azure.com", "azure"],
  [".services.ai.azure.com", "azure"],
  ["api.groq.com", "groq"],
  ["api.mistral.ai", "mistral"],
  ["api.deepseek.com", "deepseek"],
  ["api.x.ai", "xai"],
  [".api.x.ai", "xai"],
  ["api.together.xyz", "together"],
  ["api.together.ai", "together"],
  ["api.cohere.com", "cohere"],
  ["api.cohere.ai", "cohere"],
];

/** The list's name of the provider behind a host. Aggregators (OpenRouter) set prices of their own and are not in it. */
export function catalogProviderOf(host: string): string | undefined {
  const name = host.toLowerCase();
  if (/^bedrock-runtime(?:-fips)?\.[a-z0-9-]+\.amazonaws\.com$/.test(name)) return "bedrock";
  if (/^[a-z0-9-]+-aiplatform\.googleapis\.com$/.test(name)) return "vertex";
  return HOSTS.find(([known]) => (known.startsWith(".") ? name.endsWith(known) : name === known))?.[1];
}
