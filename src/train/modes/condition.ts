/** @file Waiting for what other ranks' messages bring about: one signal, one failure, and a deadline against silence. */
import type { Clock } from "../../collectives/transport.ts";

export interface ConditionOptions {
  clock: Clock;
  /** A watched wait fails when nothing was heard for so long. */
  deadlineMs: number;
  /** The error of that. */
  silence: () => Error;
}

export class Condition {
  readonly #options: ConditionOptions;
  #changed = Promise.withResolvers<void>();
  readonly #failed = Promise.withResolvers<never>();
  #failure: Error | undefined;
  #heardAt: number;

  constructor(options: ConditionOptions) {
    this.#options = options;
    this.#heardAt = options.clock.now();
    this.#failed.promise.catch(() => {});
  }

  /** A peer was heard of. */
  heard(): void {
    this.#heardAt = this.#options.clock.now();
  }

  /** Something that is waited for may have come about. */
  signal(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers<void>();
  }

  /** Ends all waits, now and later; the first failure stays. */
  fail(error: Error): void {
    if (this.#failure) return;
    this.#failure = error;
    this.#failed.reject(error);
    this.signal();
  }

  /** Resolves at the next signal. @throws the failure */
  async change(): Promise<void> {
    if (this.#failure) throw this.#failure;
    await this.#changed.promise;
    if (this.#failure) throw this.#failure;
  }

  /** Resolves when `holds` does. @throws the failure */
  async until(holds: () => boolean): Promise<void> {
    if (this.#failure) throw this.#failure;
    while (!holds()) await this.change();
  }

  /** What `promise` ends with, unless there is a failure, or silence, before. */
  async watched<T>(promise: Promise<T>): Promise<T> {
    const { clock, deadlineMs, silence } = this.#options;
    this.heard();
    let cancel = (): void => {};
    const watch = (): void => {
      const left = this.#heardAt + deadlineMs - clock.now();
      if (left <= 0) this.fail(silence());
      else cancel = clock.after(left, watch);
    };
    watch();
    try {
      return await Promise.race([promise, this.#failed.promise]);
    } finally {
      cancel();
    }
  }
}
