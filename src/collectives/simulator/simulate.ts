/** @file The time of an allreduce among simulated ranks: the collectives' own code over a link model. */
import type { Arena } from "../../kernels/arena.ts";
import type { Collective } from "../collective.ts";
import { createCollective } from "../create.ts";
import { defaultChunkBytes } from "../segments.ts";
import type { Link } from "../link.ts";
import { SimulatedNetwork, type SimulatedNetworkOptions } from "./network.ts";
import { VirtualTime } from "./virtual-time.ts";

export interface Simulation extends Pick<SimulatedNetworkOptions, "loss" | "slowdown"> {
  readonly algorithm: "direct" | "ring";
  readonly worldSize: number;
  /** Of the vector, as float32. */
  readonly bytes: number;
  readonly link: Link;
  readonly arena: Arena;
  /** A turn of the event loop. */
  readonly idle: () => Promise<void>;
}

export interface SimulatedAllreduce {
  /** Until the last rank has the result. */
  readonly ms: number;
  readonly messagesPerRank: number;
  /** In bytes of the real vector. */
  readonly bytesPerRank: number;
}

/** Elements that stand for the vector, so that each rank's segment has some, and is cut into as many chunks as the real one. */
const LEAST_ELEMENTS = 4096;
const ELEMENTS_PER_RANK = 4;
const ELEMENTS_PER_CHUNK = 16;
/** Beyond any simulation. */
const NEVER_MS = 1e15;

export async function simulateAllreduce({
  algorithm,
  worldSize,
  bytes,
  link,
  arena,
  idle,
  ...rest
}: Simulation): Promise<SimulatedAllreduce> {
  const realChunk = defaultChunkBytes(algorithm, worldSize);
  const length = Math.max(
    LEAST_ELEMENTS,
    ELEMENTS_PER_RANK * worldSize,
    ELEMENTS_PER_CHUNK * Math.ceil(bytes / realChunk),
  );
  const bytesPerByte = bytes / (length * 4);
  const time = new VirtualTime(idle);
  const network = new SimulatedNetwork({ worldSize, link, time, bytesPerByte, ...rest });
  // the same cuts as in a vector of full size
  const chunkBytes = Math.max(4, realChunk / bytesPerByte);
  const ranks: Collective[] = network.transports.map((transport) =>
    createCollective({
      transport,
      arena,
      algorithm,
      chunkBytes,
      deadlineMs: NEVER_MS,
      clock: time,
    }),
  );
  const sum = (worldSize * (worldSize + 1)) / 2;
  const work = ranks.map(async (rank, r) => {
    const vector = new Float32Array(length).fill(r + 1);
    await rank.allreduce(vector, { op: "sum" });
    if (vector[0] !== sum || vector[length - 1] !== sum) {
      throw new Error(`simulator: rank ${r} has ${vector[0]}, not ${sum}`);
    }
  });
  const ms = await time.passUntil(Promise.all(work));
  const [first] = ranks;
  return {
    ms,
    messagesPerRank: first?.counts.messagesSent ?? 0,
    bytesPerRank: (first?.counts.bytesSent ?? 0) * bytesPerByte,
  };
}
