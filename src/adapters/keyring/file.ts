/**
 * The installation's secret in a file: 32 bytes as base64url, made at the first start, readable by this user alone. Processes of
 * several hosts that are to agree on stand-ins and digests get the same file. Whoever loses it can no longer open what was sealed;
 * whoever replaces it gets new stand-ins and digests, and nothing else changes.
 */
import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from "node:crypto";
import { link, mkdir, open, readFile, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { LRUCache } from "lru-cache";
import { err, ok, type Result } from "../../core/result.ts";
import type { PortError } from "../../core/stage.ts";
import type { Keyring } from "../../ports/keyring.ts";

const SECRET_BYTES = 32;
/** Derived keys kept: a purpose for each of the tenants that call. */
const KEYS_KEPT = 10_000;
/** NIST SP 800-38D: 96 bits of nonce, 128 of tag. */
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** Reads the secret of `path`, or makes it. An error says what is wrong with the file, in words that are safe to show. */
export async function openFileKeyring(path: string): Promise<Result<Keyring, string>> {
  try {
    const text = await readOrMake(path);
    const secret = Buffer.from(text.trim(), "base64url");
    if (secret.length < SECRET_BYTES || secret.toString("base64url") !== text.trim().replace(/=+$/, ""))
      return err(
        `${path} is no key: it must hold at least ${SECRET_BYTES} random bytes as base64url; restore it, or remove it to begin anew`,
      );
    return ok(new FileKeyring(secret));
  } catch (cause) {
    return err(`the key file ${path} cannot be used: ${cause instanceof Error && "code" in cause ? String(cause.code) : "unknown error"}`);
  }
}

/** Two processes may start at once: each writes a file of its own, and the first that gives it the name wins. */
async function readOrMake(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    if (!(cause instanceof Error && "code" in cause && cause.code === "ENOENT")) throw cause;
  }
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const own = `${path}.${process.pid}.${randomBytes(4).toString("hex")}`;
  const file = await open(own, "wx", 0o600);
  try {
    await file.writeFile(`${randomBytes(SECRET_BYTES).toString("base64url")}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await link(own, path).catch((cause: unknown) => {
    if (!(cause instanceof Error && "code" in cause && cause.code === "EEXIST")) throw cause;
  });
  await rm(own, { force: true });
  return readFile(path, "utf8");
}

class FileKeyring implements Keyring {
  readonly #secret: Uint8Array;
  readonly #keys = new LRUCache<string, Uint8Array>({ max: KEYS_KEPT });

  constructor(secret: Uint8Array) {
    this.#secret = secret;
  }

  keyOf(purpose: string, tenant: string): Uint8Array {
    const words = JSON.stringify([purpose, tenant]);
    const known = this.#keys.get(words);
    if (known !== undefined) return known;
    const made = new Uint8Array(hkdfSync("sha256", this.#secret, "sluice/v1", words, SECRET_BYTES));
    this.#keys.set(words, made);
    return made;
  }

  digest(purpose: string, tenant: string, text: string): string {
    return createHmac("sha256", this.keyOf(purpose, tenant)).update(text).digest("hex");
  }

  seal(purpose: string, tenant: string, plain: Uint8Array): Uint8Array {
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv("aes-256-gcm", this.keyOf(purpose, tenant), nonce);
    return Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
  }

  open(purpose: string, tenant: string, sealed: Uint8Array): Result<Uint8Array, PortError> {
    if (sealed.length < NONCE_BYTES + TAG_BYTES) return err({ code: "corrupt" });
    try {
      const decipher = createDecipheriv("aes-256-gcm", this.keyOf(purpose, tenant), sealed.subarray(0, NONCE_BYTES));
      decipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES));
      return ok(Buffer.concat([decipher.update(sealed.subarray(NONCE_BYTES, sealed.length - TAG_BYTES)), decipher.final()]));
    } catch {
      return err({ code: "corrupt" });
    }
  }
}
