/** @file SparseTensorProto: values, where they are, and the dims of the tensor they are in. */
import { DataType, dataTypeName, elementCount } from "./data-type.ts";
import type { SparseTensor, Tensor } from "./model.ts";
import { checkDims, readTensor } from "./read-tensor.ts";
import type { Reading } from "./reading.ts";
import { UnknownFields } from "./unknown-fields.ts";

export function readSparseTensor(reading: Reading, end: number): SparseTensor {
  const { wire } = reading;
  const start = wire.position;
  const dims: bigint[] = [];
  const unknown = new UnknownFields(wire);
  let values: Tensor | undefined;
  let indices: Tensor | undefined;
  while (wire.next(end)) {
    if (wire.field === 1) values = readTensor(reading, wire.length(end));
    else if (wire.field === 2) indices = readTensor(reading, wire.length(end));
    else if (wire.field === 3) wire.int64s(end, dims);
    else unknown.keep(end);
  }
  if (!values || !indices)
    throw reading.invalid("a sparse tensor has no values or no indices", start);
  if (indices.dataType !== DataType.int64) {
    throw reading.invalid(
      `the indices of "${values.name}" are ${dataTypeName(indices.dataType)}, not int64`,
      start,
    );
  }
  const nonZeros = elementCount(values.dims);
  const perEntry = indices.dims.length === 2 ? dims.length : 1;
  if (elementCount(indices.dims) !== nonZeros * perEntry) {
    throw reading.invalid(
      `"${values.name}" has ${nonZeros} values, indices [${indices.dims}]`,
      start,
    );
  }
  const sparse: SparseTensor = {
    values,
    indices,
    dims: checkDims(reading, dims, values.name, start),
  };
  return Object.assign(sparse, unknown.property);
}
