/** @file A compression from file to file in one Node process, without the service. */
import { dirname, join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { compress } from "../compress/compress.ts";
import type { CompressEnvironment, CompressionReport, CompressRequest } from "../compress/types.ts";
import { kernelModule } from "../kernels/node.ts";
import { NonFiniteWeightError } from "../quantize/finite.ts";
import { externalBeside, FileSink, FileSource } from "./file-source.ts";

/**
 * Keeps V8's young generation at its first size. What a conversion allocates dies at once, and a larger one would only
 * add 4 to 5 MB to the process.
 */
const SMALL_YOUNG_GENERATION = "--semi-space-growth-factor=1";

/**
 * Compresses the model at `input` into `output`; external data goes beside it.
 *
 * A file can be started again, so weights are taken for finite and read once where that is possible. When one is
 * not, the output is written anew. The process takes less than 80 MB for a model of 430 MB; for
 * that V8's young generation is kept small, in the whole process.
 * @throws as `compress` does
 */
export async function compressFile(
  input: string,
  output: string,
  request: CompressRequest,
  environment: Omit<CompressEnvironment, "kernels" | "check"> = {},
): Promise<CompressionReport> {
  setFlagsFromString(SMALL_YOUNG_GENERATION);
  try {
    return await write("while_writing");
  } catch (error) {
    if (!(error instanceof NonFiniteWeightError)) throw error;
    return await write("before");
  }

  async function write(check: "before" | "while_writing"): Promise<CompressionReport> {
    const source = new FileSource(input);
    try {
      const model = { source, external: externalBeside(input) };
      const kernels = await kernelModule();
      const { report, files } = await compress(model, request, { ...environment, kernels, check });
      for (const file of files) {
        const sink = new FileSink(
          file.location === null ? output : join(dirname(output), file.location),
        );
        try {
          await file.write(sink);
        } finally {
          sink.close();
        }
      }
      return report;
    } finally {
      source.close();
    }
  }
}
