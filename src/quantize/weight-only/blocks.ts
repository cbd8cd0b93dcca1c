/**
 * @file A weight in blocks: for every node that reads it, or not at all.
 *
 * MatMul and Gemm become MatMulNBits (or MatMulBnb4), Gather becomes GatherBlockQuantized. An embedding
 * that is also the output projection is stored once (see `gather-nodes.ts`).
 */
import { importOpset, makeTensor } from "../../graph/build.ts";
import { sqnrDb, type WeightChange } from "../../graph/report.ts";
import { nodeLabel, type Weight, type WeightUse } from "../../graph/weights.ts";
import { DataType, dataTypeName } from "../../onnx/data-type.ts";
import type { Node, Tensor } from "../../onnx/model.ts";
import { boundedTensor } from "../finite.ts";
import type { BlockData } from "./block-data.ts";
import { BNB4_QUANT_TYPES, bnb4Blocks, bnb4Columns } from "./bnb4-blocks.ts";
import { gatherNodes, packedGatherNodes, unfitGather, unfitPackedGather } from "./gather-nodes.ts";
import { hqqBlocks } from "./hqq-blocks.ts";
import { type BlockNames, matMulBnb4, matMulNBits } from "./matmul-nodes.ts";
import { type MatMulTarget, matMulTarget } from "./matmul-target.ts";
import { columnsFit, type Matrix } from "./matrix.ts";
import type { BlockSettings } from "./options.ts";
import { packedBlocks, packedSizes } from "./packed-blocks.ts";
import { bytesSaved, type Pass } from "./pass.ts";
import { rowBlocks } from "./row-blocks.ts";

/** The first IR version with 4-bit types. */
const INT4_IR_VERSION = 10;

/** The outcome for a weight: quantized, or why blocks are not for it, or why it has to stay float. */
export type BlockOutcome = "quantized" | { unfit: string } | { kept: string };

/** What the readers of a weight turn into; nothing is changed until it is known to pay. */
export interface BlockPlan {
  pass: Pass;
  weight: Weight;
  settings: BlockSettings;
  tensors: Tensor[];
  nodes: Map<WeightUse, Node[]>;
  onError: (signal: number, error: number) => void;
}

/** Quantizes the weight for all its readers in QOperator format. */
export async function quantizeBlocks(
  pass: Pass,
  weight: Weight,
  settings: BlockSettings,
): Promise<BlockOutcome> {
  const { tensor } = weight;
  if (tensor.dataType !== DataType.float32) {
    return { unfit: `${dataTypeName(tensor.dataType)} weights are not packed in blocks` };
  }
  const readers = blockReaders(weight, settings);
  if (typeof readers === "string") return { unfit: readers };
  const bounded = await boundedTensor(tensor, pass.check, pass.arena);
  if (!bounded) return { kept: "holds NaN or Inf, or a range that overflows" };
  const { products, gathers, matrix } = readers;
  const change = blockChange(weight, settings);
  const plan: BlockPlan = {
    pass,
    weight,
    settings,
    tensors: [],
    nodes: new Map(),
    onError: (signal, error) => {
      change.sqnrDb = sqnrDb(signal, error);
    },
  };
  if (matrix) {
    const names = storePacked(plan, { ...matrix, tensor: bounded });
    for (const product of products) plan.nodes.set(product.use, productNodes(plan, product, names));
    packedGatherNodes(plan, gathers, names);
  } else {
    change.to = settings.symmetric ? "int4" : "uint4";
    gatherNodes(plan, gathers, storeRows(plan, bounded));
  }
  return applyPlan(plan, change);
}

interface BlockReaders {
  products: MatMulTarget[];
  gathers: WeightUse[];
  /** The matrix that MatMulNBits' layout holds; `undefined` when rows are gathered from 4-bit types. */
  matrix: Matrix | undefined;
}

/** @returns the readers by kind, or why one of them cannot take blocks */
function blockReaders(weight: Weight, settings: BlockSettings): BlockReaders | string {
  if (weight.isOutput) return "a graph hands the weight out";
  const products: MatMulTarget[] = [];
  const gathers: WeightUse[] = [];
  for (const use of weight.uses) {
    if (use.node.opType === "Gather" && use.node.domain === "") {
      const unfit = unfitGather(weight, use, settings);
      if (unfit) return unfit;
      gathers.push(use);
    } else {
      const product = matMulTarget(weight, use);
      if (typeof product === "string") return product;
      products.push(product);
    }
  }
  const isPacked = products.length > 0 || settings.bits !== 4;
  if (!isPacked) return { products, gathers, matrix: undefined };
  if (gathers.length > 0) {
    const unfit = unfitPackedGather(weight, gathers, settings);
    if (unfit) return unfit;
  }
  const rows = weight.tensor.dims.at(-1) ?? 0;
  const cols = weight.tensor.dims[0] ?? 0;
  const matrix = products[0]?.matrix ?? {
    tensor: weight.tensor,
    rows,
    columns: cols,
    transposed: true,
  };
  const transposed = gathers.length > 0 || matrix.transposed;
  if (products.some((product) => product.matrix.transposed !== transposed)) {
    return "it is read along different axes";
  }
  const isBnb4 = settings.algorithm === "nf4" || settings.algorithm === "fp4";
  if (!columnsFit(matrix, isBnb4 ? bnb4Columns(matrix.rows, settings.blockSize) : 1)) {
    return "the matrix has too many rows";
  }
  return { products, gathers, matrix };
}

