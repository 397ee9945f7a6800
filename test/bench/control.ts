/**
 * The do-nothing control: an ext_proc server that sends Envoy the same messages as Sluice, and decides nothing. What it costs is
 * the price of the mechanism; what Sluice costs above it is the price of governance.
 * Usage: node test/bench/control.ts SOCKET CLUSTER
 */
import { fileURLToPath } from "node:url";
import { Server, ServerCredentials, type ServerDuplexStream } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { HealthImplementation } from "grpc-health-check";
import { encodeChain } from "../../src/envoy/encode.ts";
import type { WireRequest, WireResponse } from "../../src/envoy/wire.ts";

const SERVICE = "envoy.service.ext_proc.v3.ExternalProcessor";
const [, , socket = "", cluster = ""] = process.argv;
const service = loadSync(fileURLToPath(new URL("../../proto/ext_proc.proto", import.meta.url)), {
  keepCase: true,
  longs: Number,
  oneofs: true,
})[SERVICE];
if (service === undefined || "format" in service) throw new Error(`no ${SERVICE}`);

const set = (pairs: Readonly<Record<string, string>>, remove_headers: readonly string[]) => ({
  set_headers: Object.entries(pairs).map(([key, value]) => ({ header: { key, raw_value: Buffer.from(value) }, append_action: 2 })),
  remove_headers,
});
const FORWARD: WireResponse = {
  request_body: {
    response: {
      header_mutation: set(
        {
          ":path": "/v1/chat/completions",
          "x-envoy-upstream-rq-timeout-ms": "60000",
          "x-envoy-upstream-rq-per-try-timeout-ms": "60000",
          "x-envoy-max-retries": "1",
          "x-envoy-retry-on": "connect-failure,refused-stream,reset-before-request",
        },
        ["authorization", "x-ai-user"],
      ),
      clear_route_cache: true,
    },
  },
  typed_dynamic_metadata: { pg: encodeChain([cluster]) },
  dynamic_metadata: {
    fields: {
      sluice: {
        structValue: {
          fields: {
            exchange: { stringValue: "00000000-0000-4000-8000-000000000000" },
            policy: { stringValue: "acme/bot/chat" },
            model: { stringValue: "gpt-4o-mini" },
          },
        },
      },
    },
  },
};
const HEADERS: WireResponse = {
  response_headers: {
    response: {
      header_mutation: set(
        {
          "x-ai-request-id": "00000000-0000-4000-8000-000000000000",
          "x-ai-decision": "allowed",
          "x-ai-policy": "acme/bot/chat@bench.1",
          "x-ai-model": "gpt-4o-mini",
          "x-ai-provider": "openai",
          "x-ai-attempts": "1",
          "x-ai-usage": "input=500, output=20",
          "x-ai-cost-usd": "0.0001",
        },
        ["set-cookie", "openai-organization", "openai-project", "anthropic-organization-id"],
      ),
    },
  },
};

const server = new Server({
  "grpc.max_receive_message_length": 33 * 1024 * 1024,
  "grpc.max_concurrent_streams": 4096,
  "grpc.enable_channelz": 0,
});
server.addService(service, {
  Process: (call: ServerDuplexStream<WireRequest, WireResponse>) => {
    let held: Buffer[] | undefined;
    call.on("data", (message: WireRequest) => {
      switch (message.request) {
        case "request_headers":
          call.write({ request_headers: {} });
          break;
        case "request_body":
          call.write(FORWARD);
          break;
        case "response_headers": {
          const type =
            message.response_headers?.headers?.headers?.find((header) => header.key === "content-type")?.raw_value?.toString() ?? "";
          if (type.startsWith("text/event-stream")) call.write(HEADERS);
          else held = [];
          break;
        }
        case "response_body": {
          const { body = Buffer.alloc(0), end_of_stream: end = false } = message.response_body ?? {};
          if (held === undefined) {
            if (body.length > 0 || end)
              call.write({ response_body: { response: { body_mutation: { streamed_response: { body, end_of_stream: end } } } } });
            break;
          }
          held.push(body);
          if (!end) break;
          call.write(HEADERS);
          call.write({
            response_body: { response: { body_mutation: { streamed_response: { body: Buffer.concat(held), end_of_stream: true } } } },
          });
          break;
        }
        default:
          break;
      }
    });
    call.on("end", () => call.end());
    call.on("cancelled", () => {});
    call.on("error", () => {});
  },
});
new HealthImplementation({ "": "SERVING", [SERVICE]: "SERVING" }).addToServer(server);
server.bindAsync(`unix:${socket}`, ServerCredentials.createInsecure(), (error) => {
  if (error !== null) throw error;
  process.stdout.write("ready\n");
});
process.on("SIGTERM", () => process.exit(0));
