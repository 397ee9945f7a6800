import pb from "google-protobuf";
import any from "google-protobuf/google/protobuf/any_pb.js";
import { LRUCache } from "lru-cache";
import type { Phase } from "../exchange/exchange.ts";
import type { WireHeaderMutation, WireHeaderOption, WireResponse } from "./wire.ts";

/** OVERWRITE_IF_EXISTS_OR_ADD of envoy.config.core.v3.HeaderValueOption: never append to what a caller sent. */
const OVERWRITE = 2;

/** What no header value may hold (Envoy answers 500 to CR, LF and NUL), or what is no latin1. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not pass
const UNSENDABLE = /[\r\n\0]|[^\x00-\xff]/;
const EACH_UNSENDABLE = new RegExp(UNSENDABLE, "g");

/** Header edits: pairs to set, names to remove. */
export interface HeaderEdits {
  readonly set: readonly (readonly [string, string])[];
  readonly remove: readonly string[];
}

function mutation(edits: HeaderEdits): WireHeaderMutation {
  const set_headers: WireHeaderOption[] = [];
  // All at once: nearly every header of nearly every answer may be sent as it is.
  let all = "";
  for (const [, value] of edits.set) all += value;
  const clean = !UNSENDABLE.test(all);
  for (const [key, value] of edits.set) {
    const raw_value = clean ? value : value.replace(EACH_UNSENDABLE, " ");
    set_headers.push({ header: { key, raw_value }, append_action: OVERWRITE });
  }
  return { set_headers, remove_headers: edits.remove };
}

const CONTINUE: Readonly<Record<Phase, WireResponse>> = {
  request_headers: { request_headers: {} },
  request_body: { request_body: {} },
  request_trailers: { request_trailers: {} },
  response_headers: { response_headers: {} },
  response_body: { response_body: {} },
  response_trailers: { response_trailers: {} },
};
export const encodeContinue = (phase: Phase): WireResponse => CONTINUE[phase];

/** Namespace that the route's priority_group specifier reads its chain from. */
const CHAIN_NAMESPACE = "pg";
/** Namespace of what the access log shows of a decision. */
const LOG_NAMESPACE = "sluice";
const CHAIN_TYPE = "envoy.extensions.router.cluster_specifiers.priority_group.v3.PriorityGroupsOverride";
const chains = new LRUCache<string, { readonly type_url: string; readonly value: Uint8Array }>({ max: 4096 });

/**
 * The ordered chain of clusters as typed metadata: attempt n uses group n (ENVOY 1.40, priority_group cluster specifier).
 * PriorityGroupsOverride{priority_groups=1{name=1, clusters=2{cluster_name=1, weight=2 UInt32Value{value=1}}}}.
 */
export function encodeChain(clusters: readonly string[]): { readonly type_url: string; readonly value: Uint8Array } {
  const key = clusters.join("\n");
  const known = chains.get(key);
  if (known !== undefined) return known;
  const writer = new pb.BinaryWriter();
  clusters.forEach((cluster, index) => {
    writer.writeMessage(1, cluster, (_value: string, group: pb.BinaryWriter) => {
      group.writeString(1, `g${index}`);
      group.writeMessage(2, cluster, (_name: string, entry: pb.BinaryWriter) => {
        entry.writeString(1, cluster);
        entry.writeMessage(2, 1, (_weight: number, wrapper: pb.BinaryWriter) => wrapper.writeUint32(1, 1));
      });
    });
  });
  const packed = new any.Any();
  packed.pack(writer.getResultBuffer(), CHAIN_TYPE);
  const encoded = { type_url: packed.getTypeUrl(), value: packed.getValue_asU8() };
  chains.set(key, encoded);
  return encoded;
}

/** The forwarded request: header edits, the new body if any rule changed it, the chain, and a fresh look at the route. */
export function encodeForward(
  at: "request_headers" | "request_body",
  forward: {
    readonly headers: HeaderEdits;
    readonly body: Uint8Array | undefined;
    readonly chain: readonly string[];
    readonly log: Readonly<Record<string, string>>;
  },
): WireResponse {
  const response = {
    header_mutation: mutation(forward.headers),
    // Acts only together with a header mutation (seen on Envoy 1.40); there always is one.
    clear_route_cache: true,
    ...(forward.body === undefined ? {} : { body_mutation: { body: forward.body } }),
  };
  return {
    ...(at === "request_headers" ? { request_headers: { response } } : { request_body: { response } }),
    typed_dynamic_metadata: { [CHAIN_NAMESPACE]: encodeChain(forward.chain) },
    dynamic_metadata: encodeLog(forward.log),
  };
}

function encodeLog(log: Readonly<Record<string, string>>): NonNullable<WireResponse["dynamic_metadata"]> {
  const fields: Record<string, { readonly stringValue: string }> = {};
  for (const [key, value] of Object.entries(log)) fields[key] = { stringValue: value };
  return { fields: { [LOG_NAMESPACE]: { structValue: { fields } } } };
}

/** A whole answer of Sluice's own. `details` goes to Envoy's logs: our code, never content. */
export function encodeReply(reply: {
  readonly status: number;
  readonly headers: HeaderEdits;
  readonly body: Uint8Array;
  readonly details: string;
}): WireResponse {
  return {
    immediate_response: { status: { code: reply.status }, headers: mutation(reply.headers), body: reply.body, details: reply.details },
  };
}

export const encodeAnswerHeaders = (headers: HeaderEdits): WireResponse => ({
  response_headers: { response: { header_mutation: mutation(headers) } },
});

export const encodeAnswerBody = (body: Uint8Array, end: boolean): WireResponse => ({
  response_body: { response: { body_mutation: { streamed_response: { body, end_of_stream: end } } } },
});
