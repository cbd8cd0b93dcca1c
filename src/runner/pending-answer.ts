/** @file The answer to a run while it comes in: it counts once all of it is there, in order, and finite. */
import type { BatchLoss } from "../train/executor.ts";
import { NonFiniteAnswer } from "../train/remote-executor.ts";
import type { Frame, ToRank } from "./gradient-link.ts";
import type { VectorEncoding } from "./vector-encoding.ts";

export class PendingAnswer {
  readonly run: number;
  readonly #encoding: VectorEncoding;
  readonly #into: Float32Array | undefined;
  readonly #answer = Promise.withResolvers<BatchLoss>();
  /** Elements. */
  #received = 0;

  /** @param into where the gradients go; absent in an evaluation */
  constructor(run: number, encoding: VectorEncoding, into: Float32Array | undefined) {
    this.run = run;
    this.#encoding = encoding;
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
    const start = this.#received;
    const next = this.#encoding.offsetOf(start);
    if (offset !== next) {
      throw new RangeError(
        `link: ${bytes.length} bytes at ${offset} of the gradients, ${next} is next`,
      );
    }
    const end = this.#encoding.endOf(start, bytes.length);
    const values = this.#into?.subarray(start, end) ?? new Float32Array(end - start);
    this.#encoding.decode(start, bytes, values);
    if (!isFinite32(values)) {
      throw new NonFiniteAnswer(`a gradient of run ${this.run} is NaN or infinite`);
    }
    this.#received = end;
  }

  /** @throws RangeError for half an answer, or one that cannot be; NonFiniteAnswer */
  done({ run, loss, correct, count }: Extract<ToRank, { type: "done" }>): void {
    const { length } = this.#encoding;
    if (this.#into && this.#received !== length) {
      throw new RangeError(`link: run ${run} is done with ${this.#received} of ${length} elements`);
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
