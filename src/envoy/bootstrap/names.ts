/**
 * Names that the rendered configuration and Sluice agree on. Each stands once here: the exchange writes to these
 * namespaces, metrics and access log carry these names.
 */

/** Cluster of Sluice's own unix sockets. */
export const SLUICE_CLUSTER = "sluice";
/** Static cluster without endpoints: where a request goes that no plan was made for, so that it goes nowhere. */
export const NONE_CLUSTER = "sluice-none";
/** Google's metadata server, where access tokens come from; only there where a provider needs one. */
export const GOOGLE_METADATA_CLUSTER = "google-metadata";
/** Filter that fetches tokens, which is also where it leaves one in the dynamic metadata; and the key there. */
export const GOOGLE_TOKEN_FILTER = "envoy.filters.http.gcp_authn";
export const GOOGLE_TOKEN_KEY = "token";
/** Name of the ext_proc filter: key of its filter state (`%FILTER_STATE(sluice:PLAIN)%`). */
export const EXT_PROC_FILTER = "sluice";
/** Typed dynamic metadata: the chain of clusters (`PriorityGroupsOverride`) that Sluice chose. */
export const CHAIN_NAMESPACE = "pg";
/** Untyped dynamic metadata that Sluice writes for the access log. */
export const SLUICE_NAMESPACE = "sluice";
/**
 * Untyped dynamic metadata written by Envoy before Sluice sees the request: `request_id`, and `path` without its query.
 * Local replies and the access log read them from here, because Sluice rewrites `:path` and takes `x-request-id` out.
 */
export const EDGE_NAMESPACE = "sluice.edge";
/** Set by Sluice on every answer that it makes or passes; a local reply without it is Envoy's own. */
export const REQUEST_ID_HEADER = "x-ai-request-id";

/** Set before Sluice sees a request: end of the client certificate's validity, seconds since 1970. */
export const PEER_UNTIL_HEADER = "x-sluice-peer-until";

/** Files below the dynamic folder. */
export const CDS_FILE = "cds.json";
export const sdsFile = (cluster: string): string => `sds-${cluster}.json`;
export const LISTENER_CERTIFICATE = "listener-certificate";
export const CLIENT_AUTHORITIES = "client-authorities";
export const secretName = (cluster: string): string => `credential-${cluster}`;
