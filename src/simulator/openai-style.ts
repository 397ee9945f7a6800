import type { Arrival, ErrorReply, ErrorStyle } from "./surface.ts";
import { idText } from "./text.ts";

interface ErrorObject {
  readonly message: string;
  readonly type: string;
  readonly param: string | null;
  readonly code: string | null;
}

const reply = (status: number, error: ErrorObject): ErrorReply => ({ status, body: `${JSON.stringify({ error }, null, 2)}\n` });
const invalid = (status: number, message: string, code: string | null = null): ErrorReply =>
  reply(status, { message, type: "invalid_request_error", param: null, code });

export const SERVER_ERROR: ErrorObject = {
  message: "The server had an error while processing your request. Sorry about that!",
  type: "server_error",
  param: null,
  code: null,
};

/** OpenAI's errors, after platform.openai.com/docs/guides/error-codes and recorded 401 and 404 answers. */
export const openaiStyle: ErrorStyle = {
  name: "openai",
  checkKey(arrival: Arrival, key: string): ErrorReply | undefined {
    const sent = arrival.headers.authorization;
    if (sent === `Bearer ${key}` || arrival.headers["api-key"] === key) return undefined;
    if (sent === undefined)
      return invalid(401, "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth.");
    return invalid(
      401,
      "Incorrect API key provided: ****. You can find your API key at https://platform.openai.com/account/api-keys.",
      "invalid_api_key",
    );
  },
  notFound: (arrival) => invalid(404, `Invalid URL (${arrival.method} ${arrival.path})`),
  badRequest: (message) => invalid(400, message),
  fault(status) {
    if (status === 429) {
      return reply(429, {
        message: "Rate limit reached for requests per min (RPM): Limit 500, Used 500, Requested 1.",
        type: "requests",
        param: null,
        code: "rate_limit_exceeded",
      });
    }
    if (status === 401)
      return invalid(
        401,
        "Incorrect API key provided: ****. You can find your API key at https://platform.openai.com/account/api-keys.",
        "invalid_api_key",
      );
    if (status === 503) return reply(503, { ...SERVER_ERROR, message: "The engine is currently overloaded, please try again later." });
    return status >= 500 ? reply(status, SERVER_ERROR) : invalid(status, `Simulated failure with status ${status}.`);
  },
  headers: (requestNumber) => ({
    "openai-organization": "simulated-org",
    "openai-processing-ms": "1",
    "openai-version": "2020-10-01",
    "x-request-id": `req_${idText(requestNumber, 32)}`,
    "x-ratelimit-limit-requests": "10000",
    "x-ratelimit-remaining-requests": "9999",
  }),
};
