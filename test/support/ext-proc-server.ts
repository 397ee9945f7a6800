import { resolve } from "node:path";
import { Server, ServerCredentials, type ServerDuplexStream } from "@grpc/grpc-js";
import { type AnyDefinition, loadSync, type ServiceDefinition } from "@grpc/proto-loader";
import { HealthImplementation } from "grpc-health-check";
import type { WireCommon, WireHeaderMutation, WireHeaders, WireRequest, WireResponse } from "../../src/envoy/wire.ts";

/**
 * The least ext_proc server that Sluice's Envoy configuration works with: it looks at nothing, sends every request along a
 * given chain of clusters and passes the answer on. For tests of the configuration itself, and as a control for benchmarks.
 */
export interface ExtProcServer {
  /** Requests that reached it, as Envoy showed their headers. */
  readonly requests: readonly ReadonlyMap<string, string>[];
  /** Who served each answer that came by; values are undefined where Envoy answered itself. */
  readonly answers: readonly ServedBy[];
  /** Ends at once, like a crash: streams break. The socket's file stays. */
  kill(): void;
}
export interface ServedBy {
  readonly status: string | undefined;
  readonly cluster: string | undefined;
  readonly address: string | undefined;
  readonly attempts: number | undefined;
}

/** What to do with a request: send it along the chain, or answer it. */
export interface Decision {
  /** Clusters in order of preference, one an attempt. */
  readonly chain?: readonly string[];
  readonly setHeaders?: Readonly<Record<string, string>>;
  readonly removeHeaders?: readonly string[];
  readonly immediate?: { readonly status: number; readonly headers: Readonly<Record<string, string>>; readonly body: string };
}
/** Called once a request, when all of it is there. `silent`: never answer. */
export type Decide = (headers: ReadonlyMap<string, string>, body: Buffer) => Decision | "silent";

type Call = ServerDuplexStream<WireRequest, WireResponse>;

const PROTO = resolve(import.meta.dirname, "../../proto/ext_proc.proto");
const MESSAGE_BYTES_MAX = 64 * 1024 * 1024;

/** Serves on a unix socket, health check included. */
export async function startExtProcServer(socket: string, decide: Decide): Promise<ExtProcServer> {
  const requests: ReadonlyMap<string, string>[] = [];
  const answers: ServedBy[] = [];
  const server = new Server({ "grpc.max_receive_message_length": MESSAGE_BYTES_MAX, "grpc.max_concurrent_streams": 4096 });
  const onCall = (call: Call): void => {
    let headers: ReadonlyMap<string, string> = new Map();
    const answer = (decision: Decision | "silent", phase: "request_headers" | "request_body"): void => {
      if (decision !== "silent") call.write(requestAnswer(decision, phase));
    };
    call.on("data", (message: WireRequest) => {
      if (message.request_headers !== undefined) {
        headers = headerMap(message.request_headers);
        requests.push(headers);
        if (message.request_headers.end_of_stream === true) answer(decide(headers, Buffer.alloc(0)), "request_headers");
        else call.write({ request_headers: {} });
      } else if (message.request_body !== undefined) {
        answer(decide(headers, message.request_body.body ?? Buffer.alloc(0)), "request_body");
      } else if (message.response_headers !== undefined) {
        answers.push(servedBy(message, message.response_headers));
        call.write({ response_headers: {} });
      } else if (message.response_body !== undefined) {
        const { body = Buffer.alloc(0), end_of_stream = false } = message.response_body;
        call.write({ response_body: { response: { body_mutation: { streamed_response: { body, end_of_stream } } } } });
      } else if (message.request === "response_trailers") {
        call.write({ response_trailers: {} });
      }
    });
    // With the graceful close (seen on Envoy 1.40) Envoy ends its side first; only then may we.
    call.on("end", () => call.end());
    call.on("error", () => undefined);
  };
  server.addService(processorService(), { Process: onCall });
  new HealthImplementation({ "": "SERVING" }).addToServer(server);
  await new Promise<void>((done, failed) => {
    server.bindAsync(`unix:${socket}`, ServerCredentials.createInsecure(), (error) => (error === null ? done() : failed(error)));
  });
  return { requests, answers, kill: () => server.forceShutdown() };
}

function processorService(): ServiceDefinition {
  const definition = loadSync(PROTO, { keepCase: true, oneofs: true })["envoy.service.ext_proc.v3.ExternalProcessor"];
  if (definition === undefined || !isService(definition)) throw new Error(`${PROTO} has no ExternalProcessor`);
  return definition;
}
const isService = (definition: AnyDefinition): definition is ServiceDefinition => !("format" in definition);

function headerMap(message: WireHeaders): ReadonlyMap<string, string> {
  return new Map((message.headers?.headers ?? []).map(({ key, raw_value }) => [key ?? "", raw_value?.toString("latin1") ?? ""]));
}

function servedBy(message: WireRequest, headers: WireHeaders): ServedBy {
  const fields = message.attributes?.["envoy.filters.http.ext_proc"]?.fields ?? {};
  return {
    status: headerMap(headers).get(":status"),
    cluster: fields["xds.cluster_name"]?.stringValue,
    address: fields["upstream.address"]?.stringValue,
    attempts: fields["upstream.request_attempt_count"]?.numberValue,
  };
}

function requestAnswer(decision: Decision, phase: "request_headers" | "request_body"): WireResponse {
  const { immediate, chain } = decision;
  if (immediate !== undefined) {
    const headers = mutation(immediate.headers, []);
    return { immediate_response: { status: { code: immediate.status }, headers, body: Buffer.from(immediate.body), details: "sluice" } };
  }
  // Envoy heeds clear_route_cache only beside a header mutation (seen on Envoy 1.40).
  const response: WireCommon = {
    header_mutation: mutation({ "x-plan": "1", ...decision.setHeaders }, decision.removeHeaders ?? []),
    clear_route_cache: true,
  };
  const metadata = chain === undefined ? {} : { typed_dynamic_metadata: { pg: { type_url: OVERRIDE, value: encodeChain(chain) } } };
  return phase === "request_headers" ? { request_headers: { response }, ...metadata } : { request_body: { response }, ...metadata };
}

function mutation(set: Readonly<Record<string, string>>, remove: readonly string[]): WireHeaderMutation {
  const set_headers = Object.entries(set).map(([key, value]) => ({ header: { key, raw_value: Buffer.from(value) }, append_action: 2 }));
  return { set_headers, remove_headers: remove };
}

const OVERRIDE = "type.googleapis.com/envoy.extensions.router.cluster_specifiers.priority_group.v3.PriorityGroupsOverride";

/** PriorityGroupsOverride { priority_groups=1 { name=1, clusters=2 { cluster_name=1, weight=2 UInt32Value { value=1 } } } } */
function encodeChain(chain: readonly string[]): Buffer {
  const text = (field: number, value: string): Buffer => lengthDelimited(field, Buffer.from(value));
  const groups = chain.map((cluster, index) => {
    const weight = lengthDelimited(2, Buffer.from([0x08, 0x01]));
    return lengthDelimited(1, Buffer.concat([text(1, `g${index}`), lengthDelimited(2, Buffer.concat([text(1, cluster), weight]))]));
  });
  return Buffer.concat(groups);
}
function lengthDelimited(field: number, bytes: Buffer): Buffer {
  if (bytes.length > 127) throw new Error("names in tests are short");
  return Buffer.concat([Buffer.from([(field << 3) | 2, bytes.length]), bytes]);
}
