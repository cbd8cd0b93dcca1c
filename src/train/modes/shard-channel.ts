/** @file Async mode's messages on the transport: their phases, and gradients as the codec has them. */
import type { Codec } from "../../collectives/codecs/codec.ts";
import { free } from "../../collectives/operation.ts";
import type { Message, MessageHandler, Transport } from "../../collectives/transport.ts";
import { GradientEncoding } from "./gradient-encoding.ts";
import type { TrainerOptions } from "./trainer.ts";

const CHANNEL = "async";
/** Elements in a message: 1 MiB of float32. */
export const CHUNK_ELEMENTS = 262_144;

export type Phase = "pull" | "collect" | "shard" | "push" | "pass" | "leave";

export interface ShardChannelOptions extends TrainerOptions {
  transport: Transport;
  /** How gradients cross the network; a lossy one needs the arena. Default: as float32. Parameters and buffers always do. */
  codec?: Codec | undefined;
}

export class ShardChannel {
  readonly #transport: Transport;
  readonly #rank: number;
  readonly #encoding: GradientEncoding;

  constructor(options: ShardChannelOptions, receive: MessageHandler) {
    this.#transport = options.transport;
    this.#rank = options.replica.rank;
    this.#encoding = new GradientEncoding(options);
    this.#transport.onMessage(CHANNEL, receive);
  }

  send(
    to: number,
    phase: Phase,
    step: number,
    offset: number,
    values: Float32Array = new Float32Array(0),
  ): Promise<void> {
    const payload =
      phase === "push"
        ? this.#encoding.encode(offset, values)
        : new Uint8Array(new Float32Array(values).buffer);
    const message: Message = {
      channel: CHANNEL,
      sequence: step,
      phase,
      from: this.#rank,
      offset,
      length: values.length,
      payload,
    };
    const sent = this.#transport.send(to, message);
    // the transport has copied it by now
    free(message);
    return sent;
  }

  /** What a `push` carries. */
  gradient({ offset, length, payload }: Message): Float32Array {
    return this.#encoding.decode(offset, length, payload);
  }
}