/** The report's entry, its sizes and error yet to come. */
export function blockChange(weight: Weight, settings: BlockSettings): WeightChange {
  const { algorithm, bits, blockSize } = settings;
  const isBnb4 = algorithm === "nf4" || algorithm === "fp4";
  const suffix = algorithm === "hqq" ? " (hqq)" : "";
  return {
    name: weight.name,
    node: weight.uses[0] ? nodeLabel(weight.uses[0].node) : "",
    method: isBnb4
      ? `${algorithm} blocks of ${blockSize}`
      : `${bits}-bit blocks of ${blockSize}${suffix}`,
    dims: [...weight.tensor.dims],
    from: dataTypeName(weight.tensor.dataType),
    to: isBnb4 ? algorithm : `uint${bits}`,
    bytesBefore: weight.tensor.data.byteLength,
    bytesAfter: 0,
    sqnrDb: null,
  };
}

/** Adds a tensor to the plan and returns its name; the order of the calls is that in the file. */
function store(
  plan: BlockPlan,
  suffix: string,
  type: DataType,
  dims: number[],
  data: BlockData["codes"],
): string {
  const name = plan.pass.names.fresh(plan.weight.name + suffix);
  plan.tensors.push(makeTensor(name, type, dims, data));
  return name;
}

/** Codes, scales and zero points of MatMulNBits or MatMulBnb4. */
function storePacked(plan: BlockPlan, matrix: Matrix): BlockNames {
  const { pass, settings, onError } = plan;
  const { algorithm, bits, blockSize } = settings;
  const { columns } = matrix;
  const { uint8, float32 } = DataType;
  if (algorithm === "nf4" || algorithm === "fp4") {
    const data = bnb4Blocks(matrix, algorithm, blockSize, pass.arena, pass.kept, onError);
    return {
      codes: store(plan, "_Bnb4", uint8, [data.codes.byteLength], data.codes),
      scales: store(plan, "_absmax", float32, [data.scales.byteLength / 4], data.scales),
      zeroPoints: "",
    };
  }
  const { blocks, blobBytes, zeroPointBytes } = packedSizes(matrix.rows, blockSize, bits);
  const fitted = algorithm === "hqq";
  const data = (fitted ? hqqBlocks : packedBlocks)(
    matrix,
    settings,
    pass.arena,
    pass.kept,
    onError,
  );
  const codes = store(plan, `_Q${bits}`, uint8, [columns, blocks, blobBytes], data.codes);
  const scales = store(
    plan,
    "_scales",
    float32,
    fitted ? [columns * blocks] : [columns, blocks],
    data.scales,
  );
  if (settings.symmetric) return { codes, scales, zeroPoints: "" };
  const zeroPoints = fitted
    ? store(plan, "_zero_points", float32, [columns * blocks], data.zeroPoints)
    : store(plan, "_zero_points", uint8, [columns, zeroPointBytes], data.zeroPoints);
  return { codes, scales, zeroPoints };
}

/** Codes, scales and zero points of GatherBlockQuantized in 4-bit types. */
function storeRows(plan: BlockPlan, tensor: Tensor): BlockNames {
  const { pass, settings, onError } = plan;
  const { dims } = tensor;
  const type = settings.symmetric ? DataType.int4 : DataType.uint4;
  const perBlock = [...dims.slice(0, -1), Math.ceil((dims.at(-1) ?? 0) / settings.blockSize)];
  const data = rowBlocks(tensor, settings, pass.arena, pass.kept, onError);
  const codes = store(plan, "_Q4", type, [...dims], data.codes);
  const scales = store(plan, "_scales", DataType.float32, perBlock, data.scales);
  const zeroPoints = settings.symmetric
    ? ""
    : store(plan, "_zero_points", type, perBlock, data.zeroPoints);
  return { codes, scales, zeroPoints };
}

function productNodes(plan: BlockPlan, product: MatMulTarget, names: BlockNames): Node[] {
  const { pass, settings } = plan;
  const { algorithm } = settings;
  if (algorithm !== "nf4" && algorithm !== "fp4")
    return matMulNBits(pass, product, names, settings);
  const { codes, scales } = names;
  const quantType = BNB4_QUANT_TYPES[algorithm];
  return matMulBnb4(pass, product, { codes, absmax: scales }, settings.blockSize, quantType);
}

function applyPlan(plan: BlockPlan, change: WeightChange): BlockOutcome {
  const { pass, weight, tensors } = plan;
  const nodes = [...plan.nodes.values()].flat();
  const removed = [...plan.nodes.keys()].map((use) => use.node);
  if (bytesSaved(weight, { tensors, nodes, removed }) <= 0)
    return { unfit: "blocks would not shrink it" };
  for (const tensor of tensors) {
    weight.scope.graph.initializers.set(tensor.name, tensor);
    change.bytesAfter += tensor.data.byteLength;
    const isSmall = tensor.dataType === DataType.int4 || tensor.dataType === DataType.uint4;
    if (isSmall) pass.model.irVersion = Math.max(pass.model.irVersion, INT4_IR_VERSION);
  }
  for (const [use, list] of plan.nodes) pass.edits.replace(use.scope.graph, use.node, list);
  pass.edits.dropIfUnused(weight);
  importOpset(pass.model, "com.microsoft", 1);
  pass.report.changed.push(change);
  return "quantized";
}
