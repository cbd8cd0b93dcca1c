/** @file The collective of one rank, from a transport and an algorithm. */
import { barrier } from "./barrier.ts";
import { broadcast } from "./broadcast.ts";
import type { Collective, CollectiveOptions, EncodingOptions } from "./collective.ts";
import * as direct from "./direct.ts";
import { Group } from "./group.ts";
import * as ring from "./ring.ts";
import { defaultChunkBytes } from "./segments.ts";
import { systemClock } from "./transport.ts";

const DEADLINE_MS = 30_000;
/** Beyond, `direct` sends more and smaller messages than the ring. */
const DIRECT_RANKS = 16;

/**
 * The collective operations of `transport.rank`.
 * @throws RangeError when chunkBytes holds no float32 or deadlineMs is not positive
 */
export function createCollective({
  transport,
  arena,
  algorithm = transport.worldSize > DIRECT_RANKS ? "ring" : "direct",
  chunkBytes = defaultChunkBytes(algorithm, transport.worldSize),
  deadlineMs = DEADLINE_MS,
  clock = systemClock,
}: CollectiveOptions): Collective {
  const chunkLength = Math.floor(chunkBytes / 4);
  if (!(chunkLength >= 1)) {
    throw new RangeError(`collectives: chunks of ${chunkBytes} bytes hold no float32`);
  }
  if (!(deadlineMs > 0)) throw new RangeError(`collectives: a deadline of ${deadlineMs} ms`);
  const group = new Group({ transport, arena, chunkLength, deadlineMs, clock });
  const { reduceScatter, allgather, allreduce } = algorithm === "ring" ? ring : direct;
  const alone = group.worldSize === 1;
  return {
    rank: group.rank,
    worldSize: group.worldSize,
    counts: group.counts,
    segment: (length, rank) => group.segment(length, rank),
    async reduceScatter(vector, options) {
      checkResidual(vector, options);
      if (!alone) await group.perform("reduceScatter", (s) => reduceScatter(s, vector, options));
      return group.segment(vector.length);
    },
    async allgather(vector, options = {}) {
      checkResidual(vector, options);
      if (!alone) await group.perform("allgather", (s) => allgather(s, vector, options));
    },
    async allreduce(vector, options) {
      checkResidual(vector, options);
      if (!alone) await group.perform("allreduce", (s) => allreduce(s, vector, options));
    },
    async broadcast(vector, root) {
      if (!(Number.isInteger(root) && root >= 0 && root < group.worldSize)) {
        throw new RangeError(`collectives: root ${root} of ${group.worldSize} ranks`);
      }
      if (!alone) await group.perform("broadcast", (s) => broadcast(s, vector, root));
    },
    async barrier() {
      if (!alone) await group.perform("barrier", barrier);
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
