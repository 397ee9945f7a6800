import { EXCHANGES_MAX, YIELD_CHARS } from "../core/limits.ts";
import type { PolicySnapshot } from "../core/snapshot.ts";

/** What one process carries at this moment, against its caps. */
export class Capacity {
  exchanges = 0;
  /** Bytes of bodies held, requests and answers together; of large requests with what their parsed values take. */
  bytes = 0;
  /** Set at shutdown. What Envoy still sends until it has heard is served: refusing it would fail what need not fail. */
  draining = false;

  full(snapshot: PolicySnapshot): boolean {
    return this.exchanges > EXCHANGES_MAX || this.bytes >= snapshot.limits.inFlightBytesMax;
  }

  /** More is held than may be, and not by this exchange (`own` bytes) alone: one body is within its own cap. */
  overfull(snapshot: PolicySnapshot, own: number): boolean {
    return this.bytes > snapshot.limits.inFlightBytesMax && this.bytes > own;
  }
}

/** Bytes of a parsed value beside its text: a node and its slot in the list (seen in Node 26). */
const VALUE_BYTES = 64;
const SAMPLES = 64;
const SAMPLE_BYTES = 1024;

/**
 * What a request body takes in memory while its exchange lasts. `[0,0,0]` takes thirty times its text, so a large body's values are
 * estimated from samples: places that a caller cannot know, one in each equal stretch. Prose comes to little more than its text.
 */
export function weightOf(body: Uint8Array): number {
  if (body.length <= YIELD_CHARS) return body.length;
  const stretch = Math.floor(body.length / SAMPLES);
  let values = 0;
  for (let sample = 0; sample < SAMPLES; sample++) {
    const from = sample * stretch + Math.floor(Math.random() * Math.max(1, stretch - SAMPLE_BYTES));
    for (let at = from; at < from + SAMPLE_BYTES; at++) {
      const byte = body[at];
      if (byte === 0x2c || byte === 0x7b || byte === 0x5b) values++;
    }
  }
  return body.length + Math.round((values * body.length * VALUE_BYTES) / (SAMPLES * SAMPLE_BYTES));
}
