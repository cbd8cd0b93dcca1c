/** @file Does a result load and run on this device, and how close is it to its original there? */
import { readModel } from "../../onnx/read-model.ts";
import { MemorySource } from "../../onnx/source.ts";
import { verify } from "../../verify/verify.ts";
import type { TaskProgram } from "../perform.ts";
import { requireSource } from "./spec.ts";

export const verifyTask: TaskProgram = async ({ backend, runtime }, task, kit) => {
  kit.onProgress(0, "fetching the models");
  const original = await kit.read(requireSource(task, "original"));
  const result = await kit.read(requireSource(task, "result"));
  kit.onProgress(0.5, "running both");
  const said = await verify(original, result, {
    model: await readModel(new MemorySource(original)),
    resultModel: await readModel(new MemorySource(result)),
    runtime,
  });
  return {
    backend,
    loaded: said.loaded,
    ran: said.ran,
    reason: said.reason,
    min_cosine: said.minCosine,
    min_sqnr_db: said.minSqnrDb,
    outputs: said.outputs.map(({ name, cosine, sqnrDb, maxAbsError }) => ({
      name,
      cosine,
      sqnr_db: sqnrDb,
      max_abs_error: maxAbsError,
    })),
  };
};
