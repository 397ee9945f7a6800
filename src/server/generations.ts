import type { PolicySnapshot } from "../core/snapshot.ts";

/** A policy version in use, and how many exchanges hold it. */
interface Generation {
  readonly snapshot: PolicySnapshot;
  holders: number;
  retired: (() => void) | undefined;
}

/**
 * The policy versions of one process: every exchange takes the one in force and keeps it to its end. A swapped-out version is
 * over when its last exchange is, and only then may the clusters that it alone names go.
 */
export class Generations {
  #current: Generation;
  readonly #old = new Map<PolicySnapshot, Generation>();

  constructor(first: PolicySnapshot) {
    this.#current = { snapshot: first, holders: 0, retired: undefined };
  }

  get current(): PolicySnapshot {
    return this.#current.snapshot;
  }

  take(): PolicySnapshot {
    this.#current.holders += 1;
    return this.#current.snapshot;
  }

  /** The end of an exchange that took this version. */
  release(snapshot: PolicySnapshot): void {
    const generation = snapshot === this.#current.snapshot ? this.#current : this.#old.get(snapshot);
    if (generation === undefined) return;
    generation.holders -= 1;
    if (generation.holders === 0 && generation.retired !== undefined) {
      this.#old.delete(snapshot);
      generation.retired();
    }
  }

  /** Puts another version in force. Resolves when the last exchange of the one before is over. */
  swap(next: PolicySnapshot): Promise<void> {
    const before = this.#current;
    this.#current = { snapshot: next, holders: 0, retired: undefined };
    if (before.holders === 0) return Promise.resolve();
    this.#old.set(before.snapshot, before);
    return new Promise((resolve) => {
      before.retired = resolve;
    });
  }
}
