/** @file One rank's vector to all, down a binary tree, chunk after chunk: twice the vector a rank at most. */
import { decodeChunk } from "./codecs/chunk.ts";
import { none } from "./codecs/none.ts";
import type { Step } from "./step.ts";

/** The root's rank is turned to 0; rank v's children are 2v+1 and 2v+2. */
export async function broadcast(step: Step, vector: Float32Array, root: number): Promise<void> {
  const { group } = step;
  const { worldSize } = group;
  const v = (group.rank - root + worldSize) % worldSize;
  const real = (turned: number) => (turned + root) % worldSize;
  const lanes = [2 * v + 1, 2 * v + 2]
    .filter((child) => child < worldSize)
    .map((child) => step.lane(real(child)));
  for (const chunk of step.chunks({ start: 0, end: vector.length })) {
    if (v > 0) {
      const parent = (v - 1) >> 1;
      const received = await step.take("down", real(parent), chunk, parent === 0);
      decodeChunk(group.arena, none, received.payload, vector.subarray(chunk.start, chunk.end));
      received.release();
    }
    if (lanes.length === 0) continue;
    await Promise.all(lanes.map((lane) => lane.ready()));
    step.send(lanes, "down", chunk, { vector, codec: none });
  }
}
