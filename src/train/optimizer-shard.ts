/** @file An optimizer over parts of a replica's parameters, with state for those parts alone (ZeRO stage 1, Rajbhandari et al. 2020). */
import type { Arena } from "../kernels/arena.ts";
import type { Bucket, Layout } from "./layout.ts";
import { type Optimizer, makeOptimizer } from "./optimizer.ts";
import type { OptimizerSettings } from "./optimizer-options.ts";
import type { Replica } from "./replica.ts";
import type { StateKind } from "./training-state.ts";

/** Neighbouring parameters with the same weight decay. */
interface Run extends Bucket {
  decay: boolean;
}

export interface OptimizerShardOptions {
  replica: Replica;
  settings: OptimizerSettings;
  /** Parts of the parameters. */
  ranges: readonly Bucket[];
  /** `shared`: the ranks' shards together are the optimizer; `local`: each rank has an optimizer of its own. */
  kind: StateKind;
  arena?: Arena | undefined;
}

export class OptimizerShard {
  readonly ranges: readonly Bucket[];
  readonly #optimizer: Optimizer;
  readonly #weightDecay: number;
  readonly #mask: Uint8Array | undefined;
  readonly #runs: Run[][];
  /** By slot, then by range. */
  readonly #state: Float32Array[][];

  constructor({ replica, settings, ranges, kind, arena }: OptimizerShardOptions) {
    this.ranges = ranges;
    this.#optimizer = makeOptimizer(settings, arena);
    this.#weightDecay = settings.weightDecay;
    this.#mask = replica.mask;
    this.#runs = ranges.map((range) => runs(replica.layout, range));
    this.#state = this.#optimizer.slots.map((slot) => replica.declare(slot, kind, ranges));
  }

  /** Zeroes the gradients of masked parameters. @param gradients of the parameters [start, end) */
  mask({ start, end }: Bucket, gradients: Float32Array): void {
    if (!this.#mask) return;
    for (let i = start; i < end; i++) if (this.#mask[i] === 0) gradients[i - start] = 0;
  }

  /**
   * Updates the parameters [start, end), which lie in one of the ranges.
   * @param parameters those
   * @param gradients of those, masked
   * @param step from 0
   */
  update(
    { start, end }: Bucket,
    parameters: Float32Array,
    gradients: Float32Array,
    { learningRate, step }: { learningRate: number; step: number },
  ): void {
    if (end <= start) return;
    const k = this.ranges.findIndex((range) => range.start <= start && end <= range.end);
    const range = this.ranges[k];
    if (!range) throw new RangeError(`train: parameters [${start}, ${end}) are not in this shard`);
    for (const run of this.#runs[k] ?? []) {
      const from = Math.max(start, run.start);
      const to = Math.min(end, run.end);
      if (to <= from) continue;
      this.#optimizer.apply(
        parameters.subarray(from - start, to - start),
        gradients.subarray(from - start, to - start),
        this.#state.map((slot) =>
          (slot[k] ?? gradients).subarray(from - range.start, to - range.start),
        ),
        { learningRate, step, weightDecay: run.decay ? this.#weightDecay : 0 },
      );
    }
  }
}

/** Cuts a range where weight decay begins or ends. */
function runs(layout: Layout, { start, end }: Bucket): Run[] {
  const found: Run[] = [];
  for (const { kind, offset, length, decay } of layout.entries) {
    const from = Math.max(start, offset);
    const to = Math.min(end, offset + length);
    if (kind !== "parameter" || to <= from) continue;
    const last = found.at(-1);
    if (last && last.decay === decay && last.end === from) last.end = to;
    else found.push({ start: from, end: to, decay });
  }
  return found;
}
