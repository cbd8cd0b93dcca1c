/** @file `hone train`: a model and rows in, a fine-tuned model out, with the loss as it falls. */
import type { Command } from "commander";
import { MODES } from "../jobs/training/training-order.ts";
import { LOSSES } from "../train/losses/loss-options.ts";
import { OPTIMIZERS, SCHEDULES } from "../train/optimizer-options.ts";
import { withService } from "./connection.ts";
import { given, inputField, namedOption } from "./data-flags.ts";
import { trainFile, type TrainedFile, type TrainingOptions } from "./train-file.ts";
import { bytes, table } from "./table.ts";

interface TrainFlags {
  data: string;
  output: string;
  json?: boolean;
  label?: string;
  input?: string[];
  validation?: string;
  loss?: string;
  optimizer?: string;
  lr?: number;
  schedule?: string;
  epochs?: number;
  steps?: number;
  batchSize?: number;
  seed?: number;
  mode?: string;
  worldSize?: number;
  compression?: string;
  trainable?: string[];
  lora?: number | true;
  keepSparsity?: boolean;
  qat?: boolean;
  checkpointEvery?: number;
  option?: string[];
}

export function addTrainCommand(program: Command): void {
  program
    .command("train")
    .argument("<model>", "an ONNX file, in float; its external data is found beside it")
    .requiredOption(
      "--data <file|id>",
      "npz, npy, safetensors, csv or parquet; or a stored dataset",
    )
    .requiredOption("-o, --output <file>", "where the trained model goes")
    .option("--label <field>", "the field with the labels")
    .option("--input <input=field[*scale]...>", "which field feeds an input, e.g. x=image*0.0039")
    .option("--validation <share|id>", "rows to measure on: a share of the data, or a dataset")
    .option("--loss <name>", LOSSES.join(", "))
    .option("--optimizer <name>", OPTIMIZERS.join(", "))
    .option("--lr <rate>", "learning rate", Number)
    .option("--schedule <name>", `of the learning rate: ${SCHEDULES.join(", ")}`)
    .option("--epochs <count>", "passes over the data", Number)
    .option("--steps <count>", "steps of the optimizer, instead of epochs", Number)
    .option("--batch-size <rows>", "of one rank's gradient", Number)
    .option("--seed <number>", "orders the rows", Number)
    .option("--mode <name>", MODES.join(", "))
    .option("--world-size <ranks>", "how many ranks train together", Number)
    .option("--compression <codec>", "of what ranks exchange: float16, bfloat16, int8, top_k")
    .option("--trainable <patterns...>", "parameters to train, e.g. 'fc*'")
    .option("--lora [rank]", "train low-rank adapters, merged at the end", Number)
    .option("--keep-sparsity", "zeros of a pruned model stay zero")
    .option("--qat", "train through 8-bit rounding, for a QDQ model")
    .option("--checkpoint-every <steps>", "keep checkpoints to resume from", Number)
    .option("-O, --option <name=json...>", "any option of the API, e.g. 'clip_norm=1'")
    .option("--json", "print the job as JSON")
    .description("fine-tune a model on ranks")
    .action(async (model: string, flags: TrainFlags) => {
      const options = trainingOptions(flags);
      await withService(async ({ hone }) => {
        const trained = await trainFile(hone, {
          model,
          data: flags.data,
          output: flags.output,
          options,
        });
        console.log(flags.json ? JSON.stringify(trained.job) : summary(trained, flags.output));
      });
    });
}

/** The flags as the API's options; what `-O` says comes last. */
function trainingOptions(flags: TrainFlags): TrainingOptions {
  const { optimizer, lr, compression, lora, validation } = flags;
  const options: Record<string, unknown> = {
    label: flags.label,
    inputs: flags.input && Object.fromEntries(flags.input.map(inputField)),
    validation: validation === undefined ? undefined : validationOf(validation),
    loss: flags.loss,
    optimizer: lr === undefined ? optimizer : { type: optimizer ?? "adam", lr },
    schedule: flags.schedule,
    epochs: flags.epochs,
    steps: flags.steps,
    batch_size: flags.batchSize,
    seed: flags.seed,
    mode: flags.mode,
    world_size: flags.worldSize,
    allreduce: compression && { compression },
    trainable: flags.trainable,
    lora: typeof lora === "number" ? { rank: lora } : lora,
    keep_sparsity: flags.keepSparsity,
    qat: flags.qat,
    checkpoint_every: flags.checkpointEvery,
    ...Object.fromEntries((flags.option ?? []).map(namedOption)),
  };
  return given(options) as TrainingOptions;
}

function validationOf(text: string): { fraction: number } | { dataset: string } {
  return /^[\d.]+$/.test(text) ? { fraction: Number(text) } : { dataset: text };
}

function summary({ job, byteLength, seconds }: TrainedFile, output: string): string {
  const { metrics } = job.result ?? {};
  const number = (value: number | null | undefined) => value?.toFixed(4) ?? "";
  return table(
    ["file", "bytes", "steps", "loss", "accuracy", "validation", "time"],
    [
      [
        output,
        bytes(byteLength),
        String(job.progress.steps),
        number(metrics?.loss),
        number(metrics?.accuracy),
        number(metrics?.validation_accuracy ?? metrics?.validation_loss),
        `${seconds.toFixed(1)} s`,
      ],
    ],
  );
}
