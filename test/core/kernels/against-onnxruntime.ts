/** @file What the kernels make of an input, under the names of test/goldens/kernels/generate.py. */
import { packMatrix } from "../../../src/kernels/pack-matrix.ts";
import { arena, guarded, kernels } from "./guarded.ts";

type Arrays = (Uint8Array | Uint16Array | Float32Array)[];

export interface AffineParameters {
  readonly scale: number;
  readonly zeroPoint: number;
}

/** `affine/TYPE`: a whole tensor's codes. */
export function affine(
  name: string,
  x: Float32Array,
  { scale, zeroPoint }: AffineParameters,
): Arrays {
  const kernel = {
    int8: kernels.quantizeInt8,
    "int8-asymmetric": kernels.quantizeInt8,
    uint8: kernels.quantizeUint8,
    int16: kernels.quantizeInt16,
    uint16: kernels.quantizeUint16,
  }[name];
  if (!kernel) throw new RangeError(`affine "${name}" is unknown`);
  const bytes = x.length * (name.endsWith("16") ? 2 : 1);
  return guarded((memory) => {
    const out = memory.room(bytes);
    kernel(memory.put(x), x.length, out, scale, zeroPoint);
    return [memory.bytes(out, bytes)];
  });
}

/** Symmetric int8 per column of a matrix whose column ranges the kernels find. */
export function int8Columns(x: Float32Array, cols: number): Arrays {
  const rows = x.length / cols;
  return guarded((memory) => {
    const input = memory.put(x);
    const bits = memory.put(new Int32Array(cols));
    kernels.columnAbsMaxBits(input, rows, cols, bits);
    const most = memory.take(bits, new Float32Array(cols));
    const scales = most.map((extreme) => {
      const scale = Math.fround(2 * extreme) / 254;
      return scale < 1.17549435e-38 ? 1 : scale;
    });
    const out = memory.room(x.length);
    const zeros = memory.put(new Int8Array(cols));
    kernels.quantizeInt8Columns(input, rows, cols, out, memory.put(scales), zeros);
    return [memory.bytes(out, x.length), scales];
  });
}

export function halves(x: Float32Array): Arrays {
  return guarded((memory) => {
    const out = memory.room(x.length * 2);
    kernels.float16FromFloat32(memory.put(x), x.length, out, 5.96e-8, 65504);
    return [memory.take(out, new Uint16Array(x.length))];
  });
}

export function bfloat16(x: Float32Array): Arrays {
  return guarded((memory) => {
    const out = memory.room(x.length * 2);
    kernels.bfloat16FromFloat32(memory.put(x), x.length, out);
    return [memory.take(out, new Uint16Array(x.length))];
  });
}

/** `FORMAT/BLOCK` or `FORMAT/BLOCK-symmetric` of the row-major matrix x. */
export function blocks(name: string, x: Float32Array, cols: number): Arrays {
  const [format = "", how = ""] = name.split("/");
  const symmetric = how.endsWith("-symmetric");
  const blockSize = Number.parseInt(how, 10);
  if (format.startsWith("matmul-")) {
    const bits = Number(format.slice(7)) as 2 | 4 | 8;
    const shape = { rows: x.length / cols, cols };
    const { packed, scales, zeroPoints } = packMatrix(
      x,
      shape,
      { bits, blockSize, symmetric },
      arena,
    );
    return [packed, scales, zeroPoints];
  }
  if (format === "fp4" || format === "nf4") return bnb4(format, x, blockSize);
  const gather = format === "gather-4";
  if (!gather && format !== "qdq-4") throw new RangeError(`blocks "${name}" is unknown`);
  return inPlaceLayout(gather, x, cols, blockSize, symmetric);
}

function inPlaceLayout(
  alongRows: boolean,
  x: Float32Array,
  cols: number,
  blockSize: number,
  symmetric: boolean,
): Arrays {
  const rows = x.length / cols;
  const count = alongRows ? rows * Math.ceil(cols / blockSize) : Math.ceil(rows / blockSize) * cols;
  const bytes = (codes: number) => Math.ceil(codes / 2);
  return guarded((memory) => {
    const input = memory.put(x);
    const q = memory.room(x.length);
    const s = memory.room(count * 4);
    const z = memory.put(new Uint8Array(count));
    const flag = Number(symmetric);
    if (alongRows) {
      kernels.quantizeRowBlocks(input, rows, cols, blockSize, 4, flag, flag, q, s, z);
    } else {
      kernels.quantizeColumnBlocks(input, rows, cols, blockSize, 4, flag, q, s, z);
    }
    kernels.packCodes(q, x.length, 4, q);
    kernels.packCodes(z, count, 4, z);
    // NumPy's path hands out no zero points where there are none, the other one zeros
    const zeroPoints = symmetric && alongRows ? 0 : bytes(count);
    return [
      memory.bytes(q, bytes(x.length)),
      memory.take(s, new Float32Array(count)),
      memory.bytes(z, zeroPoints),
    ];
  });
}

function bnb4(format: "fp4" | "nf4", x: Float32Array, blockSize: number): Arrays {
  return guarded((memory) => {
    const out = memory.room(Math.ceil(x.length / 2));
    const absmax = memory.room(Math.ceil(x.length / blockSize) * 4);
    kernels.packBnb4(memory.put(x), x.length, blockSize, format === "nf4" ? 1 : 0, out, absmax);
    return [
      memory.bytes(out, Math.ceil(x.length / 2)),
      memory.take(absmax, new Float32Array(Math.ceil(x.length / blockSize))),
    ];
  });
}
