import { readFile } from "node:fs/promises";
import { request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { parseArgs } from "node:util";
import { err, ok, type Result } from "../core/result.ts";
import { columns, paintFor, shown } from "./audit/words.ts";
import { type Command, type CommandIo, usageProblem } from "./command.ts";

const HELP = `sluice approvals: decide on tool calls that wait for people

  sluice approvals [list] [--status pending]   those of the tenants that you decide for, newest first
  sluice approvals show ID                     one of them, with the call's arguments
  sluice approvals approve ID [--reason TEXT]
  sluice approvals reject ID [--reason TEXT]

  --admin URL        where Sluice answers: HOST:PORT, or https://HOST:PORT  (SLUICE_ADMIN; 127.0.0.1:9901)
  --token-file FILE  your token from the identity provider; - is standard input  (SLUICE_APPROVER_TOKEN holds one)
  --cert FILE --key FILE   your client certificate, for an address with TLS
  --ca FILE          authorities to trust for that address
  --status NAME      pending, approved, rejected, used, expired; all where absent
  --json             JSON for machines

You are known by your token or certificate (\`approvals.approvers\` of the policy); nobody decides on a call that is made for
them, and where two must agree they are two people. Exit code: 0 done; 1 not possible, with why; 2 wrong usage.
`;

export const approvalsCommand: Command = { help: HELP, run };

const OPTIONS = {
  admin: { type: "string" },
  "token-file": { type: "string" },
  cert: { type: "string" },
  key: { type: "string" },
  ca: { type: "string" },
  status: { type: "string" },
  reason: { type: "string" },
  json: { type: "boolean" },
} as const;
const parse = (args: readonly string[]) => parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true });

const WORDS = ["list", "show", "approve", "reject"];
const WAIT_MS = 10_000;
const ANSWER_BYTES_MAX = 8 * 1024 * 1024;

type Loose = Readonly<Record<string, unknown>>;
const isLoose = (value: unknown): value is Loose => typeof value === "object" && value !== null && !Array.isArray(value);

async function run(args: readonly string[], io: CommandIo): Promise<number> {
  const fail = (code: number, problem: string): number => {
    io.stderr.write(`sluice approvals: ${problem}${code === 2 ? "; see sluice approvals --help" : ""}\n`);
    return code;
  };
  let parsed: ReturnType<typeof parse>;
  try {
    parsed = parse(args);
  } catch (cause) {
    return fail(2, usageProblem(cause));
  }
  const { values, positionals } = parsed;
  const [word = "list", id, ...more] = positionals;
  if (!WORDS.includes(word)) return fail(2, `there is list, show, approve and reject, not ${shown(word)}`);
  if (more.length > 0 || (word === "list") !== (id === undefined))
    return fail(2, word === "list" ? "list takes options only" : `${word} wants one id`);
  if (id !== undefined && !/^apr_[0-9a-z]{26}$/.test(id)) return fail(2, `${shown(id)} is no approval's id: it begins with apr_`);
  const door = await openDoor(values, io);
  if (!door.ok) return fail(2, door.error);
  const path =
    word === "list" ? `/approvals${values.status === undefined ? "" : `?status=${encodeURIComponent(values.status)}`}` : `/approvals/${id}`;
  const voting = word === "approve" || word === "reject";
  const answer = await call(door.value, voting ? `${path}/${word}` : path, voting ? { reason: values.reason } : undefined);
  if (!answer.ok) return fail(1, answer.error);
  const { value } = answer;
  if (values.json === true) io.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
  else if (word === "list") io.stdout.write(listPage(value, io));
  else io.stdout.write(word === "show" ? onePage(value) : `${shown(value["id"])} is ${shown(value["status"])}${votesLeft(value)}\n`);
  return 0;
}

/** Where Sluice is, and who asks. */
interface Door {
  readonly url: URL;
  readonly token: string | undefined;
  readonly tls: { readonly cert?: string; readonly key?: string; readonly ca?: string };
}

async function openDoor(values: ReturnType<typeof parse>["values"], io: CommandIo): Promise<Result<Door, string>> {
  const admin = values.admin ?? io.env["SLUICE_ADMIN"] ?? "127.0.0.1:9901";
  const text = /^https?:\/\//.test(admin) ? admin : `http://${admin}`;
  if (!URL.canParse(text)) return err(`--admin ${shown(admin)} is no address`);
  const url = new URL(text);
  const local = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/.test(url.hostname);
  if (url.protocol === "http:" && !local)
    return err("a token must not travel in the clear: name an https:// address, or run this on Sluice's own host");
  if ((values.cert === undefined) !== (values.key === undefined)) return err("--cert and --key go together");
  try {
    const read = async (file: string | undefined): Promise<string | undefined> => (file === undefined ? undefined : readFile(file, "utf8"));
    const [cert, key, ca] = [await read(values.cert), await read(values.key), await read(values.ca)];
    const file = values["token-file"];
    const token = (
      file === undefined ? io.env["SLUICE_APPROVER_TOKEN"] : await readFile(file === "-" ? "/dev/stdin" : file, "utf8")
    )?.trim();
    if (token === undefined && cert === undefined) return err("show who you are: --token-file, SLUICE_APPROVER_TOKEN, or --cert and --key");
    return ok({
      url,
      token,
      tls: { ...(cert === undefined ? {} : { cert }), ...(key === undefined ? {} : { key }), ...(ca === undefined ? {} : { ca }) },
    });
  } catch (cause) {
    return err(`cannot read ${cause instanceof Error && "path" in cause ? shown(cause.path) : "a file"}`);
  }
}

