import type { Arrival } from "./surface.ts";
import { textOf, type Values } from "./values.ts";

/** The model of a request: its body's, or, as on Azure, the deployment in its path. A dated Azure path needs its `api-version`. */
export function modelOf(body: Values, arrival: Arrival): string | undefined {
  const deployment = /\/deployments\/([^/]+)\//.exec(arrival.path)?.[1];
  if (deployment !== undefined && !arrival.query.has("api-version")) return undefined;
  const model = deployment === undefined ? textOf(body["model"]) : decodeURIComponent(deployment);
  return model === "" ? undefined : model;
}

/** Fields of a multipart form: texts by name, and the bytes of all files together. */
export interface Form {
  readonly fields: Readonly<Record<string, string>>;
  readonly fileBytes: number;
}

/** `undefined` where the body is no form. Lenient, as providers' own parsers are. */
export function readForm(body: Buffer, arrival: Arrival): Form | undefined {
  const boundary = /boundary="?([^";]+)"?/.exec(arrival.headers["content-type"] ?? "")?.[1];
  if (boundary === undefined) return undefined;
  const fields: Record<string, string> = {};
  let fileBytes = 0;
  for (const part of body.toString("latin1").split(`--${boundary}`).slice(1, -1)) {
    const blank = part.indexOf("\r\n\r\n");
    const head = part.slice(0, blank);
    const content = part.slice(blank + 4, -2);
    const name = /name="?([^";\r]+)"?/i.exec(head)?.[1];
    if (name === undefined) continue;
    if (/filename/i.test(head)) fileBytes += content.length;
    else fields[name] = Buffer.from(content, "latin1").toString("utf8");
  }
  return { fields, fileBytes };
}
