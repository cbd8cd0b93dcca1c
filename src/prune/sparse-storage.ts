/**
 * @file A pruned weight as ONNX's SparseTensorProto: the values that are not zero, and where they are.
 *
 * Indices are int64, so a float32 value costs 12 bytes: sparse pays above 66.7 % zeros (float16: 80 %).
 * Both parts are produced from the weight again when they are written; ONNX Runtime makes the tensor
 * dense when it loads the model, so this saves bytes, not time.
 */
import { opsetVersion } from "../graph/build.ts";
import type { Weight } from "../graph/weights.ts";
import type { Arena } from "../kernels/arena.ts";
import { DataType, elementCount, rawByteLength } from "../onnx/data-type.ts";
import type { Model, SparseTensor, Tensor } from "../onnx/model.ts";
import { ComputedData } from "../onnx/tensor-data.ts";
import type { Mask } from "./mask.ts";
import { countNonzero, eachPruned, encoder, type OnError } from "./pruned-data.ts";

/** Elements packed at a time: 512 KiB of indices. */
const BATCH = 1 << 16;

/** Bytes of the values and indices of a sparse tensor. */
function sparseByteLength(dataType: DataType, nonzero: number): number {
  return rawByteLength(dataType, nonzero) + nonzero * 8;
}

/**
 * @param nonzero how many elements are not zero after pruning (`countNonzero`)
 * @param name of the value: the sparse initializer's name is that of its values
 */
function sparseTensor(
  tensor: Tensor,
  name: string,
  mask: Mask,
  nonzero: number,
  arena: Arena,
  onError: OnError,
): SparseTensor {
  const values = new ComputedData(rawByteLength(tensor.dataType, nonzero), async (sink) => {
    const mark = arena.mark();
    const packed = arena.allocate(BATCH * 4);
    const encode = encoder(tensor.dataType, BATCH, arena);
    await eachPruned(
      tensor,
      mask,
      arena,
      async (pointer, count) => {
        for (let done = 0; done < count; done += BATCH) {
          const length = Math.min(BATCH, count - done);
          const x = arena.float32(pointer + done * 4, length);
          const out = arena.float32(packed, BATCH);
          let n = 0;
          for (let i = 0; i < length; i++) {
            const value = x[i] ?? 0;
            out[n] = value;
            n += +(value !== 0);
          }
          if (n > 0) await sink.write(encode(packed, n));
        }
      },
      onError,
    );
    arena.release(mark);
  });
  const indices = new ComputedData(nonzero * 8, async (sink) => {
    const mark = arena.mark();
    const packed = arena.allocate(BATCH * 8);
    await eachPruned(tensor, mask, arena, async (pointer, count, first) => {
      for (let done = 0; done < count; done += BATCH) {
        const length = Math.min(BATCH, count - done);
        const x = arena.float32(pointer + done * 4, length);
        // little-endian int64 as pairs of 32-bit words; indices stay below 2^53
        const words = arena.uint32(packed, BATCH * 2);
        let n = 0;
        for (let i = 0; i < length; i++) {
          if (x[i] === 0) continue;
          const index = first + done + i;
          words[n++] = index;
          words[n++] = Math.floor(index / 0x1_0000_0000);
        }
        if (n > 0) await sink.write(arena.view(packed, n * 4));
      }
    });
    arena.release(mark);
  });
  return {
    values: { ...tensor, name, dims: [nonzero], data: values },
    indices: { name: "", dataType: DataType.int64, dims: [nonzero], data: indices },
    dims: [...tensor.dims],
  };
}

/**
 * Puts the pruned weight into the graph as a sparse tensor where that takes fewer bytes: a Constant
 * node's stays in it, or becomes an initializer where its opset knows no sparse value.
 * @returns the bytes of values and indices, or the reason to stay dense
 */
export async function storeSparse(
  model: Model,
  weight: Weight,
  source: Tensor,
  mask: Mask,
  arena: Arena,
  onError: OnError,
): Promise<{ byteLength: number } | { reason: string }> {
  const { holder, name, scope } = weight;
  // sparse initializers came with IR version 5, Constant's sparse_value with opset 11
  const inNode = holder && (opsetVersion(model) ?? 0) >= 11;
  if (!inNode && model.irVersion < 5) {
    return { reason: `IR version ${model.irVersion} has no sparse initializers` };
  }
  const elements = elementCount(source.dims);
  const nonzero = await countNonzero(source, mask, arena);
  const byteLength = sparseByteLength(source.dataType, nonzero);
  if (byteLength >= source.data.byteLength) {
    const zeros = (((elements - nonzero) / elements) * 100).toFixed(1);
    return {
      reason: `with ${zeros} % zeros the sparse form is ${byteLength} bytes, the dense ${source.data.byteLength}`,
    };
  }
  const value = sparseTensor(source, name, mask, nonzero, arena, onError);
  if (inNode) holder.attributes = [{ name: "sparse_value", type: "sparse_tensor", value }];
  else {
    scope.graph.initializers.delete(name);
    scope.graph.nodes = scope.graph.nodes.filter((node) => node !== holder);
    scope.graph.sparseInitializers.push(value);
  }
  return { byteLength };
}
