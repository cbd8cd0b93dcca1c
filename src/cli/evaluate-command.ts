/** @file `hone evaluate`: a model and rows in, its metrics out. */
import type { Command } from "commander";
import type { EvaluateRequest, Hone, Job, MeasurementJob } from "../../sdk/typescript/src/index.ts";
import { withService } from "./connection.ts";
import { datasetId, given, inputField, modelId } from "./data-flags.ts";
import { ProgressBar } from "./progress.ts";
import { table } from "./table.ts";

interface EvaluateFlags {
  data: string;
  label?: string;
  input?: string[];
  output?: string;
  metrics?: string[];
  fromLogits?: boolean;
  batchSize?: number;
  split?: number;
  seed?: number;
  limit?: number;
  executor?: string;
  backend?: string;
  json?: boolean;
}

export function addEvaluateCommand(program: Command): void {
  program
    .command("evaluate")
    .argument("<model>", "an ONNX file, or the id of a stored model")
    .requiredOption(
      "--data <file|id>",
      "npz, npy, safetensors, csv or parquet; or a stored dataset",
    )
    .option("--metrics <names...>", "accuracy, top_5_accuracy, cross_entropy, mse, …")
    .option("--label <field>", "the field with the labels")
    .option("--input <input=field[*scale]...>", "which field feeds an input, e.g. x=image*0.0039")
    .option("--output <name>", "the output that is judged (default: the first)")
    .option("--from-logits", "the output holds logits")
    .option("--no-from-logits", "it holds probabilities (default: what its last node says)")
    .option("--batch-size <rows>", "rows fed at once", Number)
    .option("--split <share>", "only the rows that a training with --validation held back", Number)
    .option("--seed <number>", "of that training", Number)
    .option("--limit <rows>", "only the first so many", Number)
    .option("--executor <name>", "edge, runner or auto")
    .option("--backend <name>", "cuda, webgpu, cpu or wasm")
    .option("--json", "print the job as JSON")
    .description("measure a model on rows with labels")
    .action(async (model: string, flags: EvaluateFlags) => {
      await withService(async ({ hone }) => {
        const job = await evaluate(hone, model, flags);
        console.log(flags.json ? JSON.stringify(job) : summary(job));
      });
    });
}

async function evaluate(hone: Hone, model: string, flags: EvaluateFlags): Promise<Job> {
  const bar = new ProgressBar("evaluate");
  try {
    const id = await modelId(hone, model, bar);
    const dataset = await datasetId(hone, flags.data, bar);
    const body = { dataset, ...evaluateOptions(flags) } as EvaluateRequest;
    const { data } = await hone.api.POST("/v1/models/{id}/evaluate", {
      params: { path: { id } },
      body,
    });
    return await hone.jobs.wait((data as Job).id, {
      onEvent: ({ type, data: told }) => {
        if (type !== "progress") return;
        const { fraction, doing } = told as Job["progress"];
        bar.update(fraction, doing);
      },
    });
  } finally {
    bar.clear();
  }
}

function evaluateOptions(flags: EvaluateFlags): Record<string, unknown> {
  const { split, seed = 0 } = flags;
  return given({
    metrics: flags.metrics,
    label: flags.label,
    inputs: flags.input && Object.fromEntries(flags.input.map(inputField)),
    output: flags.output,
    from_logits: flags.fromLogits,
    batch_size: flags.batchSize,
    split: split === undefined ? undefined : { fraction: split, seed },
    limit: flags.limit,
    executor: flags.executor,
    backend: flags.backend,
  });
}

function summary({ id, result }: Job): string {
  const found = result as MeasurementJob["result"];
  if (!found || !("metrics" in found)) throw new Error(`${id} has no metrics`);
  const figures = Object.entries(found.metrics);
  return table(
    ["rows", "backend", ...figures.map(([name]) => name)],
    [[String(found.rows), found.backend, ...figures.map(([, value]) => value.toFixed(4))]],
  );
}
