/**
 * @file The indices of sparse tensors, in initializers and attributes: inside the tensor, ascending, each once.
 *
 * Source: SparseTensorProto in onnx.proto. ONNX Runtime writes to where an index points, so a bad one must not pass.
 */
import { elementCount } from "../onnx/data-type.ts";
import { OnnxError } from "../onnx/errors.ts";
import type { Graph, Model, Node, SparseTensor } from "../onnx/model.ts";
import { subgraphs } from "./attributes.ts";

/** Read at a time, and a whole number of int64. */
const CHUNK_BYTES = 1 << 18;

/** @throws OnnxError `invalid_model` naming the tensor and the entry */
export async function checkSparse(model: Model): Promise<void> {
  await checkGraph(model.graph);
  for (const { nodes } of model.functions) await checkNodes(nodes);
}

async function checkGraph(graph: Graph): Promise<void> {
  for (const sparse of graph.sparseInitializers) await checkIndices(sparse);
  await checkNodes(graph.nodes);
}

async function checkNodes(nodes: readonly Node[]): Promise<void> {
  for (const node of nodes) {
    for (const attribute of node.attributes) {
      if (attribute.type === "sparse_tensor") await checkIndices(attribute.value);
      if (attribute.type !== "sparse_tensors") continue;
      for (const sparse of attribute.value) await checkIndices(sparse);
    }
    for (const body of subgraphs(node)) await checkGraph(body);
  }
}

async function checkIndices({ values, indices, dims }: SparseTensor): Promise<void> {
  const { name } = values;
  // One index a value counts row-major; one row of coordinates a value is the other form.
  const extents = indices.dims.length === 2 ? dims : [elementCount(dims)];
  const total = elementCount(indices.dims);
  const bytes = new Uint8Array(Math.min(CHUNK_BYTES, total * 8));
  const view = new DataView(bytes.buffer);
  let [last, place, axis, entry] = [-1, 0, 0, 0];
  for (let at = 0; at < total * 8; at += bytes.length) {
    const length = Math.min(bytes.length, total * 8 - at);
    await indices.data.read(at, bytes.subarray(0, length));
    for (let offset = 0; offset < length; offset += 8) {
      const index = Number(view.getBigInt64(offset, true));
      const extent = extents[axis] ?? 0;
      if (index < 0 || index >= extent) {
        throw invalid(name, entry, `is ${index}, outside of dims [${dims}]`);
      }
      place = place * extent + index;
      if (++axis < extents.length) continue;
      if (place <= last) throw invalid(name, entry, "does not come after the one before");
      [last, place, axis, entry] = [place, 0, 0, entry + 1];
    }
  }
}

function invalid(name: string, entry: number, problem: string): OnnxError {
  return new OnnxError("invalid_model", `index ${entry} of the sparse tensor "${name}" ${problem}`);
}
