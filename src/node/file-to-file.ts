/** @file A compression from file to file in one Node process, without the service. */
import { dirname, join } from "node:path";
import { compress } from "../compress/compress.ts";
import type { CompressEnvironment, CompressionReport, CompressRequest } from "../compress/types.ts";
import { kernelModule } from "../kernels/node.ts";
import { NonFiniteWeightError } from "../quantize/finite.ts";
import { externalBeside, FileSink, FileSource } from "./file-source.ts";

/**
 * Compresses the model at `input` into `output`; external data goes beside it.
 *
 * A file can be started again, so weights are taken for finite and read once where that is possible. When one is
 * not, the output is written anew.
 * @throws as `compress` does
 */
export async function compressFile(
  input: string,
  output: string,
  request: CompressRequest,
  environment: Omit<CompressEnvironment, "kernels" | "check"> = {},
): Promise<CompressionReport> {
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
