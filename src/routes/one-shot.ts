/** @file A model in, a model out: small ones in memory, large ones through R2 and out as a stream. */
import type { CompressRequest, Compressed, OutputFile } from "../compress/types.ts";
import { startCompression } from "../jobs/engine.ts";
import { inTurn } from "../jobs/turns.ts";
import { MemorySink } from "../onnx/source.ts";
import { ApiError } from "../problem/api-error.ts";
import { headline, reportBody } from "../problem/report-body.ts";
import { newId } from "../store/id.ts";
import { newReportId, putReport } from "../store/reports.ts";
import { MEMORY_BYTES } from "../store/spool.ts";
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
    const answer = Promise.withResolvers<Response>();
    // The answer is given when its headers are known; a large result is written after that, in the same turn.
    const work = inTurn(
      async () => await compressTo(c, received, request, answer.resolve),
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

async function compressTo(
  c: AppContext,
  { model, external, samples, filename }: ReceivedModel,
  request: CompressRequest,
  answer: (response: Response) => void,
): Promise<void> {
  const { signal } = c.req.raw;
  const input = {
    source: model.source,
    external: async (location: string) => external.get(location)?.source,
  };
  const compressed = await startCompression(input, request, { samples, signal });
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
