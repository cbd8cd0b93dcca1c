/** @file The first thing a job does: works the training out and puts what the ranks need into R2. May be begun again. */
import type { Model } from "../../onnx/model.ts";
import { modelBytes } from "../../onnx/write-model.ts";
import { sha256Hex } from "../../store/id.ts";
import { planTraining } from "./plan-training.ts";
import { TrainingObjects } from "./training-objects.ts";
import type { Origin, TrainingOrder } from "./training-order.ts";
import type { StoredGraph, TrainingPlan } from "./training-plan.ts";

/** @throws what `planTraining` throws, and the storage's errors */
export async function prepareTraining(env: Env, order: TrainingOrder): Promise<TrainingPlan> {
  const objects = new TrainingObjects(env.BLOBS, order.workspace, order.id);
  const { step, plan } = await planTraining(env, order);
  const full: TrainingPlan = {
    ...plan,
    step: await storeGraph(objects, "step.onnx", step.step),
    evaluate: await storeGraph(objects, "evaluate.onnx", step.evaluate),
  };
  const beginning = await step.initial();
  await takeOver(objects, order.origin, beginning);
  await objects.putVector("beginning.f32", beginning);
  // Last, since the ranks read it first.
  await objects.putJson("plan.json", full);
  return full;
}

async function storeGraph(
  objects: TrainingObjects,
  name: string,
  model: Model,
): Promise<StoredGraph> {
  const bytes = new Uint8Array(await modelBytes(model));
  await objects.put(name, bytes);
  const { inputs, outputs } = model.graph;
  return {
    name,
    sha256: await sha256Hex(bytes),
    bytes: bytes.length,
    inputs: inputs.map((info) => info.name),
    outputs: outputs.map((info) => info.name),
  };
}

/**
 * Copies the other job's checkpoint, so that it does not matter when that one is deleted; or, where only the weights
 * are wanted, reads them into `vector`.
 */
async function takeOver(
  objects: TrainingObjects,
  origin: Origin | undefined,
  vector: Float32Array,
): Promise<void> {
  if (!origin) return;
  if (origin.whole) {
    for (const [rank, from] of origin.keys.entries()) {
      await objects.copyState(from, objects.originKey(rank));
    }
    return;
  }
  for await (const { name, start, values } of objects.readStates(origin.keys)) {
    if (name === "vector") vector.set(values, start);
  }
}
