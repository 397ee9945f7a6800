import { createHash, type Hash } from "node:crypto";

/** Bytes gathered before they are hashed: a call into the crypto library costs about as much as hashing this much. */
const GATHER_BYTES = 4096;

/** SHA-256 of a body that comes in small pieces. */
export class BodyDigest {
  #hash: Hash | undefined;
  #gathered: Buffer | undefined;
  #used = 0;

  add(bytes: Uint8Array): void {
    if (this.#used + bytes.length > GATHER_BYTES) this.#flush();
    if (bytes.length >= GATHER_BYTES) this.#into().update(bytes);
    else {
      this.#gathered ??= Buffer.allocUnsafeSlow(GATHER_BYTES);
      this.#gathered.set(bytes, this.#used);
      this.#used += bytes.length;
    }
  }

  /** Lower-case hex, once, at the end; undefined when nothing came. */
  hex(): string | undefined {
    this.#flush();
    return this.#hash?.digest("hex");
  }

  #flush(): void {
    if (this.#gathered === undefined || this.#used === 0) return;
    this.#into().update(this.#gathered.subarray(0, this.#used));
    this.#used = 0;
  }

  #into(): Hash {
    this.#hash ??= createHash("sha256");
    return this.#hash;
  }
}
