/** @file Sparse initializers, as pruning stores them, as plain ones: weights are trained dense. */
import { bitsPerElement, dataTypeName, elementCount, rawByteLength } from "../onnx/data-type.ts";
import type { Graph, SparseTensor, Tensor } from "../onnx/model.ts";
import { ComputedData, readAll } from "../onnx/tensor-data.ts";

/**
 * Replaces the sparse initializers by dense ones, whose bytes are made when they are read.
 * @throws RangeError for elements of less than a byte
 */
export function makeDense(graph: Graph): void {
  for (const sparse of graph.sparseInitializers) {
    const { name } = sparse.values;
    graph.initializers.set(name, denseTensor(sparse));
  }
  graph.sparseInitializers = [];
}

function denseTensor({ values, indices, dims }: SparseTensor): Tensor {
  const bytesPerElement = bitsPerElement(values.dataType) / 8;
  if (!Number.isInteger(bytesPerElement) || bytesPerElement === 0) {
    throw new RangeError(
      `autodiff: sparse "${values.name}" holds ${dataTypeName(values.dataType)}, which has no whole bytes`,
    );
  }
  const byteLength = rawByteLength(values.dataType, elementCount(dims));
  const data = new ComputedData(byteLength, async (sink) => {
    const dense = new Uint8Array(byteLength);
    const from = await readAll(values.data);
    const places = new BigInt64Array(new Uint8Array(await readAll(indices.data)).buffer);
    const count = elementCount(values.dims);
    for (let i = 0; i < count; i++) {
      const at = place(places, i, indices.dims, dims) * bytesPerElement;
      dense.set(from.subarray(i * bytesPerElement, (i + 1) * bytesPerElement), at);
    }
    await sink.write(dense);
  });
  return { name: values.name, dataType: values.dataType, dims: [...dims], data };
}

/** The position in row-major order, of linear indices [nnz] or of coordinates [nnz, rank]. */
function place(
  places: BigInt64Array,
  index: number,
  indexDims: readonly number[],
  dims: readonly number[],
): number {
  if (indexDims.length === 1) return Number(places[index] ?? 0n);
  return dims.reduce(
    (position, size, axis) => position * size + Number(places[index * dims.length + axis] ?? 0n),
    0,
  );
}
