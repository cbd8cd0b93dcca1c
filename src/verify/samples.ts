/** @file Sample inputs that a user gives: an .npz (one array per input) or a single .npy, checked against the model. */
import { unzipSync } from "fflate";
import type { Samples } from "../compress/types.ts";
import { DataType, bitsPerElement, dataTypeName, isDataType } from "../onnx/data-type.ts";
import type { Dimension, Model, ValueInfo } from "../onnx/model.ts";
import type { HostTensor } from "../runtime/runtime.ts";
import { convertTensor } from "./elements.ts";
import { readNpy } from "./npy.ts";
import { kindOfName } from "./input-shape.ts";
import { fedInputs } from "./synthetic.ts";

/** All arrays together, unpacked. */
const MAX_UNPACKED_BYTES = 32 * 1024 * 1024;
const MAX_ARRAYS = 64;
/** Rows beyond these are not run beside a result. */
export const VERIFIED_SAMPLES = 16;

/**
 * The samples in a file. Arrays have the inputs' names (one array alone may have any); numbers are converted to the
 * inputs' element types. Arrays whose first axis holds rows are split into runs of the size that the model declares
 * (one row where it is open); an array that is one sequence, or that fits its input as it is goes into every run.
 * @param most runs that are made of the rows; those beyond are left out
 * @throws RangeError when the file is malformed or does not fit the model, naming the array
 */
export function decodeSamples(file: Uint8Array, model: Model, most = VERIFIED_SAMPLES): Samples {
  const arrays = file[0] === 0x93 ? new Map([["", readNpy(file)]]) : readNpz(file);
  const inputs = fedInputs(model);
  const [only] = inputs;
  const [array] = arrays.values();
  if (inputs.length === 1 && arrays.size === 1 && only && array) {
    return splitRows([fitted(only, array)], most);
  }
  const unknown = [...arrays.keys()].find((name) => !inputs.some((input) => input.name === name));
  if (unknown !== undefined) {
    const names = inputs.map(({ name }) => `"${name}"`).join(", ");
    throw new RangeError(`samples: the model has no input "${unknown}", but ${names}`);
  }
  return splitRows(
    inputs.map((input) => {
      const given = arrays.get(input.name);
      if (!given) throw new RangeError(`samples: the input "${input.name}" has no array`);
      return fitted(input, given);
    }),
    most,
  );
}

function readNpz(file: Uint8Array): Map<string, HostTensor> {
  let unpacked = 0;
  let count = 0;
  let files: Record<string, Uint8Array>;
  try {
    files = unzipSync(file, {
      filter: ({ originalSize }) => {
        unpacked += originalSize;
        count++;
        if (unpacked > MAX_UNPACKED_BYTES || count > MAX_ARRAYS) {
          throw new RangeError(
            `the archive has more than ${MAX_ARRAYS} arrays or ${MAX_UNPACKED_BYTES} bytes`,
          );
        }
        return true;
      },
    });
  } catch (error) {
    throw new RangeError(
      `samples: not an .npz: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
  return new Map(
    Object.entries(files).map(([path, bytes]) => {
      if (!path.endsWith(".npy")) throw new RangeError(`samples: "${path}" is not an .npy file`);
      return [path.slice(0, -4), readNpy(bytes)];
    }),
  );
}

interface FittedArray {
  name: string;
  tensor: HostTensor;
  /** Rows of one run; 0 when the whole array goes into every run. */
  rowsPerRun: number;
}

/** The array as its input wants it: element type, and which part of it is one run. */
function fitted({ name, type }: ValueInfo, array: HostTensor): FittedArray {
  if (
    type?.kind !== "tensor" ||
    !isDataType(type.elementType) ||
    type.elementType === DataType.string
  ) {
    throw new RangeError(`samples: the input "${name}" is not a tensor of numbers`);
  }
  if (bitsPerElement(type.elementType) < 8) {
    throw new RangeError(
      `samples: the input "${name}" is packed ${dataTypeName(type.elementType)}`,
    );
  }
  const tensor = convertTensor(array, type.elementType);
  const { shape } = type;
  if (!shape) return { name, tensor, rowsPerRun: tensor.dims.length > 0 ? 1 : 0 };
  const fits = (dims: number[], from: number): boolean =>
    dims.length === shape.length &&
    shape.slice(from).every((dim, i) => typeof dim !== "number" || dim === dims[from + i]);
  const [first] = shape;
  if (fits(tensor.dims, 0) && typeof first === "number") return { name, tensor, rowsPerRun: 0 };
  if (typeof first === "string" && kindOfName(first) === "sequence" && fits(tensor.dims, 0)) {
    return { name, tensor, rowsPerRun: 0 };
  }
  const rows = tensor.dims[0] ?? 1;
  const rowsPerRun = typeof first === "number" ? first : 1;
  if (!fits(tensor.dims, 1) || rowsPerRun === 0 || rows % rowsPerRun !== 0) {
    throw new RangeError(
      `samples: "${name}" has shape [${tensor.dims.join(", ")}], the input is ${dataTypeName(tensor.dataType)} [${describe(shape)}]`,
    );
  }
  return { name, tensor, rowsPerRun: shape.length === 0 ? 0 : rowsPerRun };
}

function describe(shape: Dimension[]): string {
  return shape.map((dim) => dim ?? "?").join(", ");
}

/** One record per run. */
function splitRows(arrays: FittedArray[], most: number): Samples {
  const split = arrays.filter(({ rowsPerRun }) => rowsPerRun > 0);
  const runs = split.map(({ tensor, rowsPerRun }) => (tensor.dims[0] ?? 0) / rowsPerRun);
  const count = runs[0] ?? 1;
  if (runs.some((other) => other !== count) || count === 0) {
    const rows = split.map(({ name, tensor }) => `"${name}" ${tensor.dims[0]}`).join(", ");
    throw new RangeError(
      `samples: the arrays differ in their number of rows, or have none: ${rows}`,
    );
  }
  return Array.from({ length: Math.min(count, most) }, (_, run) =>
    Object.fromEntries(arrays.map((array) => [array.name, rowsOf(array, run)])),
  );
}

function rowsOf({ tensor, rowsPerRun }: FittedArray, run: number): HostTensor {
  if (rowsPerRun === 0) return tensor;
  const rows = tensor.dims[0] ?? 1;
  const bytesPerRun = (tensor.bytes.length / rows) * rowsPerRun;
  const dims = [rowsPerRun, ...tensor.dims.slice(1)];
  const start = run * bytesPerRun;
  return { dataType: tensor.dataType, dims, bytes: tensor.bytes.slice(start, start + bytesPerRun) };
}
