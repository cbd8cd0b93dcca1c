/** @file The collective of one rank, from a transport and an algorithm. */
import { none } from "./codecs/none.ts";
import { barrier } from "./barrier.ts";
import { broadcast } from "./broadcast.ts";
import type { Collective, CollectiveOptions, EncodingOptions } from "./collective.ts";
import { type Algorithm, chooseAlgorithm } from "./choose.ts";
import * as direct from "./direct.ts";
import { Group } from "./group.ts";
import type { Step } from "./step.ts";
import * as ring from "./ring.ts";
import { defaultChunkBytes, LENT_CHUNK_BYTES } from "./segments.ts";
import { systemClock } from "./transport.ts";

const DEADLINE_MS = 30_000;

/**
 * The collective operations of `transport.rank`.
 * @throws RangeError when chunkBytes holds no float32 or deadlineMs is not positive
 */
export function createCollective({
  transport,
  arena,
  algorithm,
  chunkBytes,
  deadlineMs = DEADLINE_MS,
  clock = systemClock,
}: CollectiveOptions): Collective {
  if (chunkBytes !== undefined && !(chunkBytes >= 4)) {
    throw new RangeError(`collectives: chunks of ${chunkBytes} bytes hold no float32`);
  }
  if (!(deadlineMs > 0)) throw new RangeError(`collectives: a deadline of ${deadlineMs} ms`);
  const group = new Group({ transport, arena, deadlineMs, clock });
  const alone = group.worldSize === 1;
  /** Alike on all ranks: each reads all others' memory, or none does. */
  const chunkLength = (chosen: Algorithm, { codec = none }: EncodingOptions) => {
    const lent = codec.lossless && group.peers.every((peer) => transport.lends(peer));
    const least = lent ? LENT_CHUNK_BYTES : defaultChunkBytes(chosen, group.worldSize);
    return Math.floor((chunkBytes ?? least) / 4);
  };
  /** Performs an operation by the algorithm for a vector of that length, unless this rank is alone. */
  const perform = async (
    name: string,
    { byteLength }: Float32Array,
    options: EncodingOptions,
    work: (step: Step, algorithms: typeof direct | typeof ring) => Promise<void>,
  ) => {
    if (alone) return;
    const chosen = algorithm ?? chooseAlgorithm(group.worldSize, byteLength);
    const algorithms = chosen === "ring" ? ring : direct;
    await group.perform(name, chunkLength(chosen, options), (step) => work(step, algorithms));
  };
  return {
    rank: group.rank,
    worldSize: group.worldSize,
    counts: group.counts,
    segment: (length, rank) => group.segment(length, rank),
    async reduceScatter(vector, options) {
      checkResidual(vector, options);
      await perform("reduceScatter", vector, options, (step, by) =>
        by.reduceScatter(step, vector, options),
      );
      return group.segment(vector.length);
    },
    async allgather(vector, options = {}) {
      checkResidual(vector, options);
      await perform("allgather", vector, options, (step, by) =>
        by.allgather(step, vector, options),
      );
    },
    async allreduce(vector, options) {
      checkResidual(vector, options);
      await perform("allreduce", vector, options, (step, by) =>
        by.allreduce(step, vector, options),
      );
    },
    async broadcast(vector, root) {
      if (!(Number.isInteger(root) && root >= 0 && root < group.worldSize)) {
        throw new RangeError(`collectives: root ${root} of ${group.worldSize} ranks`);
      }
      await perform("broadcast", vector, {}, (step) => broadcast(step, vector, root));
    },
    async barrier() {
      if (!alone) await group.perform("barrier", 1, barrier);
    },
    close: (reason = "closed") => group.close(reason),
  };
}

function checkResidual(vector: Float32Array, { residual }: EncodingOptions): void {
  if (residual && residual.length !== vector.length) {
    throw new RangeError(
      `collectives: a residual of ${residual.length} elements for a vector of ${vector.length}`,
    );
  }
}
