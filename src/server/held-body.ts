import { hash } from "node:crypto";
import { BodyDigest } from "./body-digest.ts";

/** Up to so many bytes are hashed in one go at the end, some 0.2 ms; more as they come, so that no turn of the event loop is long. */
const HASH_AT_ONCE_BYTES = 65_536;

/** A body that is kept in the pieces in which it comes, until all of it is there. */
export class HeldBody {
  #pieces: Buffer[] = [];
  #length = 0;
  #digest: BodyDigest | undefined;

  add(bytes: Buffer): void {
    this.#pieces.push(bytes);
    this.#length += bytes.length;
    if (this.#digest !== undefined) this.#digest.add(bytes);
    else if (this.#length > HASH_AT_ONCE_BYTES) {
      this.#digest = new BodyDigest();
      for (const piece of this.#pieces) this.#digest.add(piece);
    }
  }

  /** What came, and its SHA-256 in lower-case hex (undefined when nothing came). Once: it is kept no longer. */
  take(): { readonly body: Buffer; readonly digest: string | undefined } {
    const [only] = this.#pieces;
    const body = only !== undefined && this.#pieces.length === 1 ? only : Buffer.concat(this.#pieces, this.#length);
    this.#pieces = [];
    return { body, digest: this.#digest === undefined ? digestOf(body) : this.#digest.hex() };
  }
}

const digestOf = (body: Buffer): string | undefined => (body.length === 0 ? undefined : hash("sha256", body, "hex"));