async function call({ url, token, tls }: Door, path: string, body: object | undefined): Promise<Result<Loose, string>> {
  const text = body === undefined ? undefined : JSON.stringify(body);
  const options = {
    method: text === undefined ? "GET" : "POST",
    headers: {
      accept: "application/json",
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(text === undefined ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(text) }),
    },
    signal: AbortSignal.timeout(WAIT_MS),
  };
  const target = new URL(path, url);
  return new Promise((resolve) => {
    const failed = (cause: unknown): void => {
      const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
      const why = code === "ECONNREFUSED" ? "nobody answers there; is `sluice serve` running, with this --admin?" : code || "no answer";
      resolve(err(`${url.host}: ${why}`));
    };
    const request = url.protocol === "https:" ? requestHttps(target, { ...options, ...tls }) : requestHttp(target, options);
    request.on("error", failed);
    request.on("response", (response) => {
      collect(response).then((value) => {
        if (value === undefined) resolve(err(`${url.host} answers, but not as a Sluice of this version (status ${response.statusCode})`));
        else resolve((response.statusCode ?? 500) < 300 ? ok(value) : err(shown(value["error"])));
      }, failed);
    });
    request.end(text);
  });
}

async function collect(response: AsyncIterable<unknown>): Promise<Loose | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response) {
    if (!Buffer.isBuffer(chunk)) return undefined;
    bytes += chunk.length;
    if (bytes > ANSWER_BYTES_MAX) return undefined;
    chunks.push(chunk);
  }
  try {
    const value: unknown = JSON.parse(Buffer.concat(chunks).toString("utf8"));
    return isLoose(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

const timeOf = (value: unknown): string => shown(value).slice(0, 19).replace("T", " ");
const votesOf = (value: Loose): readonly Loose[] => (Array.isArray(value["votes"]) ? value["votes"].filter(isLoose) : []);

function listPage(value: Loose, io: CommandIo): string {
  const rows = (Array.isArray(value["approvals"]) ? value["approvals"].filter(isLoose) : []).map((one) => [
    shown(one["id"]),
    shown(one["status"]),
    shown(one["tool"]),
    [one["tenant"], one["app"], one["useCase"] ?? "-"].map(shown).join("/"),
    shown(one["user"] ?? "-"),
    `${votesOf(one).length} of ${shown(one["approvers"])}`,
    timeOf(one["createdAt"]),
    timeOf(one["expiresAt"]),
  ]);
  if (rows.length === 0) return "no approvals\n";
  const paint = paintFor(io.stdout.isTTY === true && io.env["NO_COLOR"] === undefined);
  const [head = "", ...lines] = columns([["ID", "STATUS", "TOOL", "WHO", "FOR", "VOTES", "ASKED (UTC)", "EXPIRES (UTC)"], ...rows]);
  return `${paint.bold(head)}\n${lines.map((line) => `${line}\n`).join("")}`;
}

function onePage(value: Loose): string {
  const policy = isLoose(value["policy"]) ? value["policy"] : {};
  const lines = [
    ["id", shown(value["id"])],
    ["status", shown(value["status"])],
    ["tool", shown(value["tool"])],
    ["arguments", shown(value["arguments"])],
    ["who", [value["tenant"], value["app"], value["useCase"] ?? "-"].map(shown).join("/")],
    ["for user", shown(value["user"] ?? "-")],
    ["exchange", shown(value["exchange"])],
    ["policy", `${shown(policy["name"])} (${shown(policy["hash"]).slice(0, 8)})`],
    ["asked", `${timeOf(value["createdAt"])} UTC`],
    ["expires", `${timeOf(value["expiresAt"])} UTC`],
    ["approvers", shown(value["approvers"])],
    ...votesOf(value).map((vote) => [shown(vote["vote"]), `${shown(vote["by"])} at ${timeOf(vote["at"])} UTC`]),
  ];
  return columns(lines)
    .map((line) => `${line}\n`)
    .join("");
}

function votesLeft(value: Loose): string {
  const left = Number(value["approvers"]) - votesOf(value).length;
  return value["status"] === "pending" && left > 0 ? `: ${left} more person must approve` : "";
}
