/** @file The trainer of a rank's mode, over its transport. */
import { codecNamed } from "../../collectives/codecs/named.ts";
import { createCollective } from "../../collectives/create.ts";
import type { Transport } from "../../collectives/transport.ts";
import type { Arena } from "../../kernels/arena.ts";
import type { Executor } from "../../train/executor.ts";
import { asyncTrainer } from "../../train/modes/async.ts";
import { localSgdTrainer } from "../../train/modes/local-sgd.ts";
import { syncTrainer } from "../../train/modes/sync.ts";
import type { Trainer, TrainerOptions } from "../../train/modes/trainer.ts";
import { trainingSettings } from "../../train/options.ts";
import { Replica } from "../../train/replica.ts";
import type { TrainingPlan } from "./training-plan.ts";

export interface RankTrainer {
  trainer: Trainer;
  /** Payload bytes that this rank sent. */
  bytesSent: () => number;
  close: (reason: string) => void;
}

export interface RankTrainerParts {
  plan: TrainingPlan;
  transport: Transport;
  executor: Executor;
  arena: Arena;
  /** Parameters and buffers at the very start of the training. */
  beginning: Float32Array;
  deadlineMs: number;
}

export function rankTrainer(parts: RankTrainerParts): RankTrainer {
  const { plan, transport, executor, arena, beginning, deadlineMs } = parts;
  const { mode, layout } = plan;
  const { rank, worldSize } = transport;
  const settings = trainingSettings(plan.training);
  const options: TrainerOptions = {
    replica: new Replica({ layout, rank, worldSize, vector: beginning }),
    executor,
    optimizer: settings.optimizer,
    schedule: settings.schedule,
    clipNorm: settings.clipNorm,
    totalSteps: plan.steps,
    arena,
  };
  const { compression } = mode.allreduce;
  const codec = compression === "none" ? undefined : codecNamed(compression);
  if (mode.mode === "async") {
    const counted = countedTransport(transport);
    const trainer = asyncTrainer({
      ...options,
      transport: counted,
      codec,
      maxStaleness: mode.max_staleness,
      checkpointEvery: plan.localCheckpointEvery,
      deadlineMs,
    });
    return { trainer, bytesSent: counted.bytesSent, close: (reason) => transport.close(reason) };
  }
  const collective = createCollective({ transport, arena, deadlineMs, algorithm: mode.algorithm });
  const trainer =
    mode.mode === "sync"
      ? syncTrainer({ ...options, collective, codec })
      : localSgdTrainer({
          ...options,
          collective,
          codec,
          localSteps: mode.local_steps,
          outerLearningRate: mode.outer_lr,
          outerMomentum: mode.outer_momentum,
        });
  return {
    trainer,
    bytesSent: () => collective.counts.bytesSent,
    close: (reason) => collective.close(reason),
  };
}

/** A transport that counts the payload bytes it sends. */
function countedTransport(transport: Transport): Transport & { bytesSent: () => number } {
  let bytes = 0;
  const send: Transport["send"] = (to, message) => {
    bytes += message.payload.byteLength;
    return transport.send(to, message);
  };
  const own = { send, bytesSent: () => bytes };
  return new Proxy(transport, {
    get(target, property) {
      if (property in own) return own[property as keyof typeof own];
      const value: unknown = Reflect.get(target, property, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  }) as Transport & { bytesSent: () => number };
}
