/**
 * @file Two hops: each rank sends every owner its part of the owner's segment; the owner adds them in the order of
 * the ranks and sends the result to all. 2(N−1)/N of the vector a rank, in 2(N−1) messages a chunk.
 */
import { decodeChunk, sumChunk } from "./codecs/chunk.ts";
import type { Codec } from "./codecs/codec.ts";
import { none } from "./codecs/none.ts";
import type { EncodingOptions, ReduceOptions, Segment } from "./collective.ts";
import type { Step } from "./step.ts";

export async function reduceScatter(
  step: Step,
  vector: Float32Array,
  options: ReduceOptions,
): Promise<void> {
  await Promise.all([
    ...step.group.peers.map((owner) => contribute(step, vector, owner, options)),
    reduce(step, vector, options, async () => {}),
  ]);
}

export async function allgather(
  step: Step,
  vector: Float32Array,
  options: EncodingOptions,
): Promise<void> {
  const deliver = deliverer(step, vector, options);
  await Promise.all([
    ...step.group.peers.map((owner) => receive(step, vector, owner, options.codec ?? none)),
    (async () => {
      const { group } = step;
      for (const chunk of step.chunks(group.segment(vector.length))) await deliver(chunk);
    })(),
  ]);
}

/** A chunk is delivered as soon as it is reduced; nobody waits for the whole segment. */
export async function allreduce(
  step: Step,
  vector: Float32Array,
  options: ReduceOptions,
): Promise<void> {
  await Promise.all([
    ...step.group.peers.map((owner) => contribute(step, vector, owner, options)),
    ...step.group.peers.map((owner) => receive(step, vector, owner, options.codec ?? none)),
    reduce(step, vector, options, deliverer(step, vector, options)),
  ]);
}

/** Sends the owner this rank's part of its segment. */
async function contribute(
  step: Step,
  vector: Float32Array,
  owner: number,
  { codec = none, residual }: ReduceOptions,
): Promise<void> {
  const { group } = step;
  const lane = step.lane(owner);
  for (const chunk of step.chunks(group.segment(vector.length, owner))) {
    await lane.ready();
    step.send([lane], "contribute", chunk, { vector, codec, residual });
  }
}

/** Adds up this rank's segment, chunk by chunk, and calls back after each. */
async function reduce(
  step: Step,
  vector: Float32Array,
  { op, codec = none }: ReduceOptions,
  onReduced: (chunk: Segment) => Promise<void>,
): Promise<void> {
  const { group } = step;
  const scale = op === "mean" ? 1 / group.worldSize : 1;
  for (const chunk of step.chunks(group.segment(vector.length))) {
    const received = await Promise.all(
      Array.from({ length: group.worldSize }, async (_, rank) =>
        rank === group.rank ? undefined : await step.take("contribute", rank, chunk, true),
      ),
    );
    const own = vector.subarray(chunk.start, chunk.end);
    const parts = received.map((part) => part?.payload);
    sumChunk(group.arena, codec, parts, own, scale);
    for (const part of received) part?.release();
    await onReduced(chunk);
  }
}

/** Sends a chunk of the own segment to all others, and leaves in it what they decode. */
function deliverer(
  step: Step,
  vector: Float32Array,
  { codec = none, residual }: EncodingOptions,
): (chunk: Segment) => Promise<void> {
  const { group } = step;
  const lanes = group.peers.map((peer) => step.lane(peer));
  return async (chunk) => {
    await Promise.all(lanes.map((lane) => lane.ready()));
    step.send(lanes, "deliver", chunk, { vector, codec, residual, apply: true });
  };
}

/** Takes in an owner's segment. */
async function receive(
  step: Step,
  vector: Float32Array,
  owner: number,
  codec: Codec,
): Promise<void> {
  const { group } = step;
  for (const chunk of step.chunks(group.segment(vector.length, owner))) {
    const received = await step.take("deliver", owner, chunk);
    decodeChunk(group.arena, codec, received.payload, vector.subarray(chunk.start, chunk.end));
    received.release();
  }
}
