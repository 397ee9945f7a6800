import type { Result } from "../core/result.ts";
import type { PortError } from "../core/stage.ts";

/**
 * Keys of this gateway for what it keeps: one secret of the installation, from which a key is made for each purpose and tenant
 * (HKDF, RFC 5869), so that nothing sealed or digested for one tenant or purpose says anything of another's.
 */
export interface Keyring {
  /** 32 bytes for HMAC or a cipher; the same for ever for the same words. */
  keyOf(purpose: string, tenant: string): Uint8Array;
  /** HMAC-SHA256 of the text, lower-case hex: equal texts of one tenant can be told to be equal, and nothing else. */
  digest(purpose: string, tenant: string, text: string): string;
  /** AES-256-GCM with a nonce of its own; `open` with other words, or changed bytes, gives `corrupt`. */
  seal(purpose: string, tenant: string, plain: Uint8Array): Uint8Array;
  open(purpose: string, tenant: string, sealed: Uint8Array): Result<Uint8Array, PortError>;
}

declare module "../core/stage.ts" {
  interface StageStores {
    readonly keyring?: Keyring;
  }
}
