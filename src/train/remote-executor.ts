/**
 * @file Gradients by runners elsewhere. A step that a runner leaves undone is computed anew by the next one, from the same
 * vector and batch; what one sends is added up only when all of it is there and sound, so no part counts twice.
 */
import type { Arena } from "../kernels/arena.ts";
import { addGradient } from "./add-gradient.ts";
import type { Batch, BatchLoss, Executor } from "./executor.ts";
import { entryValues, type Layout } from "./layout.ts";

/** A runner that a rank has a line to. */
export interface RemoteRunner {
  /**
   * @param into filled with gradients and next buffers in the layout's order
   * @param unchanged the vector is that of this runner's run before
   * @throws NonFiniteAnswer, or whatever the line or the runner failed with
   */
  gradients(
    vector: Float32Array,
    batch: Batch,
    into: Float32Array,
    unchanged: boolean,
  ): Promise<BatchLoss>;
  evaluate(vector: Float32Array, batch: Batch, unchanged: boolean): Promise<BatchLoss>;
}

export interface RunnerSource {
  /**
   * A runner that can be asked at once; `undefined` where none is to be had soon and the rank may compute itself.
   * @throws Error where it may not, and waited in vain
   */
  next(): Promise<RemoteRunner | undefined>;
  /** The runner has answered: until the next one is asked for, others may have it. */
  free(): void;
  /** Gives up a runner that failed with `error`. */
  drop(runner: RemoteRunner, error: unknown): Promise<void>;
}

/** A gradient or loss that is NaN or infinite: the runner's fault, or a training that has diverged. */
export class NonFiniteAnswer extends Error {
  override readonly name = "NonFiniteAnswer";
}

/** Runners that may fail in one run before the rank gives up, or computes itself. */
const MAX_TRIES = 3;
/** So many runners that answer with NaN are believed. */
const BELIEVED = 2;

export interface RemoteExecutorOptions {
  layout: Layout;
  source: RunnerSource;
  /** The rank's own, where it may take over. */
  local?: Executor | undefined;
  arena?: Arena | undefined;
}

export function remoteExecutor(options: RemoteExecutorOptions): Executor {
  const { layout, source, local, arena } = options;
  let last: RemoteRunner | undefined;
  let staged: Float32Array | undefined;

  /** @returns `undefined` where the rank is to compute itself */
  async function onRunner(
    unchanged: boolean,
    compute: (runner: RemoteRunner, same: boolean) => Promise<BatchLoss>,
  ): Promise<BatchLoss | undefined> {
    let diverged = 0;
    for (let tries = 1; ; tries++) {
      const runner = await source.next();
      if (!runner) break;
      try {
        const same = unchanged && runner === last;
        last = undefined;
        const answer = await compute(runner, same);
        last = runner;
        source.free();
        return answer;
      } catch (error) {
        await source.drop(runner, error);
        if (error instanceof NonFiniteAnswer && ++diverged === BELIEVED) {
          if (local) break;
          return { loss: NaN, count: 0 };
        }
        if (tries < MAX_TRIES) continue;
        if (local) break;
        throw error;
      }
    }
    last = undefined;
    return undefined;
  }

  return {
    async gradients(vector, batch, sink) {
      const answer = await onRunner(sink.unchanged ?? false, async (runner, same) => {
        const into = (staged ??= new Float32Array(layout.length));
        return await runner.gradients(vector, batch, into, same);
      });
      if (!answer) return await requireLocal(local).gradients(vector, batch, sink);
      if (!staged || Number.isNaN(answer.loss)) return answer;
      for (const entry of layout.entries) {
        addGradient(arena, sink, entry, entryValues(staged, entry));
        sink.ready?.(entry.offset + entry.length);
      }
      return answer;
    },
    async evaluate(vector, batch, unchanged = false) {
      const answer = await onRunner(
        unchanged,
        async (runner, same) => await runner.evaluate(vector, batch, same),
      );
      return answer ?? (await requireLocal(local).evaluate(vector, batch));
    },
  };
}

function requireLocal(local: Executor | undefined): Executor {
  if (local) return local;
  throw new Error("there is no runner, and the rank may not compute itself");
}
