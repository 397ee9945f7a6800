import { existsSync } from "node:fs";

/** Where systems keep their bundle of certificate authorities. Source: Go's crypto/x509 root_linux.go and root_bsd.go. */
const PLACES = [
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
  "/etc/ssl/ca-bundle.pem",
  "/etc/ssl/cert.pem",
  "/usr/local/etc/ssl/cert.pem",
] as const;

/** This system's PEM bundle; `SSL_CERT_FILE` goes before, as in OpenSSL. undefined: none found. */
export function findSystemCa(env: Readonly<Record<string, string | undefined>>): string | undefined {
  return [env["SSL_CERT_FILE"], ...PLACES].find((path) => path !== undefined && path !== "" && existsSync(path));
}
