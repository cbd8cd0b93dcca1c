/** @file The answer to a run while it comes in: it counts once all of it is there, in order, and finite. */
import type { BatchLoss } from "../train/executor.ts";
import { NonFiniteAnswer } from "../train/remote-executor.ts";
import type { Frame, ToRank } from "./gradient-link.ts";

export class PendingAnswer {
  readonly run: number;
  /** Elements of the vector. */
  readonly #length: number;
  readonly #into: Float32Array | undefined;
  readonly #answer = Promise.withResolvers<BatchLoss>();
  /** Elements. */
  #received = 0;

  /** @param into where the gradients go; absent in an evaluation */
  constructor(run: number, length: number, into: Float32Array | undefined) {
    this.run = run;
    this.#length = length;
    this.#into = into;
    this.#answer.promise.catch(() => undefined);
  }

  /** Resolves once the answer is whole. */
  get loss(): Promise<BatchLoss> {
    return this.#answer.promise;
  }

  get hasGradients(): boolean {
    return this.#into !== undefined;
  }

  /** @throws RangeError for what is not next, NonFiniteAnswer */
  take({ offset, bytes }: Frame): void {
    const received = this.#received;
    if (offset !== 4 * received || bytes.length % 4 !== 0) {
      throw new RangeError(
        `link: ${bytes.length} bytes at ${offset} of the gradients, ${4 * received} is next`,
      );
    }
    const count = bytes.length / 4;
    if (received + count > this.#length) {
      throw new RangeError(
        `link: ${received + count} elements of gradients, there are ${this.#length}`,
      );
    }
    const values = new Float32Array(bytes.buffer, bytes.byteOffset, count);
    if (!isFinite32(values)) {
      throw new NonFiniteAnswer(`a gradient of run ${this.run} is NaN or infinite`);
    }
    this.#into?.set(values, received);
    this.#received = received + count;
  }

  /** @throws RangeError for half an answer, or one that cannot be; NonFiniteAnswer */
  done({ run, loss, correct, count }: Extract<ToRank, { type: "done" }>): void {
    if (this.#into && this.#received !== this.#length) {
      throw new RangeError(
        `link: run ${run} is done with ${this.#received} of ${this.#length} elements`,
      );
    }
    if (loss === null) throw new NonFiniteAnswer(`the loss of run ${run} is NaN or infinite`);
    if (correct !== null && !(correct >= 0 && correct <= count)) {
      throw new RangeError(`link: ${correct} of ${count} are said to be right`);
    }
    this.#answer.resolve({ loss, correct: correct ?? undefined, count });
  }

  fail(error: Error): void {
    this.#answer.reject(error);
  }
}

/** Differences are 0, or NaN for good: faster than a look at each, and faster still in four sums. */
function isFinite32(values: Float32Array): boolean {
  let [a, b, c, d] = [0, 0, 0, 0];
  for (let i = 0; i < values.length; i += 4) {
    const v = values[i] ?? 0;
    const w = values[i + 1] ?? 0;
    const x = values[i + 2] ?? 0;
    const y = values[i + 3] ?? 0;
    a += v - v;
    b += w - w;
    c += x - x;
    d += y - y;
  }
  return a + b + c + d === 0;
}
