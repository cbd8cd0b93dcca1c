/** @file A model in, a model out: small ones in memory, large ones through R2 and out as a stream. */
import type { CompressRequest, Compressed, ModelInput, OutputFile } from "../compress/types.ts";
import {
  externalDataNotRun,
  type PreparedCalibration,
  prepareCalibration,
} from "../jobs/calibrate/prepare.ts";
import { startCompression } from "../jobs/engine.ts";
import type { SourceOrder } from "../jobs/runners/task-order.ts";
import { inTurn } from "../jobs/turns.ts";
import { MemorySink } from "../onnx/source.ts";
import { ApiError } from "../problem/api-error.ts";
import { headline, reportBody } from "../problem/report-body.ts";
import { newId, sha256Hex } from "../store/id.ts";
import { newReportId, putReport } from "../store/reports.ts";
import { MEMORY_BYTES, type Spooled } from "../store/spool.ts";
import { TemporaryObjects } from "../store/temporary-objects.ts";
import { contentDisposition } from "./content-disposition.ts";
import type { AppContext } from "./context.ts";
import { type ReceivedModel, receiveModel } from "./receive-model.ts";
import { resultName } from "../jobs/result-name.ts";
import { StreamSink } from "./stream-sink.ts";

/** Compresses the body's model and answers with the result. */
export async function compressBody(c: AppContext, request: CompressRequest): Promise<Response> {
  const objects = new TemporaryObjects(c.env, c.get("workspace"), newId("request"));
  try {
    const received = await receiveModel(c, objects, { samples: true });
    const calibration = await calibrationFor(c, received, request, objects);
    const answer = Promise.withResolvers<Response>();
    // The answer is given when its headers are known; a large result is written after that, in the same turn.
    const work = inTurn(
      async () => await compressTo(c, received, request, calibration, answer.resolve),
      c.req.raw.signal,
    )
      .catch(answer.reject)
      .finally(async () => await objects.release());
    c.executionCtx.waitUntil(work);
    return await answer.promise;
  } catch (error) {
    await objects.release();
    throw error;
  }
}

function inputOf({ model, external }: ReceivedModel): ModelInput {
  return {
    source: model.source,
    external: async (location: string) => external.get(location)?.source,
  };
}

/** A runner is not waited for: it is there, or the answer says that it is not. */
async function calibrationFor(
  c: AppContext,
  received: ReceivedModel,
  request: CompressRequest,
  objects: TemporaryObjects,
): Promise<PreparedCalibration> {
  const { model, external, samples } = received;
  const sources = {
    id: newId("request"),
    input: inputOf(received),
    onRunner: async () => {
      if (external.size > 0) throw externalDataNotRun();
      const source = await storedSource(objects, model);
      return samples
        ? { model: source, samples: await storedBytes(objects, new Uint8Array(samples)) }
        : { model: source };
    },
  };
  return await prepareCalibration(c.env, c.get("workspace"), request, sources, {
    signal: c.req.raw.signal,
    patienceMs: 0,
  });
}

async function storedSource(
  objects: TemporaryObjects,
  { object, bytes, sha256, source }: Spooled,
): Promise<SourceOrder> {
  if (object) return { key: object.key, bytes, sha256 };
  const whole = new Uint8Array(bytes);
  await source.read(0, whole);
  return await storedBytes(objects, whole);
}

async function storedBytes(
  objects: TemporaryObjects,
  bytes: Uint8Array<ArrayBuffer>,
): Promise<SourceOrder> {
  const { key } = await objects.create();
  await objects.bucket.put(key, bytes);
  return { key, bytes: bytes.length, sha256: await sha256Hex(bytes) };
}

async function compressTo(
  c: AppContext,
  received: ReceivedModel,
  request: CompressRequest,
  calibration: PreparedCalibration,
  answer: (response: Response) => void,
): Promise<void> {
  const { signal } = c.req.raw;
  const { samples, filename } = received;
  const options = { samples, calibration, signal };
  const compressed = await startCompression(inputOf(received), request, options);
  const file = onlyFile(compressed);
  const reportId = newReportId();
  const keepReport = () =>
    putReport(c.env, c.get("workspace"), reportId, reportBody(compressed.report));
  const headers = {
    "Content-Type": "application/octet-stream",
    "Content-Disposition": contentDisposition(resultName(filename ?? "model.onnx", request)),
    "Hone-Report": asciiJson(headline(reportBody(compressed.report))),
    Link: `</v1/reports/${reportId}>; rel="report"`,
  };
  if (file.byteLength <= MEMORY_BYTES) {
    const sink = new MemorySink(file.byteLength);
    await file.write(sink);
    await keepReport();
    return answer(new Response(sink.bytes, { headers }));
  }
  await keepReport();
  const { readable, writable } = new FixedLengthStream(file.byteLength);
  answer(new Response(readable, { headers }));
  const sink = new StreamSink(writable);
  try {
    await file.write(sink);
    await sink.close();
  } catch (error) {
    await sink.abort(error);
    throw error;
  }
  // Now with the errors of the weights that were computed on the way.
  await keepReport();
}

function onlyFile({ files }: Compressed): OutputFile {
  const [file] = files;
  if (!file || files.length > 1) {
    throw new ApiError(
      "result_has_external_data",
      "the result passes 2 GiB, so its weights would need a file of their own",
    );
  }
  return file;
}

/** Header values are ASCII. */
function asciiJson(value: unknown): string {
  return JSON.stringify(value).replaceAll(
    /[^\x20-\x7e]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
