/** @file Gradients as they are read from the device, into frames that are full but for the last of each kind of float. */
import type { ResidentOutputs } from "../../runtime/resident.ts";
import { FRAME, type LinkEntry, type OpenFrame, openFrame } from "../gradient-link.ts";
import { TaskFault } from "../task-kit.ts";
import type { VectorEncoding } from "../vector-encoding.ts";

export interface GradientsOut {
  run: number;
  /** In the vector's order, without gaps. */
  entries: readonly LinkEntry[];
  encoding: VectorEncoding;
  /** What the codec has lost so far of the elements that it is for. */
  residual: Float32Array;
}

/** @throws TaskFault where an output is not there, or is not as long as its entry */
export async function* gradientFrames(
  outputs: ResidentOutputs,
  { run, entries, encoding, residual }: GradientsOut,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  let element = 0;
  let filled = 0;
  let open: OpenFrame | undefined;
  for (const { gradient: name, length } of entries) {
    const values = await gradientOf(outputs, name, length);
    for (let at = 0; at < length;) {
      const offset = encoding.offsetOf(element);
      open ??= openFrame(FRAME.gradient, { run, offset });
      const count = Math.min(length - at, encoding.fitting(element, open.data.length - filled));
      const next = element + count;
      const bytes = encoding.offsetOf(next) - offset;
      // Copied by it, since the output's memory is ONNX Runtime's.
      encoding.encode(
        element,
        values.subarray(at, at + count),
        open.data.subarray(filled, filled + bytes),
        residual.subarray(element, next),
      );
      at += count;
      element = next;
      filled += bytes;
      const isFull = encoding.fitting(element, open.data.length - filled) === 0;
      if (!isFull && element !== encoding.coded) continue;
      yield open.close(filled);
      filled = 0;
      open = undefined;
    }
  }
}

async function gradientOf(
  outputs: ResidentOutputs,
  name: string,
  length: number,
): Promise<Float32Array> {
  const output = await outputs.read(name);
  if (output?.bytes.length === 4 * length) {
    return new Float32Array(output.bytes.buffer, output.bytes.byteOffset, length);
  }
  throw new TaskFault(
    `output "${name}" has ${output?.bytes.length ?? "no"} bytes, ${4 * length} are needed`,
  );
}
