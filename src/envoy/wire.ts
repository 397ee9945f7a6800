/**
 * The shapes that @grpc/proto-loader makes of proto/ext_proc.proto (keepCase, oneofs, no defaults): what is on the wire, named.
 * On the wire header values are bytes in `raw_value`; `google.protobuf.Struct` stays camelCase whatever the options say.
 */
export interface WireHeader {
  readonly key?: string;
  /** wire-codec.ts puts `raw_value` here, as latin1. */
  readonly value?: string;
  readonly raw_value?: Buffer;
}
export interface WireHeaders {
  readonly headers?: { readonly headers?: readonly WireHeader[] };
  readonly end_of_stream?: boolean;
}
export interface WireBody {
  readonly body?: Buffer;
  readonly end_of_stream?: boolean;
}
export interface WireValue {
  readonly stringValue?: string;
  readonly numberValue?: number;
  readonly boolValue?: boolean;
}
export interface WireStruct {
  readonly fields?: Readonly<Record<string, WireValue>>;
}
export interface WireRequest {
  readonly request?: "request_headers" | "response_headers" | "request_body" | "response_body" | "request_trailers" | "response_trailers";
  readonly request_headers?: WireHeaders;
  readonly response_headers?: WireHeaders;
  readonly request_body?: WireBody;
  readonly response_body?: WireBody;
  readonly attributes?: Readonly<Record<string, WireStruct>>;
  readonly observability_mode?: boolean;
  readonly protocol_config?: { readonly request_body_mode?: number; readonly response_body_mode?: number };
}

export interface WireHeaderOption {
  /** A string is latin1. */
  readonly header: { readonly key: string; readonly raw_value: Buffer | string };
  readonly append_action: number;
}
export interface WireHeaderMutation {
  readonly set_headers?: readonly WireHeaderOption[];
  readonly remove_headers?: readonly string[];
}
export interface WireCommon {
  readonly header_mutation?: WireHeaderMutation;
  readonly body_mutation?:
    | { readonly body: Uint8Array }
    | { readonly streamed_response: { readonly body: Uint8Array; readonly end_of_stream: boolean } };
  readonly clear_route_cache?: boolean;
}
export interface WireResponse {
  readonly request_headers?: { readonly response?: WireCommon };
  readonly response_headers?: { readonly response?: WireCommon };
  readonly request_body?: { readonly response?: WireCommon };
  readonly response_body?: { readonly response?: WireCommon };
  readonly request_trailers?: Record<string, never>;
  readonly response_trailers?: Record<string, never>;
  readonly immediate_response?: {
    readonly status: { readonly code: number };
    readonly headers: WireHeaderMutation;
    readonly body: Uint8Array;
    readonly details: string;
  };
  readonly typed_dynamic_metadata?: Readonly<Record<string, { readonly type_url: string; readonly value: Uint8Array }>>;
  readonly dynamic_metadata?: WireStructOut;
}

/** A Struct that Sluice writes. */
export interface WireStructOut {
  readonly fields: Readonly<Record<string, { readonly stringValue: string } | { readonly structValue: WireStructOut }>>;
}
