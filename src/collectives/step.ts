/** @file An operation as its algorithm sees it: chunks that are encoded and sent on lanes, and taken. */
import { decodeChunk, encodeChunk } from "./codecs/chunk.ts";
import { type Codec, encodedBytes } from "./codecs/codec.ts";
import type { Segment } from "./collective.ts";
import type { Group } from "./group.ts";
import { Lane } from "./lane.ts";
import { CHANNEL, type Operation, type Received } from "./operation.ts";
import { chunksOf } from "./segments.ts";
import type { Transport } from "./transport.ts";

/** What a message is made of: a chunk of `vector`, encoded. */
interface Content {
  readonly vector: Float32Array;
  readonly codec: Codec;
  readonly residual?: Float32Array | undefined;
  readonly apply?: boolean;
}

export class Step {
  readonly group: Group;
  readonly #transport: Transport;
  readonly #operation: Operation;
  readonly #chunkLength: number;
  readonly #onProgress: () => void;
  readonly #lanes: Lane[] = [];

  constructor(
    group: Group,
    transport: Transport,
    operation: Operation,
    chunkLength: number,
    onProgress: () => void,
  ) {
    this.group = group;
    this.#transport = transport;
    this.#operation = operation;
    this.#chunkLength = chunkLength;
    this.#onProgress = onProgress;
  }

  /** Peers that owe a message or have not taken one. */
  get awaiting(): number[] {
    const owing = this.#operation.owing(false);
    return owing.length > 0
      ? owing
      : this.#lanes.filter((lane) => lane.busy).map((lane) => lane.to);
  }

  chunks(segment: Segment): Generator<Segment> {
    return chunksOf(segment, this.#chunkLength);
  }

  /** A window of its own to that peer. */
  lane(to: number): Lane {
    const onFailure = (error: Error) => this.group.fail(error);
    const lane = new Lane(this.#transport, to, this.#chunkLength, this.#onProgress, onFailure);
    this.#lanes.push(lane);
    return lane;
  }

  /**
   * Sends a chunk of the vector on all the lanes. Until the operation ends or the chunk is overwritten by a message
   * that follows from this one, the vector must keep it: a peer may read it there.
   * @param apply whether the vector is left with what the peers decode
   */
  send(
    lanes: readonly Lane[],
    phase: string,
    chunk: Segment,
    { vector, codec, residual, apply = false }: Content,
  ): void {
    const { arena } = this.group;
    const x = vector.subarray(chunk.start, chunk.end);
    const far = codec.lossless ? lanes.filter(({ to }) => !this.#transport.lends(to)) : lanes;
    if (far.length > 0) {
      const payload = this.group.scratch(encodedBytes(codec, x.length));
      encodeChunk(arena, codec, x, payload, residual?.subarray(chunk.start, chunk.end));
      for (const lane of far) this.#push(lane, phase, chunk, payload, false);
      if (apply && !codec.lossless) decodeChunk(arena, codec, payload, x);
    }
    if (far.length === lanes.length) return;
    const lent = new Uint8Array(x.buffer as ArrayBuffer, x.byteOffset, x.byteLength);
    for (const lane of lanes) if (!far.includes(lane)) this.#push(lane, phase, chunk, lent, true);
  }

  /** Sends nothing but the message itself. */
  signal(lane: Lane, phase: string, place: number): void {
    this.#push(lane, phase, { start: place, end: place }, new Uint8Array(0), false);
  }

  #push(
    lane: Lane,
    phase: string,
    { start, end }: Segment,
    payload: Uint8Array<ArrayBuffer>,
    lent: boolean,
  ): void {
    this.group.counts.messagesSent++;
    this.group.counts.bytesSent += payload.byteLength;
    lane.push({
      channel: CHANNEL,
      sequence: this.#operation.sequence,
      phase: `${this.#operation.name}.${phase}`,
      from: this.group.rank,
      offset: start,
      length: end - start,
      payload,
      lent,
    });
  }

  /** @param firstHand whether the sender waits for nobody else before it sends this */
  take(phase: string, from: number, { start, end }: Segment, firstHand = false): Promise<Received> {
    return this.#operation.take(phase, from, start, end - start, firstHand);
  }

  /** The algorithm, and then until the peers have taken all that was sent. */
  async run(body: (step: Step) => Promise<void>): Promise<void> {
    await body(this);
    await Promise.all(this.#lanes.map((lane) => lane.drain()));
  }
}
