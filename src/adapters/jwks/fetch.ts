import { KEY_SET_BYTES_MAX } from "../../core/limits.ts";
import type { Result } from "../../core/result.ts";
import { callHttp, type HttpCall, type HttpError, parseAnswer } from "../http/request.ts";

/** Longest fetch of one document, milliseconds. */
const FETCH_MS = 5_000;

export type FetchOptions = Pick<HttpCall, "ca" | "env" | "signal">;

/** Gets one JSON document of an issuer. */
export async function fetchJson(url: URL, options: FetchOptions): Promise<Result<unknown, HttpError>> {
  const headers = { accept: "application/json, application/jwk-set+json" };
  const body = await callHttp(url, { ...options, method: "GET", headers, deadlineMs: FETCH_MS, bytesMax: KEY_SET_BYTES_MAX });
  return body.ok ? parseAnswer(body.value.toString("utf8")) : body;
}
