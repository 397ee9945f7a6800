/** Time, injected so that tests can step it. */
export interface Clock {
  /** Wall clock, milliseconds since 1970. */
  wallMs(): number;
  /** Monotonic, milliseconds with a fraction; only differences mean anything. */
  monotonicMs(): number;
}
export const systemClock: Clock = { wallMs: () => Date.now(), monotonicMs: () => performance.now() };
