/** @file What the benchmarks' models are made of: seeded weights, made while they are written. */
import { makeTensor } from "../src/graph/build.ts";
import type { Model, Tensor, ValueInfo } from "../src/onnx/model.ts";
import { emptyGraph } from "../src/onnx/read-graph.ts";
import { ComputedData } from "../src/onnx/tensor-data.ts";

export const FLOAT = 1;
const CHUNK = 1 << 18;

/** Weights of standard deviation about 0.02 with a few outliers, the same for the same seed; made while they are written. */
export function weight(name: string, dims: number[], seed: number): Tensor {
  const count = dims.reduce((product, dim) => product * dim, 1);
  const data = new ComputedData(count * 4, async (sink) => {
    let state = (seed * 2_654_435_761 + 1) >>> 0;
    const uniform = () => {
      // xorshift32 (Marsaglia 2003)
      state ^= state << 13;
      state ^= state >>> 17;
      state = (state ^ (state << 5)) >>> 0;
      return state / 2 ** 32;
    };
    const values = new Float32Array(Math.min(CHUNK, count));
    for (let done = 0; done < count; done += values.length) {
      const part = values.subarray(0, Math.min(values.length, count - done));
      for (let i = 0; i < part.length; i++) {
        // Irwin-Hall of four uniforms: variance 1/3.
        const normal = (uniform() + uniform() + uniform() + uniform() - 2) * 1.732;
        part[i] = normal * 0.02 * (uniform() < 5e-5 ? 8 : 1);
      }
      await sink.write(new Uint8Array(part.buffer, 0, part.byteLength));
    }
  });
  return makeTensor(name, FLOAT, dims, data);
}

export const info = (name: string, elementType: number, shape: (string | number)[]): ValueInfo => ({
  name,
  type: { kind: "tensor", elementType, shape },
});

export function emptyModel(name: string): Model {
  return {
    irVersion: 9,
    opsetImports: [{ domain: "", version: 17 }],
    producerName: "hone bench",
    producerVersion: "",
    domain: "",
    modelVersion: 0n,
    docString: "",
    metadata: [],
    functions: [],
    graph: { ...emptyGraph(), name },
  };
}
