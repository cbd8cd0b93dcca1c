/** @file A job's work: a stored model through the engine into a new stored model. May be begun again at any point. */
import type { OutputFile } from "../compress/types.ts";
import { ApiError } from "../problem/api-error.ts";
import { headline, type ReportBody, reportBody } from "../problem/report-body.ts";
import { findModel, openModel } from "../store/models.ts";
import { findReport, putReport } from "../store/reports.ts";
import { MEMORY_BYTES, Spool, type Spooled } from "../store/spool.ts";
import { releaseObjects, TemporaryObjects } from "../store/temporary-objects.ts";
import { prepareCalibration } from "./calibrate/prepare.ts";
import { startCompression } from "./engine.ts";
import type { CompressionOrder, JobResult } from "./job-view.ts";
import { modelSource } from "./measure/order-measurement.ts";
import { storeModel } from "./store-model.ts";
import { inTurn } from "./turns.ts";

/** A job that was told to run its model on a runner waits so long for one; an alarm may take a quarter of an hour. */
const PATIENCE_MS = 10 * 60_000;

export interface JobHooks {
  signal: AbortSignal;
  onProgress: (fraction: number, doing: string) => void;
}

/** @throws what the engine throws, ApiError, and the storage's errors; nothing is left behind then */
export async function runJob(
  env: Env,
  order: CompressionOrder,
  hooks: JobHooks,
): Promise<JobResult> {
  const { workspace, id, resultModelId, reportId } = order;
  // What an attempt that was killed left: unfinished uploads, or the whole result.
  await releaseObjects(env, id);
  const finished = await resultOf(env, order);
  if (finished) return finished;
  const input = await openModel(env, workspace, order.modelId);
  if (!input) throw new ApiError("not_found", `there is no model ${order.modelId} any more`);
  const sources = {
    id,
    input,
    onRunner: async () => ({ model: await modelSource(env, workspace, order.modelId) }),
  };
  const calibration = await prepareCalibration(env, workspace, order.request, sources, {
    ...hooks,
    patienceMs: PATIENCE_MS,
  });
  const objects = new TemporaryObjects(env, workspace, id);
  try {
    const { report, files } = await inTurn(async () => {
      const compressed = await startCompression(input, order.request, { ...hooks, calibration });
      return { ...compressed, files: await writeFiles(compressed.files, objects) };
    }, hooks.signal);
    hooks.signal.throwIfAborted();
    const body = reportBody(report);
    await putReport(env, workspace, reportId, body);
    const model = files.get("");
    if (!model) throw new TypeError("jobs: a compression without a model file");
    files.delete("");
    await storeModel(env, workspace, objects, {
      id: resultModelId,
      name: order.resultName,
      lineage: {
        parent: order.modelId,
        job: id,
        operation: order.request.operation,
        options: order.request.options,
        ...(order.recipe ? { recipe: order.recipe } : {}),
      },
      model,
      external: files,
    });
    return { model_id: resultModelId, report_id: reportId, report: headline(body) };
  } finally {
    await objects.release();
  }
}

async function writeFiles(
  files: readonly OutputFile[],
  objects: TemporaryObjects,
): Promise<Map<string, Spooled>> {
  const written = new Map<string, Spooled>();
  const total = files.reduce((sum, { byteLength }) => sum + byteLength, 0);
  for (const file of files) {
    const memoryBytes = total <= MEMORY_BYTES ? file.byteLength : 0;
    const spool = new Spool(objects, { expectedBytes: file.byteLength, memoryBytes });
    try {
      await file.write(spool);
      written.set(file.location ?? "", await spool.finish());
    } catch (error) {
      await spool.abort();
      throw error;
    }
  }
  return written;
}

/** What an earlier attempt finished without living to tell. */
async function resultOf(
  env: Env,
  { workspace, resultModelId, reportId }: CompressionOrder,
): Promise<JobResult | undefined> {
  if (!(await findModel(env.DB, workspace, resultModelId))) return undefined;
  const report = await findReport(env, workspace, reportId);
  if (!report) return undefined;
  return {
    model_id: resultModelId,
    report_id: reportId,
    report: headline(await report.json<ReportBody>()),
  };
}
