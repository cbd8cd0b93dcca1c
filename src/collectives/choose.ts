/**
 * @file Which algorithm, and how many local steps, from the link's figures in closed form.
 *
 * The formulas follow the simulator (`simulator/`), which runs the algorithms themselves: a test holds the two
 * together, and docs/collectives.md shows both algorithms over world sizes and links.
 */
import { type Link, LINKS } from "./link.ts";
import { defaultChunkBytes, WINDOW } from "./segments.ts";

export type Algorithm = "direct" | "ring";

/** `direct` adds in the order of the ranks and fails sooner: the ring must be clearly faster. */
const CLEARLY = 0.9;
/** Local steps leave at most this part of the time to the allreduce. */
const SHARE = 0.1;
/** Replicas that were apart for longer drift (DiLoCo's own range). */
const MOST_LOCAL_STEPS = 500;

/** Milliseconds that an allreduce of `bytes` takes, nothing else being done. */
export function allreduceMs(
  algorithm: Algorithm,
  worldSize: number,
  bytes: number,
  link: Link,
): number {
  if (worldSize === 1 || bytes === 0) return 0;
  const segment = bytes / worldSize;
  const chunk = defaultChunkBytes(algorithm, worldSize);
  const chunks = Math.max(1, Math.floor(segment / chunk));
  const regions = Math.min(link.regions, worldSize);
  const far = regions > 1 ? link.regionLatencyMs : link.latencyMs;
  const piece = link.messageMs + segment / chunks / link.bytesPerMs;
  const hops = 2 * (worldSize - 1);
  /** A rank's own port, which all it sends and all it takes goes through. */
  const port = hops * chunks * piece;
  const windows = Math.floor(chunks / WINDOW);
  if (algorithm === "direct") {
    const abroad = ((2 * bytes) / regions) * (worldSize - worldSize / regions);
    const waiting = windows * 2 * far;
    return Math.max(port, abroad / link.regionBytesPerMs, waiting) + 3 * far + 2 * link.messageMs;
  }
  const crossings = regions > 1 ? Math.min(hops, 2 * regions) : 0;
  /** The way of one chunk: from hop to hop it waits for the one before. */
  const way = hops * (piece + link.messageMs + link.latencyMs) + crossings * (far - link.latencyMs);
  const window = Math.max(WINDOW, Math.ceil((WINDOW * chunk * chunks) / segment));
  const waiting = Math.floor((hops * chunks - 1) / window) * 2 * far;
  const abroad = (2 * bytes) / link.regionBytesPerMs;
  return Math.max(port, way, waiting, abroad) + far;
}

/** The faster one. @param bytes of the vector, as float32 */
export function chooseAlgorithm(
  worldSize: number,
  bytes: number,
  link: Link = LINKS.region,
): Algorithm {
  const direct = allreduceMs("direct", worldSize, bytes, link);
  const ring = allreduceMs("ring", worldSize, bytes, link);
  return ring < CLEARLY * direct ? "ring" : "direct";
}

/**
 * H for local SGD: the fewest local steps between two allreduces that leave these a tenth of the time, 1 … 500.
 * Where it is 1, synchronous steps are as fast.
 * @param stepMs what one step of one rank computes
 */
export function chooseLocalSteps(
  stepMs: number,
  worldSize: number,
  bytes: number,
  link: Link = LINKS.region,
): number {
  const algorithm = chooseAlgorithm(worldSize, bytes, link);
  const reduceMs = allreduceMs(algorithm, worldSize, bytes, link);
  const steps = Math.ceil((reduceMs * (1 - SHARE)) / (SHARE * stepMs));
  return Math.min(MOST_LOCAL_STEPS, Math.max(1, steps));
}
