/**
 * @file `npm run demo -- train`: a digit classifier is trained on four ranks, pruned until it fails, fine-tuned with
 * the zeros kept, and quantized in two ways; then one run of each mode. All over HTTP; accuracy by ONNX Runtime, in this process.
 */
import { mkdir, writeFile } from "node:fs/promises";
import type { Hone, TrainingJob, TrainingRequest } from "../../sdk/typescript/src/index.ts";
import { bytes, table } from "../../src/cli/table.ts";
import { followTraining } from "../../src/cli/train-file.ts";
import { chart } from "./chart.ts";
import { digitAccuracy, type HeldOut, heldOutDigits } from "./digit-accuracy.ts";
import { digitModelFile } from "./digit-model.ts";
import { uploadDigits } from "./digits-dataset.ts";

type Bytes = Uint8Array<ArrayBuffer>;

const OUTPUT = ".hone/demo";
const TRAINED_PER_DIGIT = 400;
const HELD_OUT_PER_DIGIT = 100;
const RANKS = 4;
const PRUNED = 0.8;
const CALIBRATED_ON = 128;
const COMMON = {
  world_size: RANKS,
  batch_size: 16,
  optimizer: { type: "adamw", lr: 0.003 },
  schedule: "cosine",
  validation: { fraction: 0.1 },
} as const;

interface Demo {
  hone: Hone;
  dataset: string;
  held: HeldOut;
}

/** @param modes whether each mode of training is shown, too */
export async function demoTraining(hone: Hone, { modes }: { modes: boolean }): Promise<void> {
  await mkdir(OUTPUT, { recursive: true });
  const { id: dataset } = await uploadDigits(hone, { perDigit: TRAINED_PER_DIGIT });
  const held = heldOutDigits(HELD_OUT_PER_DIGIT, TRAINED_PER_DIGIT);
  console.log(
    `\nA digit classifier of 52,266 parameters, trained on ${RANKS} ranks with ${10 * TRAINED_PER_DIGIT} ` +
      `handwritten digits; accuracy on ${10 * HELD_OUT_PER_DIGIT} others.\n`,
  );
  const demo = { hone, dataset, held };
  await stations(demo);
  if (modes) await eachMode(demo);
}

/** Trained, pruned, fine-tuned, quantized. */
async function stations({ hone, dataset, held }: Demo): Promise<void> {
  const rows: string[][] = [];
  const station = async (what: string, model: Bytes, note: string) => {
    const file = `${OUTPUT}/digits-${rows.length}.onnx`;
    await writeFile(file, model);
    const accuracy = await digitAccuracy(model, held);
    rows.push([what, bytes(model.length), accuracy.toFixed(3), note, file]);
  };
  const start = await digitModelFile();
  await station("weights drawn by a seed", start, "");

  const trained = await train(hone, start, { ...COMMON, dataset, epochs: 6 });
  await station("trained, sync", trained.model, trained.note);

  const pruning = await hone.prune(trained.model, {
    method: "l1_unstructured",
    amount: PRUNED,
  });
  const pruned = new Uint8Array(await pruning.bytes());
  await station(`pruned, ${PRUNED * 100} % zeros`, pruned, "");

  const tuned = await train(hone, pruned, { ...COMMON, dataset, epochs: 2, keep_sparsity: true });
  await station("fine-tuned, zeros kept", tuned.model, tuned.note);

  const quantized = await hone.quantize(tuned.model, { method: "weight_only", bits: 8 });
  await station("its weights in 8 bits", new Uint8Array(await quantized.bytes()), "");

  const integers = await hone.quantize(tuned.model, {
    method: "static",
    calibration_dataset: dataset,
    calibration_rows: CALIBRATED_ON,
  });
  await station(
    "or all of it, static",
    new Uint8Array(await integers.bytes()),
    `ranges of ${CALIBRATED_ON} digits`,
  );

  console.log(table(["station", "bytes", "accuracy", "how", "file"], rows));
  console.log(`\nLoss of the training and, after pruning, of the fine-tuning:\n`);
  console.log(chart([...trained.losses, ...tuned.losses]));
}

/** The same start and data in each mode. */
async function eachMode({ hone, dataset, held }: Demo): Promise<void> {
  const start = await digitModelFile();
  const runs: [string, Partial<TrainingRequest>][] = [
    ["one rank", { world_size: 1, batch_size: 64 }],
    ["sync", { mode: "sync" }],
    ["sync, int8 gradients", { mode: "sync", allreduce: { compression: "int8" } }],
    ["local_sgd, H = 12", { mode: "local_sgd", local_steps: 12, outer_lr: 1, outer_momentum: 0 }],
    ["async, staleness 4", { mode: "async", max_staleness: 4 }],
  ];
  const rows: string[][] = [];
  for (const [name, options] of runs) {
    const { model, job, seconds } = await train(hone, start, {
      ...COMMON,
      dataset,
      epochs: 3,
      ...options,
    });
    rows.push([
      name,
      String(job.progress.steps),
      (job.result?.metrics?.loss ?? 0).toFixed(3),
      (await digitAccuracy(model, held)).toFixed(3),
      bytes(job.progress.bytes_reduced),
      `${seconds.toFixed(1)} s`,
    ]);
  }
  console.log(`\nOne run of each mode, ${RANKS} ranks on this machine's one thread of workerd:\n`);
  console.log(table(["mode", "steps", "loss", "accuracy", "exchanged", "time"], rows));
}

interface Trained {
  model: Bytes;
  job: TrainingJob;
  losses: number[];
  seconds: number;
  note: string;
}

async function train(
  hone: Hone,
  model: Bytes,
  options: Omit<TrainingRequest, "model">,
): Promise<Trained> {
  const stored = await hone.models.create(model, { name: "digits.onnx" });
  const start = performance.now();
  const job = await followTraining(
    hone,
    await hone.trainingJobs.create({ ...options, model: stored.id }),
  );
  const seconds = (performance.now() - start) / 1000;
  const content = await hone.models.content(job.result?.model_id ?? "");
  const { steps, bytes_reduced } = job.progress;
  return {
    model: new Uint8Array(await content.arrayBuffer()),
    job,
    losses: (await hone.trainingJobs.curve(job.id)).map(({ loss }) => loss),
    seconds,
    note: `${steps} steps, ${bytes(bytes_reduced)} exchanged, ${seconds.toFixed(1)} s`,
  };
}
