/** @file The last thing a job does: the trained vector as a model in the catalogue. May be begun again. */
import { addLineage, type LineageStep } from "../../graph/lineage.ts";
import { planModel } from "../../onnx/write-model.ts";
import { ApiError } from "../../problem/api-error.ts";
import { findDataset } from "../../store/datasets.ts";
import { findFile, findModel } from "../../store/models.ts";
import { MEMORY_BYTES, Spool, type Spooled } from "../../store/spool.ts";
import { releaseObjects, TemporaryObjects } from "../../store/temporary-objects.ts";
import { storeModel } from "../store-model.ts";
import { planTraining } from "./plan-training.ts";
import { TrainingObjects } from "./training-objects.ts";
import type { TrainingOrder } from "./training-order.ts";

/** @throws what planning, writing and the storage throw; nothing is left behind then */
export async function writeResult(
  env: Env,
  order: TrainingOrder,
  signal?: AbortSignal,
): Promise<void> {
  const { id, workspace, resultModelId } = order;
  // What an attempt that was killed left: an unfinished upload, or the whole result.
  await releaseObjects(env, id);
  if (await findModel(env.DB, workspace, resultModelId)) return;
  const { step } = await planTraining(env, order);
  const vector = await new TrainingObjects(env.BLOBS, workspace, id).getVector("result.f32");
  const model = await step.finish(vector);
  addLineage(model, await lineageStep(env, order));
  signal?.throwIfAborted();
  const file = planModel(model);
  const objects = new TemporaryObjects(env, workspace, id);
  const memoryBytes = file.byteLength <= MEMORY_BYTES ? file.byteLength : 0;
  const spool = new Spool(objects, { expectedBytes: file.byteLength, memoryBytes });
  try {
    await file.write(spool);
    const spooled = await spool.finish();
    signal?.throwIfAborted();
    await checkLoads(spooled);
    await storeModel(env, workspace, objects, {
      id: resultModelId,
      name: order.resultName,
      lineage: {
        parent: order.modelId,
        dataset: order.datasetId,
        job: id,
        operation: "train",
        options: order.shown,
        ...(order.recipe ? { recipe: order.recipe } : {}),
      },
      model: spooled,
      external: new Map(),
    });
  } catch (error) {
    await spool.abort().catch(() => undefined);
    throw error;
  } finally {
    await objects.release();
  }
}

/** What decides over the result, with datasets and models by their content: nobody else has their ids. */
async function lineageStep(env: Env, order: TrainingOrder): Promise<LineageStep> {
  const { workspace, modelId, datasetId, training, mode, data, origin } = order;
  const dataset = async (id: string) => (await findDataset(env.DB, workspace, id))?.sha256;
  const model = async (id: string) => (await findFile(env.DB, workspace, id, ""))?.sha256;
  const { teacher, ...numeric } = training;
  const { validation, ...rows } = data;
  const options = {
    ...numeric,
    ...mode,
    ...rows,
    ...(teacher && {
      teacher:
        teacher.model === undefined ? teacher : { ...teacher, model: await model(teacher.model) },
    }),
    ...(validation && {
      validation:
        "dataset" in validation ? { dataset: await dataset(validation.dataset) } : validation,
    }),
    dataset: await dataset(datasetId),
    ...(origin && !origin.whole ? { weights_of_step: origin.step } : {}),
  };
  return { parent: (await model(modelId)) ?? "", operation: "train", options };
}

/**
 * A model that ONNX Runtime does not load is not handed out; one too large to try here is.
 * @throws ApiError `does_not_load`
 */
async function checkLoads({ source, bytes }: Spooled): Promise<void> {
  const { edgeRuntime } = await import("../../runtime/edge.ts");
  const runtime = edgeRuntime();
  if (bytes > runtime.maxModelBytes) return;
  const model = new Uint8Array(bytes);
  await source.read(0, model);
  try {
    await (await runtime.load(model)).release();
  } catch (error) {
    throw new ApiError("does_not_load", `the trained model: ${(error as Error).message}`);
  }
}
