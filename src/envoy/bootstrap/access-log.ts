import type { EnvoyPlan } from "../../core/upstream.ts";
import { EDGE_NAMESPACE, EXT_PROC_FILTER, REQUEST_ID_HEADER, SLUICE_NAMESPACE } from "./names.ts";
import { extension, type JsonRecord, literal } from "./typed.ts";

const ACCESS_LOGGERS = "envoy.extensions.access_loggers";

/**
 * One JSON line a request. Paths without their query, because Gemini's keys stand there. `sidecar` has Sluice's share by phase:
 * `rh:20111:0` is microseconds and gRPC status of the request headers' answer.
 */
export function accessLog(plan: EnvoyPlan): JsonRecord {
  const json_format: JsonRecord = {
    time: "%START_TIME(%Y-%m-%dT%H:%M:%S.%3fZ)%",
    gateway: literal(plan.nodeId),
    request_id: `%DYNAMIC_METADATA(${EDGE_NAMESPACE}:request_id)%`,
    ai_request_id: `%RESP(${REQUEST_ID_HEADER.toUpperCase()})%`,
    method: "%REQ(:METHOD)%",
    path: `%DYNAMIC_METADATA(${EDGE_NAMESPACE}:path)%`,
    upstream_path: "%PATH(NQ)%",
    protocol: "%PROTOCOL%",
    status: "%RESPONSE_CODE%",
    details: "%RESPONSE_CODE_DETAILS%",
    flags: "%RESPONSE_FLAGS%",
    duration_ms: "%DURATION%",
    request_ms: "%REQUEST_DURATION%",
    response_ms: "%RESPONSE_DURATION%",
    request_bytes: "%BYTES_RECEIVED%",
    response_bytes: "%BYTES_SENT%",
    upstream_request_bytes: "%UPSTREAM_WIRE_BYTES_SENT%",
    upstream_response_bytes: "%UPSTREAM_WIRE_BYTES_RECEIVED%",
    cluster: "%UPSTREAM_CLUSTER%",
    upstream: "%UPSTREAM_HOST%",
    attempts: "%UPSTREAM_REQUEST_ATTEMPT_COUNT%",
    upstream_failure: "%UPSTREAM_TRANSPORT_FAILURE_REASON%",
    client: "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
    sidecar: `%FILTER_STATE(${EXT_PROC_FILTER}:PLAIN)%`,
    sluice: `%DYNAMIC_METADATA(${SLUICE_NAMESPACE})%`,
  };
  const log_format = { json_format };
  // By path, `/dev/stdout` cannot be opened where it is a socket, as under a Node parent.
  if (plan.accessLog === "/dev/stdout")
    return extension("envoy.access_loggers.stdout", `${ACCESS_LOGGERS}.stream.v3.StdoutAccessLog`, { log_format });
  return extension("envoy.access_loggers.file", `${ACCESS_LOGGERS}.file.v3.FileAccessLog`, { path: plan.accessLog, log_format });
}
