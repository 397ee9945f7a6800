import { createHash, createHmac } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";

/** A signed request as it arrived. `path` with its query, exactly as on the wire. */
export interface SignedRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** What the signature says it is for; or why it does not hold. */
export type Verdict =
  | { readonly keyId: string; readonly scope: string; readonly signedHeaders: readonly string[] }
  | { readonly why: string };

const sha256 = (data: Buffer | string): string => createHash("sha256").update(data).digest("hex");
const hmac = (key: Buffer | string, data: string): Buffer => createHmac("sha256", key).update(data).digest();
/** RFC 3986 unreserved characters stay. */
const encode = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);

/**
 * Checks an AWS signature of version 4 with the secret key, as a service other than S3 does it: the path as it came is encoded once more.
 * Source: "Create a signed AWS API request", AWS Identity and Access Management user guide, read 2026-11.
 */
export function verifySigV4(request: SignedRequest, secretKey: string): Verdict {
  const found = /^AWS4-HMAC-SHA256 Credential=([^/]+)\/([^,]+), ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/.exec(
    request.headers.authorization ?? "",
  );
  const [, keyId, scope, names, signature] = found ?? [];
  if (keyId === undefined || scope === undefined || names === undefined) return { why: "no signature" };
  const [path = "", query = ""] = request.path.split("?");
  const time = String(request.headers["x-amz-date"]);
  const signedHeaders = names.split(";");
  const canonical = [
    request.method,
    path.split("/").map(encode).join("/"),
    query.split("&").sort().join("&"),
    ...signedHeaders.map(
      (name) =>
        `${name}:${String(request.headers[name] ?? "")
          .trim()
          .replaceAll(/ +/g, " ")}`,
    ),
    "",
    names,
    sha256(request.body),
  ].join("\n");
  const [date = "", region = "", service = "", end = ""] = scope.split("/");
  const key = [region, service, end].reduce<Buffer>((before, part) => hmac(before, part), hmac(`AWS4${secretKey}`, date));
  const expected = hmac(key, ["AWS4-HMAC-SHA256", time, scope, sha256(canonical)].join("\n")).toString("hex");
  return expected === signature ? { keyId, scope, signedHeaders } : { why: `signature differs over\n${canonical}` };
}
