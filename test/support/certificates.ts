import { generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";

/**
 * X.509 certificates for tests, written byte by byte (RFC 5280, X.690), so that no test needs a command that a machine may not
 * have. P-256 keys; version 3; only the fields that TLS and Sluice look at.
 */
export interface Issued {
  readonly cert: string;
  readonly key: string;
}
export interface Authority {
  readonly cert: string;
  issue(options: CertificateOptions): Issued;
}
export interface CertificateOptions {
  /** Attribute types CN and O, outermost first: `[["O", "Acme"], ["CN", "bot"]]` reads `CN=bot,O=Acme`. */
  readonly subject: readonly (readonly ["CN" | "O", string])[];
  readonly uris?: readonly string[];
  readonly dns?: readonly string[];
  readonly addresses?: readonly string[];
  /** Wall milliseconds; an hour before and after now where absent. */
  readonly notBeforeMs?: number;
  readonly notAfterMs?: number;
}

export function makeAuthority(name: string): Authority {
  const keys = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const subject = [["CN", name]] as const;
  const cert = certificate({ subject }, keys.publicKey, { subject, key: keys.privateKey }, true);
  return {
    cert,
    issue: (options) => {
      const own = generateKeyPairSync("ec", { namedCurve: "P-256" });
      return {
        cert: certificate(options, own.publicKey, { subject, key: keys.privateKey }, false),
        key: own.privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
      };
    },
  };
}

const HOUR_MS = 3_600_000;
const OIDS = {
  CN: "2.5.4.3",
  O: "2.5.4.10",
  ecdsaWithSha256: "1.2.840.10045.4.3.2",
  subjectAltName: "2.5.29.17",
  basicConstraints: "2.5.29.19",
} as const;

function certificate(
  options: CertificateOptions,
  publicKey: KeyObject,
  issuer: { readonly subject: CertificateOptions["subject"]; readonly key: KeyObject },
  isAuthority: boolean,
): string {
  const { notBeforeMs = Date.now() - HOUR_MS, notAfterMs = Date.now() + HOUR_MS } = options;
  const algorithm = sequence(oid(OIDS.ecdsaWithSha256));
  const body = sequence(
    tlv(0xa0, integer(Buffer.from([2]))),
    integer(Buffer.concat([Buffer.from([0x01]), randomBytes(15)])),
    algorithm,
    nameOf(issuer.subject),
    sequence(time(notBeforeMs), time(notAfterMs)),
    nameOf(options.subject),
    publicKey.export({ type: "spki", format: "der" }),
    tlv(0xa3, sequence(...extensions(options, isAuthority))),
  );
  const signature = tlv(0x03, Buffer.from([0]), sign("sha256", body, issuer.key));
  const der = sequence(body, algorithm, signature).toString("base64");
  return `-----BEGIN CERTIFICATE-----\n${der.replaceAll(/.{64}/g, "$&\n").trimEnd()}\n-----END CERTIFICATE-----\n`;
}

function extensions({ uris = [], dns = [], addresses = [] }: CertificateOptions, isAuthority: boolean): Buffer[] {
  const constraints = isAuthority ? sequence(tlv(0x01, Buffer.from([0xff]))) : sequence();
  const list = [sequence(oid(OIDS.basicConstraints), tlv(0x01, Buffer.from([0xff])), tlv(0x04, constraints))];
  const names = [
    ...uris.map((uri) => tlv(0x86, Buffer.from(uri, "ascii"))),
    ...dns.map((name) => tlv(0x82, Buffer.from(name, "ascii"))),
    ...addresses.map((address) => tlv(0x87, Buffer.from(address.split(".").map(Number)))),
  ];
  if (names.length > 0) list.push(sequence(oid(OIDS.subjectAltName), tlv(0x04, sequence(...names))));
  return list;
}

const nameOf = (subject: CertificateOptions["subject"]): Buffer =>
  sequence(...subject.map(([type, value]) => tlv(0x31, sequence(oid(OIDS[type]), tlv(0x0c, Buffer.from(value))))));

/** UTCTime, good to 2049. */
const time = (ms: number): Buffer =>
  tlv(
    0x17,
    Buffer.from(
      `${new Date(ms)
        .toISOString()
        .replaceAll(/[-:T]|\.\d+/g, "")
        .slice(2)}`,
    ),
  );

const sequence = (...parts: readonly Buffer[]): Buffer => tlv(0x30, ...parts);
const integer = (bytes: Buffer): Buffer => tlv(0x02, bytes);

function oid(text: string): Buffer {
  const [first = 0, second = 0, ...rest] = text.split(".").map(Number);
  const bytes = [first * 40 + second];
  for (const arc of rest) {
    const digits = [arc & 0x7f];
    for (let left = arc >> 7; left > 0; left >>= 7) digits.unshift((left & 0x7f) | 0x80);
    bytes.push(...digits);
  }
  return tlv(0x06, Buffer.from(bytes));
}

function tlv(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  if (length < 0x80) return Buffer.concat([Buffer.from([tag, length]), content]);
  const bytes = length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...bytes]), content]);
}
