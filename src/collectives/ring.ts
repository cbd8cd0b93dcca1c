/**
 * @file Each rank speaks to its right neighbour alone: partial sums go round once, the results once more.
 *
 * The sum of rank r's segment begins at rank r+1 and is added to in the ring's order. 2(N−1)/N of the vector a
 * rank, in 2(N−1) steps that each wait for the one before, but only two neighbours (Patarasuk & Yuan 2009).
 */
import { decodeChunk, sumChunk } from "./codecs/chunk.ts";
import { none } from "./codecs/none.ts";
import type { EncodingOptions, ReduceOptions, Segment } from "./collective.ts";
import type { Step } from "./step.ts";
import { Queue } from "./queue.ts";

type Phase = "reduce" | "gather";

interface Hop {
  readonly phase: Phase;
  readonly chunk: Segment;
  /** Whether this rank's own result starts its way here: it is encoded with error feedback, others are passed on. */
  readonly first: boolean;
}

export function reduceScatter(
  step: Step,
  vector: Float32Array,
  options: ReduceOptions,
): Promise<void> {
  return travel(step, vector, options, ["reduce"]);
}

export function allgather(
  step: Step,
  vector: Float32Array,
  options: EncodingOptions,
): Promise<void> {
  return travel(step, vector, { op: "sum", ...options }, ["gather"]);
}

export function allreduce(step: Step, vector: Float32Array, options: ReduceOptions): Promise<void> {
  return travel(step, vector, options, ["reduce", "gather"]);
}

async function travel(
  step: Step,
  vector: Float32Array,
  options: ReduceOptions,
  phases: readonly Phase[],
): Promise<void> {
  const queue = new Queue<Hop>();
  await Promise.all([
    send(step, vector, options, queue),
    receive(step, vector, options, phases, queue),
  ]);
}

/** Sends what is ready, in the order in which it became so. */
async function send(
  step: Step,
  vector: Float32Array,
  { codec = none, residual }: ReduceOptions,
  queue: Queue<Hop>,
): Promise<void> {
  const { group } = step;
  const lane = step.lane((group.rank + 1) % group.worldSize);
  for await (const { phase, chunk, first } of queue) {
    await lane.ready();
    const feedback = phase === "reduce" || first ? residual : undefined;
    step.send([lane], phase, chunk, { vector, codec, residual: feedback, apply: first });
  }
}

async function receive(
  step: Step,
  vector: Float32Array,
  { op, codec = none }: ReduceOptions,
  phases: readonly Phase[],
  queue: Queue<Hop>,
): Promise<void> {
  const { group } = step;
  const { rank, worldSize } = group;
  const left = (rank - 1 + worldSize) % worldSize;
  const segment = (back: number) =>
    group.segment(vector.length, (rank - back + 2 * worldSize) % worldSize);
  const starts = phases[0] === "reduce" ? segment(1) : segment(0);
  for (const chunk of step.chunks(starts)) {
    queue.push({ phase: phases[0] ?? "reduce", chunk, first: phases[0] === "gather" });
  }
  for (const phase of phases) {
    for (let s = 0; s < worldSize - 1; s++) {
      const last = s === worldSize - 2;
      const scale = op === "mean" && last ? 1 / worldSize : 1;
      for (const chunk of step.chunks(segment(phase === "reduce" ? s + 2 : s + 1))) {
        const received = await step.take(phase, left, chunk, s === 0 && phase === phases[0]);
        const { payload } = received;
        const here = vector.subarray(chunk.start, chunk.end);
        if (phase === "reduce") sumChunk(group.arena, codec, [payload, undefined], here, scale);
        else decodeChunk(group.arena, codec, payload, here);
        received.release();
        if (!last) queue.push({ phase, chunk, first: false });
        else if (phase === "reduce" && phases.includes("gather")) {
          queue.push({ phase: "gather", chunk, first: true });
        }
      }
    }
  }
  queue.end();
}
