/** @file Options of weight-only quantization: names and defaults, checked and completed. */

export interface WeightOnlyOptions {
  /** Bits per weight: 2, 4 or 8 (default 8). */
  bits?: number;
  /**
   * Weights that share a scale, along the contracted axis: 16, 32, 64, 128 or 256 (default 32, bnb4: 64).
   * With 8 bits and no block size, each channel has one scale and the ops stay standard ONNX.
   */
  block_size?: number;
  /** Blocks only: no zero points (default false, as MatMulNBitsQuantizer). */
  is_symmetric?: boolean;
  /** MatMulNBits' attribute of that name, 0 … 4 (default 0: not written). */
  accuracy_level?: number;
  /** `QOperator`: MatMulNBits and GatherBlockQuantized; `QDQ`: DequantizeLinear with blocks, opset 21 (default QOperator). */
  quant_format?: "QOperator" | "QDQ";
  /** `rtn` (MatMulNBitsQuantizer's "default"), `hqq`, or `bnb4` (MatMulBnb4). */
  algorithm?: "rtn" | "hqq" | "bnb4";
  /** The code of bnb4 (default nf4). */
  quant_type?: "fp4" | "nf4";
  /** Per channel: `qint8` symmetric (default) or `quint8` asymmetric. */
  weight_type?: "qint8" | "quint8";
  /** Per channel (default) or, when false, one scale per tensor. */
  per_channel?: boolean;
  nodes_to_quantize?: readonly string[];
  nodes_to_exclude?: readonly string[];
  op_types_to_quantize?: readonly string[];
}

export type BlockBits = 2 | 4 | 8;

/** How blocks are made; absent for 8 bits per channel. */
export interface BlockSettings {
  algorithm: "rtn" | "hqq" | "fp4" | "nf4";
  bits: BlockBits;
  blockSize: number;
  symmetric: boolean;
  accuracyLevel: number;
  format: "QOperator" | "QDQ";
}

export interface WeightOnlySettings {
  blocks: BlockSettings | undefined;
  /** Weights that do not go into blocks: 8 bits through DequantizeLinear. */
  type: "int8" | "uint8";
  perChannel: boolean;
}

/** Sizes that ONNX Runtime has kernels for. */
const BLOCK_SIZES: readonly number[] = [16, 32, 64, 128, 256];
/** bitsandbytes' own default; ONNX Runtime's quantizer takes any power of two from 16 on. */
const BNB4_BLOCK_SIZE = 64;
const MOST_ACCURACY_LEVEL = 4;

/**
 * Completes the options with their defaults.
 * @throws RangeError for values outside the lists above, and for combinations that ONNX Runtime does not have
 */
export function weightOnlySettings(options: WeightOnlyOptions): WeightOnlySettings {
  const algorithm = options.algorithm ?? "rtn";
  const bits = options.bits ?? (algorithm === "rtn" ? 8 : 4);
  if (bits !== 2 && bits !== 4 && bits !== 8) {
    throw new RangeError(`quantize: bits is ${bits}, not 2, 4 or 8`);
  }
  const type = options.weight_type === "quint8" ? "uint8" : "int8";
  const perChannel = options.per_channel ?? true;
  if (bits === 8 && options.block_size === undefined && algorithm === "rtn") {
    return { blocks: undefined, type, perChannel };
  }
  return { blocks: blockSettings(options, bits, algorithm), type, perChannel };
}

function blockSettings(
  options: WeightOnlyOptions,
  bits: BlockBits,
  algorithm: "rtn" | "hqq" | "bnb4",
): BlockSettings {
  const blockSize = options.block_size ?? (algorithm === "bnb4" ? BNB4_BLOCK_SIZE : 32);
  const accuracyLevel = options.accuracy_level ?? 0;
  const format = options.quant_format ?? "QOperator";
  if (!BLOCK_SIZES.includes(blockSize)) {
    throw new RangeError(`quantize: block_size is ${blockSize}, not ${BLOCK_SIZES.join(", ")}`);
  }
  if (
    !(Number.isInteger(accuracyLevel) && accuracyLevel >= 0 && accuracyLevel <= MOST_ACCURACY_LEVEL)
  ) {
    throw new RangeError(
      `quantize: accuracy_level is ${accuracyLevel}, not 0 … ${MOST_ACCURACY_LEVEL}`,
    );
  }
  if (algorithm !== "rtn" && format === "QDQ") {
    throw new RangeError(`quantize: algorithm ${algorithm} has no quant_format QDQ`);
  }
  if (algorithm === "bnb4" && bits !== 4) {
    throw new RangeError(`quantize: bnb4 has 4 bits, not ${bits}`);
  }
  if (algorithm === "hqq" && bits === 8) {
    // no CPU kernel of ONNX Runtime takes 8-bit codes with float zero points
    throw new RangeError("quantize: hqq has 2 or 4 bits, not 8");
  }
  if (algorithm === "hqq" && options.is_symmetric) {
    throw new RangeError("quantize: hqq fits its zero points, is_symmetric is not for it");
  }
  return {
    algorithm: algorithm === "bnb4" ? (options.quant_type ?? "nf4") : algorithm,
    bits,
    blockSize,
    symmetric: options.is_symmetric ?? false,
    accuracyLevel,
    format,
  };
}
