/**
 * Where people decide on tool calls: list, look at one with its arguments, approve, reject. Every request proves its person anew, by a
 * bearer token or a client certificate; a browser that was lured here has neither a token to send nor leave to send this content type.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { TLSSocket } from "node:tls";
import type { PeerCertificate } from "../core/credentials.ts";
import { MIB } from "../core/limits.ts";
import { err, ok, type Result } from "../core/result.ts";
import type { Approval, ApprovalStatus, ApprovalsPort, VoteProblem } from "../ports/approvals.ts";

/** A person, and for whose calls they decide; "*": all. */
interface Person {
  readonly name: string;
  readonly tenants: readonly string[];
}
export interface ApprovalsApi {
  readonly approvals: ApprovalsPort;
  identify(token: string | undefined, peer: PeerCertificate | undefined): Promise<Result<Person, string>>;
}

const LISTED_MAX = 200;
const BODY_BYTES_MAX = MIB / 64;
const BODY_WAIT_MS = 5_000;
const STATUSES: readonly ApprovalStatus[] = ["pending", "approved", "rejected", "used", "expired"];

/** False: the path is none of these. */
export async function answerApprovals(request: IncomingMessage, response: ServerResponse, api: ApprovalsApi): Promise<boolean> {
  const url = new URL(request.url ?? "/", "http://admin");
  const [, head, id, verb, ...more] = url.pathname.split("/");
  if (head !== "approvals" || more.length > 0) return false;
  const send = (status: number, body: object): true => {
    response
      .writeHead(status, { "content-type": "application/json", "cache-control": "no-store" })
      .end(`${JSON.stringify(body, null, 2)}\n`);
    return true;
  };
  const person = await api.identify(bearerOf(request), peerOf(request));
  if (!person.ok) return send(401, { error: person.error });
  if (id === undefined || id === "")
    return request.method === "GET" ? list(url, person.value, api, send) : send(405, { error: "only GET" });
  const shown = api.approvals.show(id);
  if (!shown.ok) return send(503, { error: "the store of approvals cannot be read now" });
  const approval = shown.value;
  // The same words for another tenant's and for none: ids are not for probing.
  if (approval === undefined || !decidesFor(person.value, approval.tenant)) return send(404, { error: "no such approval" });
  if (verb === undefined)
    return request.method === "GET" ? send(200, { ...outer(approval), arguments: approval.arguments }) : send(405, { error: "only GET" });
  if (verb !== "approve" && verb !== "reject") return send(404, { error: "there is approve and reject" });
  if (request.method !== "POST") return send(405, { error: "only POST" });
  if (!/^application\/json\b/.test(request.headers["content-type"] ?? "")) return send(415, { error: "send application/json" });
  const body = await readReason(request);
  if (!body.ok) return send(400, { error: body.error });
  const voted = api.approvals.vote(id, { by: person.value.name, vote: verb, reason: body.value });
  if (voted.ok) return send(200, outer(voted.value));
  const problem = PROBLEMS.get(voted.error.code);
  return problem === undefined
    ? send(503, { error: "the store of approvals cannot be written now" })
    : send(problem[0], { error: problem[1] });
}

function list(url: URL, person: Person, { approvals }: ApprovalsApi, send: (status: number, body: object) => true): true {
  const wanted = url.searchParams.get("status");
  const status = STATUSES.find((known) => known === wanted);
  if (wanted !== null && wanted !== "" && status === undefined) return send(400, { error: `status is one of ${STATUSES.join(", ")}` });
  const tenants = person.tenants.includes("*") ? undefined : person.tenants;
  const found = approvals.list({ tenants, status }, LISTED_MAX);
  return found.ok ? send(200, { approvals: found.value.map(outer) }) : send(503, { error: "the store of approvals cannot be read now" });
}

const PROBLEMS: ReadonlyMap<string, readonly [status: number, text: string]> = new Map<VoteProblem, readonly [number, string]>([
  ["unknown", [404, "no such approval"]],
  ["not_pending", [409, "it does not wait any more"]],
  ["requester", [403, "the call is made for you: another person must decide"]],
  ["voted_before", [409, "you have voted already: another person must decide"]],
]);

const decidesFor = ({ tenants }: Person, tenant: string): boolean => tenants.includes("*") || tenants.includes(tenant);

/** Times as people and machines read them. */
function outer({ createdMs, expiresMs, votes, ...rest }: Approval): object {
  return {
    ...rest,
    arguments: undefined,
    createdAt: new Date(createdMs).toISOString(),
    expiresAt: new Date(expiresMs).toISOString(),
    votes: votes.map(({ by, vote, atMs }) => ({ by, vote, at: new Date(atMs).toISOString() })),
  };
}

const bearerOf = (request: IncomingMessage): string | undefined => /^bearer +(\S+)$/i.exec(request.headers.authorization ?? "")?.[1];

/** Only where this very connection was verified (`requestCert` with an authority). */
function peerOf({ socket }: IncomingMessage): PeerCertificate | undefined {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return undefined;
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) return undefined;
  const uri = /(?:^|, )URI:([^,"]+)(?:,|$)/.exec(certificate.subjectAltName ?? "")?.[1];
  // RFC 2253: the most specific part first, as Envoy writes it.
  const subject = certificate.subject?.split("\n").reverse().join(",");
  return { uri, subject, expiresMs: Date.parse(certificate.validTo) };
}

/** `{"reason": "..."}`, or nothing. */
async function readReason(request: IncomingMessage): Promise<Result<string | undefined, string>> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  const late = setTimeout(() => request.destroy(), BODY_WAIT_MS);
  try {
    for await (const chunk of request) {
      if (!Buffer.isBuffer(chunk)) return err("not bytes");
      bytes += chunk.length;
      if (bytes > BODY_BYTES_MAX) return err(`the body is larger than ${BODY_BYTES_MAX} bytes`);
      chunks.push(chunk);
    }
  } catch {
    return err("the body did not come");
  } finally {
    clearTimeout(late);
  }
  if (bytes === 0) return ok(undefined);
  try {
    const value: unknown = JSON.parse(Buffer.concat(chunks).toString("utf8"));
    if (typeof value !== "object" || value === null) return err("the body is no JSON object");
    const reason = "reason" in value ? value.reason : undefined;
    return reason === undefined || typeof reason === "string" ? ok(reason) : err("reason is a text");
  } catch {
    return err("the body is no JSON");
  }
}
