/**
 * @file A product's operand in blocks through standard ONNX: DequantizeLinear with block_size.
 *
 * The operand keeps its layout: codes and value have the same dims, scales have one entry per block of the
 * contracted axis. ONNX Runtime fuses it with the MatMul, other runtimes take it as it is.
 */
import { makeInt } from "../../graph/attributes.ts";
import { makeNode, makeTensor } from "../../graph/build.ts";
import { sqnrDb } from "../../graph/report.ts";
import type { Weight } from "../../graph/weights.ts";
import { DataType, dataTypeName } from "../../onnx/data-type.ts";
import type { Tensor } from "../../onnx/model.ts";
import { boundedTensor } from "../finite.ts";
import { blockChange, type BlockOutcome } from "./blocks.ts";
import { bandsFit, columnBlocks } from "./column-blocks.ts";
import { type MatMulTarget, matMulTarget } from "./matmul-target.ts";
import type { BlockBits, BlockSettings } from "./options.ts";
import { bytesSaved, type Pass } from "./pass.ts";
import { rowBlocks, rowsFit } from "./row-blocks.ts";

interface CodeType {
  signed: DataType;
  unsigned: DataType;
  /** The first opset whose DequantizeLinear takes the type in blocks, and the IR version that has it. */
  opset: number;
  irVersion: number;
}

const TYPES: Readonly<Record<BlockBits, CodeType>> = {
  2: { signed: DataType.int2, unsigned: DataType.uint2, opset: 25, irVersion: 13 },
  4: { signed: DataType.int4, unsigned: DataType.uint4, opset: 21, irVersion: 10 },
  8: { signed: DataType.int8, unsigned: DataType.uint8, opset: 21, irVersion: 10 },
};

/** @throws RangeError when the model's opset does not have the form */
export function requireBlockOpset(opset: number, settings: BlockSettings): void {
  const need = TYPES[settings.bits].opset;
  if (settings.format === "QDQ" && opset < need) {
    throw new RangeError(
      `quantize: ${settings.bits}-bit blocks in QDQ format need opset ${need}, the model imports ${opset}`,
    );
  }
}

/** Quantizes the weight of MatMul and Gemm in QDQ format. */
export async function quantizeBlocksQdq(
  pass: Pass,
  weight: Weight,
  settings: BlockSettings,
): Promise<BlockOutcome> {
  const { tensor } = weight;
  if (tensor.dataType !== DataType.float32) {
    return { unfit: `${dataTypeName(tensor.dataType)} weights are not packed in blocks` };
  }
  const product = commonProduct(weight);
  if (typeof product === "string") return { unfit: product };
  const { matrix } = product;
  const fits = matrix.transposed ? rowsFit(matrix.rows) : bandsFit(matrix, settings, pass.arena);
  if (!fits || tensor.dims.length !== 2) return { unfit: "the matrix is too wide" };
  const bounded = await boundedTensor(tensor, pass.check, pass.arena);
  if (!bounded) return { kept: "holds NaN or Inf, or a range that overflows" };
  const { bits, blockSize, symmetric } = settings;
  const type = TYPES[bits];
  const change = blockChange(weight, settings);
  const codeType = symmetric ? type.signed : type.unsigned;
  change.to = dataTypeName(codeType);
  const onError = (signal: number, error: number): void => {
    change.sqnrDb = sqnrDb(signal, error);
  };
  const data = matrix.transposed
    ? rowBlocks(bounded, settings, pass.arena, pass.kept, onError)
    : columnBlocks({ ...matrix, tensor: bounded }, settings, pass.arena, pass.kept, onError);
  const axis = matrix.transposed ? 1 : 0;
  const perBlock = tensor.dims.map((dim, at) => (at === axis ? Math.ceil(dim / blockSize) : dim));
  const named = (suffix: string): string => pass.names.fresh(weight.name + suffix);
  const tensors: Tensor[] = [
    makeTensor(named(`_DQ_Q${bits}`), codeType, [...tensor.dims], data.codes),
    makeTensor(named("_DQ_scales"), DataType.float32, perBlock, data.scales),
  ];
  if (!symmetric)
    tensors.push(makeTensor(named("_DQ_zero_points"), codeType, perBlock, data.zeroPoints));
  const node = makeNode(
    "DequantizeLinear",
    tensors.map((each) => each.name),
    [weight.name],
    {
      name: named(`_DQ_Q${bits}`),
      attributes: [makeInt("axis", axis), makeInt("block_size", blockSize)],
    },
  );
  if (bytesSaved(weight, { tensors, nodes: [node] }) <= 0)
    return { unfit: "blocks would not shrink it" };
  for (const each of tensors) {
    weight.scope.graph.initializers.set(each.name, each);
    change.bytesAfter += each.data.byteLength;
  }
  pass.edits.produce(weight, [node]);
  pass.model.irVersion = Math.max(pass.model.irVersion, type.irVersion);
  pass.report.changed.push(change);
  return "quantized";
}

/** One product that stands for all readers: they contract the same stored axis. */
function commonProduct(weight: Weight): MatMulTarget | string {
  let common: MatMulTarget | undefined;
  for (const use of weight.uses) {
    const product = matMulTarget(weight, use);
    if (typeof product === "string") return product;
    common ??= product;
    if (product.matrix.transposed !== common.matrix.transposed)
      return "it is read along different axes";
  }
  return common ?? "nothing reads it";
}
