/**
 * @file Loss and accuracy of a model on a dataset. The model has its loss built in: it answers `hone.loss` (the mean
 * over the batch's `hone.count`) and, for classifications, `hone.correct`.
 */
import { z } from "zod";
import type { HostTensor } from "../../runtime/runtime.ts";
import type { TaskProgram } from "../perform.ts";
import { TaskFault } from "../task-kit.ts";
import { batches, RowsSpec } from "./rows.ts";
import { readSpec, requireSource } from "./spec.ts";

export const EvaluateSpec = RowsSpec.extend({ backend: z.string().optional() });

export const evaluate: TaskProgram = async ({ backend, runtime }, task, kit) => {
  const spec = readSpec(EvaluateSpec, task);
  const session = await runtime.load(await kit.read(requireSource(task, "model")));
  let [loss, count, correct] = [0, 0, 0];
  let [hasLoss, hasCorrect] = [false, false];
  try {
    for await (const { feeds, rows, done } of batches(task, spec, kit)) {
      const outputs = await session.run(feeds);
      const counted = scalar(outputs["hone.count"]) ?? rows;
      const ofBatch = scalar(outputs["hone.loss"]);
      if (ofBatch !== undefined) {
        hasLoss = true;
        loss += ofBatch * counted;
      }
      const right = scalar(outputs["hone.correct"]);
      if (right !== undefined) {
        hasCorrect = true;
        correct += right;
      }
      count += counted;
      kit.onProgress(done, "evaluating");
    }
  } finally {
    await session.release();
  }
  if (hasLoss && !Number.isFinite(loss)) throw new TaskFault("the loss is NaN or Inf");
  return {
    backend,
    rows: spec.rows,
    loss: hasLoss && count > 0 ? loss / count : null,
    accuracy: hasCorrect && count > 0 ? correct / count : null,
  };
};

function scalar(tensor: HostTensor | undefined): number | undefined {
  if (!tensor || tensor.bytes.length !== 4) return undefined;
  return new DataView(tensor.bytes.buffer, tensor.bytes.byteOffset).getFloat32(0, true);
}
