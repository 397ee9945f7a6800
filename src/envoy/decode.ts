import type { HeaderView } from "../core/codec.ts";
import type { PeerCertificate } from "../core/credentials.ts";
import type { Phase } from "../exchange/exchange.ts";
import { PEER_UNTIL_HEADER } from "./bootstrap/names.ts";
import type { WireHeaders, WireRequest, WireStruct } from "./wire.ts";

/** Headers of one direction: lower-case names, the first value of a repeated one; pseudo headers included. */
export class Head implements HeaderView {
  readonly #values: ReadonlyMap<string, string>;
  constructor(values: ReadonlyMap<string, string>) {
    this.#values = values;
  }
  get(name: string): string | undefined {
    return this.#values.get(name);
  }
  names(): IterableIterator<string> {
    return this.#values.keys();
  }
}

/** Who answered, as Envoy's attributes say. */
export interface ServedBy {
  readonly cluster: string | undefined;
  readonly address: string | undefined;
  readonly attempts: number | undefined;
  /** `via_upstream` for a provider's own answer, else why Envoy answered itself. */
  readonly details: string | undefined;
}

export type EnvoyMessage =
  | { readonly phase: "request_headers"; readonly head: Head; readonly end: boolean; readonly peer: PeerCertificate | undefined }
  | { readonly phase: "response_headers"; readonly head: Head; readonly end: boolean; readonly servedBy: ServedBy | undefined }
  | { readonly phase: "request_body" | "response_body"; readonly bytes: Buffer; readonly end: boolean }
  | { readonly phase: Extract<Phase, "request_trailers" | "response_trailers"> };

const NO_BYTES = Buffer.alloc(0);

/** One message of Envoy's, or why it is none that this filter configuration can send. */
export function decode(wire: WireRequest): EnvoyMessage | { readonly phase: "invalid"; readonly why: string } {
  switch (wire.request) {
    case "request_headers": {
      const { request_headers: headers } = wire;
      const head = readHead(headers);
      return { phase: wire.request, head, end: headers?.end_of_stream === true, peer: readPeer(wire.attributes, head) };
    }
    case "response_headers": {
      const { response_headers: headers } = wire;
      return {
        phase: wire.request,
        head: readHead(headers),
        end: headers?.end_of_stream === true,
        servedBy: readServedBy(wire.attributes),
      };
    }
    case "request_body":
    case "response_body": {
      const body = wire.request === "request_body" ? wire.request_body : wire.response_body;
      return { phase: wire.request, bytes: body?.body ?? NO_BYTES, end: body?.end_of_stream === true };
    }
    case "request_trailers":
    case "response_trailers":
      return { phase: wire.request };
    default:
      return { phase: "invalid", why: "a message without a phase" };
  }
}

function readHead(headers: WireHeaders | undefined): Head {
  const values = new Map<string, string>();
  for (const header of headers?.headers?.headers ?? []) {
    const key = header.key ?? "";
    // Bytes of a header are kept one to one: latin1 goes back as it came.
    if (!values.has(key)) values.set(key, header.raw_value?.toString("latin1") ?? header.value ?? "");
  }
  return new Head(values);
}

/** Attributes come under the filter's name, once a direction; asked for by `response_attributes` of the filter. */
function readServedBy(attributes: Readonly<Record<string, WireStruct>> | undefined): ServedBy | undefined {
  const fields = attributes?.["envoy.filters.http.ext_proc"]?.fields;
  if (fields === undefined) return undefined;
  return {
    cluster: fields["xds.cluster_name"]?.stringValue,
    address: fields["upstream.address"]?.stringValue,
    attempts: fields["upstream.request_attempt_count"]?.numberValue,
    details: fields["response.code_details"]?.stringValue,
  };
}

/**
 * The client's certificate, asked for by `request_attributes` of the filter where the policy has use for it. Attributes come
 * from the connection: no header of a caller's can make one. Only the end of its validity is told by a header, which
 * the filter before this one sets and which takes a certificate's power away, never gives any.
 */
function readPeer(attributes: Readonly<Record<string, WireStruct>> | undefined, head: Head): PeerCertificate | undefined {
  const fields = attributes?.["envoy.filters.http.ext_proc"]?.fields;
  if (fields?.["connection.mtls"]?.boolValue !== true) return undefined;
  const until = head.get(PEER_UNTIL_HEADER);
  return {
    uri: textOf(fields["connection.uri_san_peer_certificate"]?.stringValue),
    subject: textOf(fields["connection.subject_peer_certificate"]?.stringValue),
    expiresMs: until !== undefined && /^\d{1,12}$/.test(until) ? Number(until) * 1000 : undefined,
  };
}
const textOf = (value: string | undefined): string | undefined => (value === "" ? undefined : value);

/**
 * The modes that Envoy announces in a stream's first message must be the ones this server is written for: request BUFFERED (2),
 * response FULL_DUPLEX_STREAMED (4). Another mode would pass bodies by uninspected. undefined: fine, or not announced.
 */
export function modeProblem(wire: WireRequest): string | undefined {
  const config = wire.protocol_config;
  if (config === undefined) return undefined;
  if (config.request_body_mode !== 2 || config.response_body_mode !== 4)
    return `ext_proc modes are request ${config.request_body_mode ?? 0}, response ${config.response_body_mode ?? 0}; need BUFFERED (2) and FULL_DUPLEX_STREAMED (4)`;
  return undefined;
}
