/** @file Asynchronous training with bounded staleness: each rank owns a shard of the parameters and serves it to all. */
import type { Transport } from "../../collectives/transport.ts";
import type { Trainer, TrainerOptions } from "./trainer.ts";

export interface AsyncOptions extends TrainerOptions {
  transport: Transport;
  /** No rank starts a step that is more than so many ahead of the slowest rank's. */
  maxStaleness: number;
  /** Steps after which `export` is called: the state is kept as it is when every rank has done exactly so many. */
  checkpointEvery: number;
}

export function asyncTrainer(_options: AsyncOptions): Trainer {
  throw new Error("train: async is not here yet");
}
