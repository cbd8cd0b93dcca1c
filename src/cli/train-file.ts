/** @file One training through the service: model and data up, the job followed as it runs, the result down. */
import type { Hone, TrainingJob, TrainingRequest } from "../../sdk/typescript/src/index.ts";
import { fetchModel } from "./compress-file.ts";
import { datasetId, modelId } from "./data-flags.ts";
import { ProgressBar } from "./progress.ts";
import { bytes } from "./table.ts";

type Progress = TrainingJob["progress"];
type EpochMetrics = TrainingJob["metrics"][number];
/** By the API's names; model and dataset are added. */
export type TrainingOptions = Omit<TrainingRequest, "model" | "dataset">;

export interface TrainFileOptions {
  /** An ONNX file, or the id of a stored model. */
  model: string;
  /** A file with rows, or the id of a stored dataset. */
  data: string;
  output: string;
  options: TrainingOptions;
}

export interface TrainedFile {
  job: TrainingJob;
  byteLength: number;
  seconds: number;
}

/**
 * Trains, and writes the result to `output`. Model, dataset and job stay with the service, so that another job can
 * go on from the checkpoints; on stderr is how far it is.
 * @throws HoneError when the service refuses, JobError when the job fails
 */
export async function trainFile(
  hone: Hone,
  { model, data, output, options }: TrainFileOptions,
): Promise<TrainedFile> {
  const bar = new ProgressBar("train");
  try {
    const stored = await modelId(hone, model, bar);
    const dataset = await datasetId(hone, data, bar);
    const start = performance.now();
    const job = await followTraining(
      hone,
      await hone.trainingJobs.create({ ...options, model: stored, dataset }),
      bar,
    );
    const seconds = (performance.now() - start) / 1000;
    if (!job.result) throw new Error(`${job.id} has no result`);
    await fetchModel(hone, job.result.model_id, output, bar);
    const { bytes: byteLength } = await hone.models.get(job.result.model_id);
    return { job, byteLength, seconds };
  } finally {
    bar.clear();
  }
}

/** Follows a job to its end: a bar with loss and speed, and a line an epoch. */
export async function followTraining(
  hone: Hone,
  { id }: TrainingJob,
  bar = new ProgressBar("train"),
): Promise<TrainingJob> {
  const done = await hone.jobs.wait(id, {
    onEvent: ({ type, data }) => {
      if (type === "progress")
        bar.update((data as Progress).fraction, progressText(data as Progress));
      if (type !== "metrics") return;
      bar.clear();
      console.error(epochText(data as EpochMetrics));
    },
  });
  bar.clear();
  return done as TrainingJob;
}

function progressText(progress: Progress): string {
  const { doing, step, steps, loss, samples_per_second, bytes_reduced } = progress;
  if (doing !== "training") return doing;
  return [
    `step ${step} of ${steps}`,
    ...(loss === null ? [] : [`loss ${loss.toFixed(4)}`]),
    ...(samples_per_second === null ? [] : [`${samples_per_second.toLocaleString("en")} rows/s`]),
    ...(bytes_reduced === 0 ? [] : [`${bytes(bytes_reduced)} exchanged`]),
  ].join("  ");
}

function epochText(metrics: EpochMetrics): string {
  const { epoch, step, loss, accuracy, validation_loss, validation_accuracy } = metrics;
  const part = (name: string, value: number | null) =>
    value === null ? [] : [`${name} ${value.toFixed(4)}`];
  return [
    `epoch ${epoch}  step ${step}  loss ${loss.toFixed(4)}`,
    ...part("accuracy", accuracy),
    ...part("validation loss", validation_loss),
    ...part("validation accuracy", validation_accuracy),
  ].join("  ");
}
