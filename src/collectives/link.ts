/** @file What a network costs: the figures that the simulator and the choice of an algorithm share. */

/** Between two ranks of one region, and between regions. Times in ms, rates in bytes per ms (1 GB/s is 1e6). */
export interface Link {
  readonly latencyMs: number;
  /** Of one rank, each way. */
  readonly bytesPerMs: number;
  /** What a message costs the one who sends it, and the one who takes it, whatever its size. */
  readonly messageMs: number;
  /** Regions that the ranks are spread over, in blocks of neighbours. */
  readonly regions: number;
  readonly regionLatencyMs: number;
  /** Of a whole region to all others, each way: its ranks share it. */
  readonly regionBytesPerMs: number;
}

export type LinkName = "machine" | "region" | "world";

/**
 * `machine`: one isolate's RPC as measured, one copy a side. `region`: a gigabit a rank and half a millisecond.
 * `world`: the same within each of four regions, 80 ms and five gigabits between them.
 */
export const LINKS: Readonly<Record<LinkName, Link>> = {
  machine: oneRegion(0.02, 6_000_000, 0.03),
  region: oneRegion(0.5, 125_000, 0.05),
  world: {
    ...oneRegion(0.5, 125_000, 0.05),
    regions: 4,
    regionLatencyMs: 80,
    regionBytesPerMs: 625_000,
  },
};

function oneRegion(latencyMs: number, bytesPerMs: number, messageMs: number): Link {
  return {
    latencyMs,
    bytesPerMs,
    messageMs,
    regions: 1,
    regionLatencyMs: latencyMs,
    regionBytesPerMs: Number.POSITIVE_INFINITY,
  };
}

/** The region of a rank: blocks of equal size, so that ring neighbours are mostly at home. */
export function regionOf(rank: number, worldSize: number, { regions }: Link): number {
  return Math.floor((rank * Math.min(regions, worldSize)) / worldSize);
}
