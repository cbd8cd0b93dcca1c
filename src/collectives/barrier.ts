/** @file All have come: ⌈log2 N⌉ rounds of empty messages to ranks at distance 1, 2, 4, … (Hensgen et al. 1988). */
import type { Step } from "./step.ts";

export async function barrier(step: Step): Promise<void> {
  const { rank, worldSize } = step.group;
  for (let distance = 1; distance < worldSize; distance *= 2) {
    const round = { start: distance, end: distance };
    const lane = step.lane((rank + distance) % worldSize);
    step.signal(lane, "come", distance);
    const from = (rank - distance + worldSize) % worldSize;
    const received = await step.take("come", from, round, distance === 1);
    received.release();
  }
}
