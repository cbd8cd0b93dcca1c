/** @file How long gradients take. */
import type { Executor } from "../../train/executor.ts";

/** An executor that adds up its time. */
export class TimedExecutor implements Executor {
  readonly #executor: Executor;
  milliseconds = 0;

  constructor(executor: Executor) {
    this.#executor = executor;
  }

  async gradients(...call: Parameters<Executor["gradients"]>) {
    const start = performance.now();
    try {
      return await this.#executor.gradients(...call);
    } finally {
      this.milliseconds += performance.now() - start;
    }
  }

  async evaluate(...call: Parameters<Executor["evaluate"]>) {
    return await this.#executor.evaluate(...call);
  }
}
