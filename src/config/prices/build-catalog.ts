/**
 * Makes catalog.json from a price list: `node src/config/prices/build-catalog.ts LIST.json > src/config/prices/catalog.json`.
 * The list holds { source, retrieved, models: [{ provider, model, input, output, cache_read ... in USD per token,
 * above_200k: the same once the prompt is longer }] }. Kept are token prices, as whole nano-dollars per million
 * tokens, and for models that have none the price of an image made, per million images, or of a query; prices by batch are left
 * out, and so are models that have no other.
 */
import { readFileSync } from "node:fs";

const KINDS = [
  ["input", "input"],
  ["output", "output"],
  ["cache_read", "cachedInput"],
  ["cache_write", "cacheWrite"],
  ["cache_write_1h", "cacheWrite1h"],
  ["output_reasoning", "reasoning"],
  ["input_image_token", "imageInput"],
  ["output_image_token", "imageOutput"],
] as const;

type Row = Readonly<Record<string, unknown>>;
const isRow = (value: unknown): value is Row => typeof value === "object" && value !== null;

/** USD per token as whole nano-dollars per million tokens: times 1e15, rounded where the list's own figure has more decimals. */
function nanoPerMillion(usdPerToken: unknown): number | undefined {
  if (typeof usdPerToken !== "number" || !(usdPerToken >= 0)) return undefined;
  return Math.round(Number((usdPerToken * 1e15).toPrecision(12)));
}

function ratesOf(row: Row): Record<string, number> {
  const rates: Record<string, number> = {};
  for (const [from, to] of KINDS) {
    const value = nanoPerMillion(row[from]);
    if (value !== undefined) rates[to] = value;
  }
  // Reasoning at the output price is what the absence of a price means already.
  if (rates["reasoning"] !== undefined && rates["reasoning"] === rates["output"]) delete rates["reasoning"];
  return rates;
}

/** The price of an image made, of models that have no price for tokens. The list calls it input for DALL-E, output for others. */
function imagePrice(row: Row, rates: Readonly<Record<string, number>>): number | undefined {
  if (row["mode"] !== "image_generation" || Object.keys(rates).length > 0) return undefined;
  return nanoPerMillion(row["output_image"] ?? row["input_image"]);
}

function priceOf(row: Row): Record<string, unknown> | undefined {
  const rates = ratesOf(row);
  const image = imagePrice(row, rates);
  if (image !== undefined) return { input: 0, output: 0, image };
  const query = nanoPerMillion(row["input_query"]);
  if (query !== undefined) return { input: 0, output: 0, query };
  // All output of a model without a price for text is images.
  if (row["mode"] === "image_generation" && rates["imageOutput"] !== undefined) rates["output"] ??= rates["imageOutput"];
  if (rates["input"] === undefined || row["mode"] === "rerank") return undefined;
  const embedding = row["mode"] === "embedding";
  if (rates["output"] === undefined && !embedding) return undefined;
  const above = [];
  for (const [key, value] of Object.entries(row)) {
    const thousands = /^above_([0-9]+)k$/.exec(key)?.[1];
    if (thousands === undefined || !isRow(value)) continue;
    const step: Record<string, number> = { tokens: Number(thousands) * 1000, ...rates, ...ratesOf(value) };
    const raised = ratesOf(value)["input"];
    // The list has no long-prompt price of one-hour cache writes; Anthropic's is twice the input price (prompt caching guide).
    if (rates["cacheWrite1h"] !== undefined && raised !== undefined && ratesOf(value)["cacheWrite1h"] === undefined)
      step["cacheWrite1h"] = 2 * raised;
    above.push(step);
  }
  above.sort((a, b) => (a["tokens"] ?? 0) - (b["tokens"] ?? 0));
  return { output: 0, ...rates, ...(above.length > 0 ? { above } : {}) };
}

const list: unknown = JSON.parse(readFileSync(process.argv[2] ?? "", "utf8"));
if (!isRow(list) || !Array.isArray(list["models"])) throw new TypeError("not a price list");
const providers: Record<string, string[]> = {};
for (const row of list["models"]) {
  const price = isRow(row) ? priceOf(row) : undefined;
  if (price === undefined) continue;
  const name = String(row["provider"]);
  const rows = providers[name] ?? [];
  providers[name] = rows;
  rows.push(`      ${JSON.stringify(String(row["model"]))}: ${JSON.stringify(price)}`);
}
const blocks = Object.entries(providers).map(([name, rows]) => `    ${JSON.stringify(name)}: {\n${rows.join(",\n")}\n    }`);
process.stdout.write(
  `{\n  "source": ${JSON.stringify(list["source"])},\n  "retrieved": ${JSON.stringify(list["retrieved"])},\n  "unit": "nano-dollars (1e-9 USD) per million tokens",\n  "providers": {\n${blocks.join(",\n")}\n  }\n}\n`,
);
