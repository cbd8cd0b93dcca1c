/** @file A .npy file in memory as one tensor, of the types that ONNX has. */
import { readNpyHeader, rowMajor } from "../data/npz/npy-header.ts";
import { DataType, elementCount, rawByteLength } from "../onnx/data-type.ts";
import type { HostTensor } from "../runtime/runtime.ts";

/**
 * The array of a .npy file, row-major; arrays in Fortran order are transposed.
 * @throws RangeError naming what does not hold, with both numbers
 */
export function readNpy(bytes: Uint8Array): HostTensor {
  const { dtype, descr, fortran, dims, dataStart } = readNpyHeader(bytes);
  const dataType = DataType[dtype];
  const need = rawByteLength(dataType, elementCount(dims));
  const have = bytes.length - dataStart;
  if (need !== have) {
    throw new RangeError(
      `npy: shape (${dims.join(", ")}) of ${descr} needs ${need} bytes, there are ${have}`,
    );
  }
  const data = bytes.slice(dataStart);
  return { dataType, dims, bytes: fortran && dims.length > 1 ? rowMajor(data, dims) : data };
}
