import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { field, isJsonObject, type Json, parseJsonValue } from "../../src/core/json.ts";

/** Where recorded provider traffic may be; tests skip what needs it when the folder is absent. */
const FOLDER = path.resolve(process.env["SLUICE_FIXTURES"] ?? path.resolve(import.meta.dirname, "../../../shared/fixtures"), "exchanges");

/** One recorded HTTP exchange. */
export interface Recorded {
  readonly id: string;
  /** Name of the folder: whose API it is. */
  readonly provider: string;
  readonly path: string;
  readonly requestBody: string;
  readonly status: number;
  readonly contentType: string;
  readonly responseBody: string;
  /** Query of the path, without its question mark. */
  readonly query: string;
  /** The answer's exact bytes (recorded as base64 where they are no text). */
  readonly responseBytes: Buffer;
  readonly responseHeaders: ReadonlyMap<string, string>;
  /** Usage as the recording's reader understood it: input, output, cached, cache_write, reasoning; numbers or null. */
  readonly usage: Json;
}

/** Recorded POST exchanges whose path ends like this; undefined when there are no recordings here. */
export function recordedExchanges(pathEnd: RegExp): readonly Recorded[] | undefined {
  if (!existsSync(FOLDER)) return undefined;
  const found: Recorded[] = [];
  for (const provider of readdirSync(FOLDER, { withFileTypes: true })) {
    if (!provider.isDirectory()) continue;
    for (const file of readdirSync(path.join(FOLDER, provider.name))) {
      const json = parseJsonValue(readFileSync(path.join(FOLDER, provider.name, file), "utf8"));
      if (field(json, "method") !== "POST" || !pathEnd.test(text(json, "path"))) continue;
      found.push({
        id: text(json, "id"),
        provider: provider.name,
        query: text(json, "query"),
        responseBytes: Buffer.from(text(json, "response_body"), text(json, "response_body_encoding") === "base64" ? "base64" : "utf8"),
        responseHeaders: headersOf(field(json, "response_headers")),
        path: text(json, "path"),
        requestBody: text(json, "request_body"),
        status: Number(field(json, "status")),
        contentType: text(field(json, "response_headers"), "content-type"),
        responseBody: text(json, "response_body"),
        usage: field(json, "usage") ?? null,
      });
    }
  }
  return found;
}

function headersOf(json: Json | undefined): ReadonlyMap<string, string> {
  const headers = new Map<string, string>();
  if (isJsonObject(json)) for (const [name, value] of Object.entries(json)) headers.set(name.toLowerCase(), String(value));
  return headers;
}

function text(json: Json | undefined, key: string): string {
  const value = field(json, key);
  return typeof value === "string" ? value : "";
}
