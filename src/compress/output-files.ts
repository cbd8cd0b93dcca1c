/** @file A chosen candidate as files to write, with progress and cancellation. */
import type { ByteSink } from "../onnx/source.ts";
import type { PlannedFile } from "../onnx/write-model.ts";
import type { Candidate } from "./candidate.ts";
import type { CompressEnvironment, OutputFile } from "./types.ts";

/**
 * @param bytes the candidate's file, where it was made for verification
 * @param trailer what follows it
 */
export function outputFiles(
  { byteLength, plan }: Candidate,
  bytes: Uint8Array | undefined,
  trailer: Uint8Array,
  environment: CompressEnvironment,
): OutputFile[] {
  const progress = new Progress(byteLength + trailer.length, environment);
  const model = bytes ? inMemoryFile(bytes) : plan;
  const files = [outputFile(null, trailer.length > 0 ? followed(model, trailer) : model, progress)];
  const { external } = plan;
  if (external) files.push(outputFile(external.location, external, progress));
  return files;
}

function inMemoryFile(bytes: Uint8Array): PlannedFile {
  return { byteLength: bytes.length, write: async (sink) => await sink.write(bytes) };
}

function followed(file: PlannedFile, trailer: Uint8Array): PlannedFile {
  return {
    byteLength: file.byteLength + trailer.length,
    write: async (sink) => {
      await file.write(sink);
      await sink.write(trailer);
    },
  };
}

function outputFile(location: string | null, file: PlannedFile, progress: Progress): OutputFile {
  return {
    location,
    byteLength: file.byteLength,
    write: (sink) => file.write(progress.watch(sink)),
  };
}

/** Counts what is written, and stops it when the signal says so. */
class Progress {
  readonly #total: number;
  readonly #environment: CompressEnvironment;
  #written = 0;

  constructor(total: number, environment: CompressEnvironment) {
    this.#total = total;
    this.#environment = environment;
  }

  watch(sink: ByteSink): ByteSink {
    return {
      write: (bytes) => {
        this.#environment.signal?.throwIfAborted();
        this.#written += bytes.length;
        this.#environment.onProgress?.(this.#written / this.#total, "writing");
        return sink.write(bytes);
      },
    };
  }
}
