/** @file Groups of ranks in memory, and vectors of theirs. */
import { setImmediate } from "node:timers/promises";
import type { Collective, CollectiveOptions } from "../../../src/collectives/collective.ts";
import { createCollective } from "../../../src/collectives/create.ts";
import { badNetwork } from "../../../src/collectives/bad-network.ts";
import {
  MemoryNetwork,
  type MemoryNetworkOptions,
} from "../../../src/collectives/memory-transport.ts";
import { Arena } from "../../../src/kernels/arena.ts";
import { kernelModule } from "../../../src/kernels/node.ts";

export const arena = await Arena.create(await kernelModule(), 1 << 20);

export const turn = () => setImmediate();

export type Algorithm = "direct" | "ring";
export const ALGORITHMS: readonly Algorithm[] = ["direct", "ring"];

/** A network that reorders, duplicates and loses. */
export function disturbed(seed: number) {
  return badNetwork({ seed, duplicated: 0.3, lost: 0.2, turn });
}

export function collectives(
  network: MemoryNetworkOptions,
  options: Partial<CollectiveOptions> = {},
): Collective[] {
  return new MemoryNetwork(network)
    .form(1)
    .map((transport) => createCollective({ transport, arena, ...options }));
}

/** Every rank's vector: reals in [−1, 1), other ones for each rank. */
export function vectors(worldSize: number, length: number, seed = 1): Float32Array[] {
  return Array.from({ length: worldSize }, (_, rank) => {
    let state = (seed * 2654435761 + rank * 40503 + 1) >>> 0;
    return Float32Array.from({ length }, () => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return state / 2 ** 31 - 1;
    });
  });
}

/** The sum in the order of the ranks, each addition rounded to float32. */
export function rankOrderSum(parts: readonly Float32Array[]): Float32Array {
  const sum = parts[0]?.slice() ?? new Float32Array();
  for (const part of parts.slice(1))
    for (const [i, v] of part.entries()) sum[i] = (sum[i] ?? 0) + v;
  return sum;
}

export function bits(x: Float32Array): Uint32Array {
  return new Uint32Array(x.buffer, x.byteOffset, x.length);
}

/** The errors that all ranks end with. */
export async function failures(running: readonly Promise<unknown>[]): Promise<unknown[]> {
  const results = await Promise.allSettled(running);
  return results.map((result) => (result.status === "rejected" ? result.reason : undefined));
}
