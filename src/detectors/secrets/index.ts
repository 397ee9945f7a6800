import type { Detector } from "../../core/detector.ts";
import { BLOCK_CHARS_MAX } from "./blocks.ts";
import { SECRET_ENTITIES } from "./entities.ts";
import { findSecrets } from "./scan.ts";

/**
 * Keys, tokens and passwords: by published shapes (a table of rows), by form (PEM, JSON Web Tokens, addresses with a password,
 * Authorization headers), and by the name they are given in programs, settings and sentences, where a value looks drawn at random or
 * like a password. Digests, UUIDs, hashes of commits and other high-entropy text without such a name stay.
 *
 * A known miss: a secret that is longer than the cap of its rule, and one whose name stands more than a line away.
 */
export const secrets: Detector = {
  entities: SECRET_ENTITIES,
  class: "secret",
  profile: "standard",
  lookBehind: 360,
  lengthMax: BLOCK_CHARS_MAX,
  find: findSecrets,
};
