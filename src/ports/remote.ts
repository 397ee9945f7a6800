/** A service beside Sluice that texts are sent to, as a policy names it: what every kind of it has. */
export interface RemoteSettings {
  /** For the log: `analyser presidio`. */
  readonly name: string;
  /** The whole URL that is called with POST. */
  readonly url: string;
  /** From the first packet to the last byte of all calls for one request, waits for a free place included; milliseconds. */
  readonly deadlineMs: number;
  /** Calls at once; more wait. */
  readonly concurrent: number;
  /** PEM file with the authorities to trust; undefined: Node's. */
  readonly caFile: string | undefined;
  /** A header with a secret: where the secret is, and what stands before it. */
  readonly header:
    | { readonly name: string; readonly prefix: string; readonly env?: string | undefined; readonly file?: string | undefined }
    | undefined;
}
