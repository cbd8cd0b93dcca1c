/** @file A training job as the API shows it. */
import { type AnyJobView, queued } from "../job-view.ts";
import type { TrainingOrder } from "./training-order.ts";

/** One rank, as of its last report. */
export interface RankFigures {
  rank: number;
  step: number;
  /** Who computed its last gradient: `edge`, the rank itself, or a runner's id. */
  executor: string;
  /** Of one step, on average since the report before. */
  compute_ms: number;
  /** The rest of the step: the exchange, with waiting for the others. */
  allreduce_ms: number;
  /** Waiting for rows. */
  wait_ms: number;
  /** async: updates by others between pull and push, the most since the report before. */
  staleness: number | null;
  bytes_sent: number;
}

export interface TrainingProgress {
  fraction: number;
  doing: string;
  /** Finished steps; of all ranks the slowest. */
  step: number;
  steps: number;
  epoch: number;
  /** Of the latest reported step, a mean over the ranks' rows. */
  loss: number | null;
  samples_per_second: number | null;
  /** Sent by all ranks to each other, in this generation and those before. */
  bytes_reduced: number;
  ranks: RankFigures[];
}

/** Means over an epoch. */
export interface EpochMetrics {
  epoch: number;
  /** The last step of the epoch. */
  step: number;
  loss: number;
  /** `null` where the loss is no classification. */
  accuracy: number | null;
  validation_loss: number | null;
  validation_accuracy: number | null;
}

export interface TrainingResult {
  model_id: string;
  /** The checkpoint that the model was made of. */
  step: number;
  metrics: EpochMetrics | null;
}

export interface TrainingView extends AnyJobView {
  operation: "train";
  dataset_id: string;
  progress: TrainingProgress;
  /** One entry an epoch. */
  metrics: EpochMetrics[];
  /** The latest complete checkpoint: what is left when a job fails. */
  checkpoint_step: number | null;
  result: TrainingResult | null;
}

export function newTrainingView(order: TrainingOrder): TrainingView {
  return {
    ...queued(order.id, order.modelId, order.shown),
    operation: "train",
    dataset_id: order.datasetId,
    progress: {
      fraction: 0,
      doing: "waiting",
      step: 0,
      steps: 0,
      epoch: 0,
      loss: null,
      samples_per_second: null,
      bytes_reduced: 0,
      ranks: [],
    },
    metrics: [],
    checkpoint_step: null,
    result: null,
  };
}
