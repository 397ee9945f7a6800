/** A base URL taken apart; `problem` says what is wrong with it, and what to write. */
export type BaseUrl =
  | { readonly ok: true; readonly scheme: "http" | "https"; readonly host: string; readonly port: number; readonly basePath: string }
  | { readonly ok: false; readonly message: string; readonly remedy: string };

/** Takes a provider's base URL apart. Messages never repeat it: it may hold a password. */
export function parseBaseUrl(text: string): BaseUrl {
  const bad = (message: string, remedy: string): BaseUrl => ({ ok: false, message, remedy });
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || url.hostname === "")
    return bad("this is not a URL", "write scheme, host and version path: https://api.openai.com/v1");
  if (url.protocol !== "http:" && url.protocol !== "https:") return bad("only http and https are possible", "begin it with https://");
  if (url.username !== "" || url.password !== "")
    return bad("a URL here must not hold a user or password", "move the secret to credential: { env: NAME }");
  if (url.search !== "" || url.hash !== "") return bad("a base URL has no ? or # part", "cut it off after the path");
  const scheme = url.protocol === "http:" ? "http" : "https";
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
  const port = url.port === "" ? (scheme === "http" ? 80 : 443) : Number(url.port);
  return { ok: true, scheme, host, port, basePath: url.pathname.replace(/\/+$/, "") };
}

/** The AWS region that a host of Amazon Bedrock's is in; undefined for other hosts. */
export function awsRegionOf(host: string): string | undefined {
  return /^bedrock-(?:runtime|mantle)(?:-fips)?\.([a-z]{2}(?:-[a-z]+)+-\d{1,2})\.(?:amazonaws\.com(?:\.cn)?|api\.aws)$/.exec(
    host.toLowerCase(),
  )?.[1];
}
