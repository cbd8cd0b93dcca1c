/** @file One model through the service and back: as one call where it fits one, else in parts and by a job. */
import { dirname, join } from "node:path";
import type {
  Hone,
  Job,
  ModelFile,
  PruneQuery,
  QuantizeQuery,
  ReportSummary,
  SimplifyQuery,
} from "../../sdk/typescript/src/index.ts";
import { download } from "./download.ts";
import { localModel } from "./local-model.ts";
import { asQuery } from "./option-flags.ts";
import { ProgressBar } from "./progress.ts";

/** Larger models go in parts: a line that breaks then costs one part, and hosts limit a request to 100 MB. */
const ONE_CALL_BYTES = 32 << 20;

const DOING = { quantize: "quantizing", prune: "pruning", simplify: "simplifying" } as const;

export interface CompressFileOptions {
  operation: "quantize" | "prune" | "simplify";
  /** By the API's names. */
  options: Record<string, unknown>;
}

/**
 * Sends `input` with its external data and writes the result to `output` (and its external data beside it); files
 * appear only once they are complete.
 * @throws HoneError when the service refuses, JobError when the job fails
 */
export async function compressFile(
  hone: Hone,
  input: string,
  output: string,
  request: CompressFileOptions,
): Promise<ReportSummary> {
  const { files, bytes } = await localModel(input);
  const [file] = files;
  const bar = new ProgressBar(request.operation);
  try {
    if (file && files.length === 1 && bytes <= ONE_CALL_BYTES) {
      return await inOneCall(hone, file.data, output, request, bar);
    }
    return await byJob(hone, files, output, request, bar);
  } finally {
    bar.clear();
  }
}

async function inOneCall(
  hone: Hone,
  model: Blob,
  output: string,
  { operation, options }: CompressFileOptions,
  bar: ProgressBar,
): Promise<ReportSummary> {
  bar.update(undefined, DOING[operation]);
  const query = asQuery(options);
  const calls = {
    quantize: () => hone.quantize(model, query as QuantizeQuery),
    prune: () => hone.prune(model, query as PruneQuery),
    simplify: () => hone.simplify(model, query as unknown as SimplifyQuery),
  };
  const result = await calls[operation]();
  const body = async () => new Response(await result.bytes()).body;
  await download(output, result.byteLength, body, (received) => {
    bar.update(received / result.byteLength, "receiving");
  });
  return result.summary;
}

async function byJob(
  hone: Hone,
  files: ModelFile[],
  output: string,
  { operation, options }: CompressFileOptions,
  bar: ProgressBar,
): Promise<ReportSummary> {
  const model = await hone.models.upload(files, {
    onProgress: (sent, total) => bar.update(sent / total, "sending"),
  });
  let resultId: string | undefined;
  try {
    const job = await hone.models[operation](model.id, options);
    const done = await hone.jobs.wait(job.id, {
      onEvent: ({ data }) => {
        const { progress } = data as Partial<Job>;
        if (progress) bar.update(progress.fraction, progress.doing);
      },
    });
    if (!done.result || !("report" in done.result)) throw new Error(`${job.id} has no report`);
    resultId = done.result.model_id;
    await fetchModel(hone, resultId, output, bar);
    return done.result.report;
  } finally {
    await hone.models.delete(model.id);
    if (resultId !== undefined) await hone.models.delete(resultId);
  }
}

/** Writes a stored model to `output`, and its external data beside it. */
export async function fetchModel(
  hone: Hone,
  id: string,
  output: string,
  bar: ProgressBar,
): Promise<void> {
  const { bytes: total, external_data } = await hone.models.get(id);
  const external = external_data.reduce((sum, file) => sum + file.bytes, 0);
  const files = [
    ...external_data.map(({ location, bytes }) => ({
      path: join(dirname(output), location),
      location,
      bytes,
    })),
    // The model comes last, so that when it is there, its data is.
    { path: output, location: undefined, bytes: total - external },
  ];
  let before = 0;
  for (const { path, location, bytes } of files) {
    await download(
      path,
      bytes,
      async (from) =>
        (await hone.models.content(id, { from, ...(location === undefined ? {} : { location }) }))
          .body,
      (received) => bar.update((before + received) / total, "receiving"),
    );
    before += bytes;
  }
}
