import { dirname } from "node:path";
import type { EnvoyPlan, ListenTls } from "../../core/upstream.ts";
import { watchedFile } from "./clusters.ts";
import { CLIENT_AUTHORITIES, LISTENER_CERTIFICATE, sdsFile } from "./names.ts";
import { extension, type JsonRecord, typed } from "./typed.ts";

/**
 * TLS towards callers. Certificate, key and authorities come through SDS files, because Envoy follows changes of the files that
 * those name, and not of files named in a listener.
 */
export function callersTls(plan: EnvoyPlan, tls: ListenTls): JsonRecord {
  const secret = (name: string): JsonRecord => ({ name, sds_config: watchedFile(plan, sdsFile(name)) });
  const asked = tls.clientCaFile !== undefined;
  return extension("envoy.transport_sockets.tls", "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext", {
    require_client_certificate: tls.requireClientCertificate,
    // A resumed session would carry a certificate past its end, or past its authority's.
    ...(asked ? { disable_stateless_session_resumption: true, disable_stateful_session_resumption: true } : {}),
    common_tls_context: {
      tls_params: { tls_minimum_protocol_version: "TLSv1_2" },
      alpn_protocols: ["h2", "http/1.1"],
      tls_certificate_sds_secret_configs: [secret(LISTENER_CERTIFICATE)],
      ...(asked ? { validation_context_sds_secret_config: secret(CLIENT_AUTHORITIES) } : {}),
    },
  });
}

/** What the listener's SDS files hold: places of files, no key. */
export function listenerSecrets({ listen: { tls } }: EnvoyPlan): readonly (readonly [name: string, secret: JsonRecord])[] {
  if (tls === undefined) return [];
  const { certFile, keyFile, clientCaFile, clientCrlFile } = tls;
  const certificate: JsonRecord = {
    tls_certificate: { certificate_chain: { filename: certFile }, private_key: { filename: keyFile }, ...watched(certFile, keyFile) },
  };
  const secrets: (readonly [string, JsonRecord])[] = [[LISTENER_CERTIFICATE, secretNamed(LISTENER_CERTIFICATE, certificate)]];
  if (clientCaFile !== undefined) {
    const validation: JsonRecord = {
      trusted_ca: { filename: clientCaFile },
      ...(clientCrlFile === undefined ? {} : { crl: { filename: clientCrlFile } }),
      ...watched(clientCaFile, clientCrlFile ?? clientCaFile),
    };
    secrets.push([CLIENT_AUTHORITIES, secretNamed(CLIENT_AUTHORITIES, { validation_context: validation })]);
  }
  return secrets;
}

const secretNamed = (name: string, value: JsonRecord): JsonRecord =>
  typed("envoy.extensions.transport_sockets.tls.v3.Secret", { name, ...value });

/** Mounted secrets of Kubernetes are replaced by a rename within their folder, which a watch of the file itself misses. */
const watched = (file: string, other: string): JsonRecord =>
  dirname(file) === dirname(other) ? { watched_directory: { path: dirname(file) } } : {};
