/** @file Synchronous data parallelism: every step all ranks average their gradients and take the same step. */
import type { Codec } from "../../collectives/codecs/codec.ts";
import type { Collective } from "../../collectives/collective.ts";
import type { Trainer, TrainerOptions } from "./trainer.ts";

export interface SyncOptions extends TrainerOptions {
  collective: Collective;
  /** How gradients and updated parameters cross the network. Default: as float32. */
  codec?: Codec | undefined;
}

export function syncTrainer(_options: SyncOptions): Trainer {
  throw new Error("train: sync is not here yet");
}
