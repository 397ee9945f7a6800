/** What the data plane must be told; rendered to Envoy's bootstrap, CDS and SDS by `envoy/bootstrap`. */
export interface EnvoyPlan {
  /** Envoy's node id and the name of the access log's `gateway` field. */
  readonly nodeId: string;
  /** Hash of the policy: becomes the CDS version, so that `cds.version_text` tells when Envoy has it. */
  readonly policyHash: string;
  readonly listen: {
    readonly address: string;
    readonly port: number;
    readonly tls?: ListenTls;
    /** Sluice is told of callers' certificates. */
    readonly peerCertificates?: boolean;
  };
  /** Envoy's own admin interface; loopback only. */
  readonly admin: { readonly address: string; readonly port: number };
  /** Sluice's unix sockets, one a process. */
  readonly sockets: readonly string[];
  /** Folder for CDS and SDS files, which Envoy watches. */
  readonly dynamicDir: string;
  /** Access log file; `/dev/stdout` is fine. */
  readonly accessLog: string;
  readonly bodyBytesMax: number;
  /** Longest request of any policy, milliseconds; Envoy's own timeouts stand a little above it. */
  readonly requestMsMax: number;
  readonly clusters: readonly UpstreamCluster[];
  /** A second listener that only observes: callers keep their own provider keys, nothing is decided or changed. */
  readonly observe?: ObservePlan;
  /** Where Google's metadata server is; undefined: where Google Cloud has it. */
  readonly googleMetadata?: { readonly host: string; readonly port: number };
  /** Worker threads of Envoy; undefined: one a core. */
  readonly concurrency: number | undefined;
  /** PEM bundle with the system's certificate authorities; undefined: Debian's place. */
  readonly systemCaFile?: string;
}

/** TLS towards callers: PEM files, absolute. */
export interface ListenTls {
  readonly certFile: string;
  readonly keyFile: string;
  /** Authorities of callers' certificates; absent: none are asked for. */
  readonly clientCaFile?: string;
  readonly clientCrlFile?: string;
  readonly requireClientCertificate: boolean;
}

/** One provider account (of one tenant, where it brings its own credential) as Envoy dials it. */
export interface UpstreamCluster {
  readonly name: string;
  /** Name of its statistics in Envoy, the same for all versions of an account. Absent: `name`. */
  readonly label?: string;
  readonly provider: string;
  readonly scheme: "http" | "https";
  readonly host: string;
  readonly port: number;
  /** Header that carries the credential, and the prefix before the secret (`Bearer `, or ""). Absent: the provider needs none. */
  readonly credential?: { readonly header: string; readonly prefix: string; readonly secret: SecretSource };
  /**
   * What Envoy itself makes the credential from, where there is no secret to inject. aws: a signature (SigV4, service `bedrock`) with
   * credentials of AWS's default chain. google: an access token of the machine's service account, from its metadata server.
   */
  readonly signing?: { readonly kind: "aws"; readonly region: string } | { readonly kind: "google" };
  /** PEM file with the authorities to trust; undefined: the system's. */
  readonly caFile?: string;
  /** Requests go out as they came in, the caller's own credential included: the observing listener's clusters. */
  readonly asIs?: boolean;
  readonly connectTimeoutMs: number;
  readonly maxRequests: number;
  readonly maxConnections: number;
}
/** Where Envoy reads a secret. Sluice itself never does. */
export type SecretSource = { readonly kind: "env"; readonly name: string } | { readonly kind: "file"; readonly path: string };

/** The observing listener: each API goes to the account it would go to without a gateway, with the caller's own key. */
export interface ObservePlan {
  readonly listen: { readonly address: string; readonly port: number };
  readonly upstreams: readonly { readonly dialect: string; readonly cluster: UpstreamCluster }[];
}

/** Set to `1` by Sluice on a request whose chain has an account that needs Google's access token, for Envoy to fetch it. */
export const GOOGLE_TOKEN_HEADER = "x-sluice-google";
