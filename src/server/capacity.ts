import { EXCHANGES_MAX } from "../core/limits.ts";
import type { PolicySnapshot } from "../core/snapshot.ts";

/** What one process carries at this moment, against its caps. */
export class Capacity {
  exchanges = 0;
  /** Bytes of bodies held, requests and answers together. */
  bytes = 0;
  /** Set at shutdown. What Envoy still sends until it has heard is served: refusing it would fail what need not fail. */
  draining = false;

  full(snapshot: PolicySnapshot): boolean {
    return this.exchanges > EXCHANGES_MAX || this.bytes >= snapshot.limits.inFlightBytesMax;
  }
}
