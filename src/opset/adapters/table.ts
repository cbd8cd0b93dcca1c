/** @file What each new version of an operator means for a node of the version before: an adapter, or nothing. */
import type { Adapter } from "../node-lift.ts";
import * as experimental from "./experimental.ts";
import * as first from "./first-opsets.ts";
import * as inputs from "./inputs.ts";
import * as normalization from "./normalization.ts";
import * as resample from "./resample.ts";
import { scanOverBatch } from "./scan.ts";
import { overOneAxis } from "./softmax.ts";

/** Adapters by op type (before the step) and the version that they lead to. */
type AdapterTable = Readonly<Record<string, Readonly<Record<number, Adapter>>>>;

const both =
  (one: Adapter, two: Adapter): Adapter =>
  async (lift) => {
    await one(lift);
    await two(lift);
  };

const sameFor = (opTypes: string, versions: Readonly<Record<number, Adapter>>): AdapterTable =>
  Object.fromEntries(opTypes.split(" ").map((opType) => [opType, versions]));

const { dropConsumedInputs, explicitBroadcast } = first;

export const ADAPTERS: AdapterTable = {
  ...sameFor(
    "Abs Ceil Elu Exp Floor HardSigmoid InstanceNormalization LeakyRelu Log Max Mean Min Neg Reciprocal Relu Selu Sigmoid Sqrt Sum Tanh",
    { 6: dropConsumedInputs },
  ),
  ...sameFor("Add Div Mul Sub", { 6: dropConsumedInputs, 7: explicitBroadcast }),
  ...sameFor("And Equal Greater Less Or Pow Xor", { 7: explicitBroadcast }),
  ...sameFor("GRU LSTM RNN", { 7: first.dropOutputSequence }),
  ...sameFor("Hardmax LogSoftmax Softmax", { 13: overOneAxis }),
  ...sameFor(
    "ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSumSquare",
    { 18: inputs.axesToInput },
  ),
  BatchNormalization: {
    6: dropConsumedInputs,
    7: normalization.requireTestStatistics,
    9: normalization.perChannelOnly,
    14: normalization.flagTraining,
  },
  Cast: { 6: first.typeNameToCode },
  Clip: { 6: dropConsumedInputs, 11: inputs.boundsToInputs },
  Concat: { 4: first.requiredAxis },
  DFT: { 20: inputs.dftAxisToInput },
  Dropout: {
    6: dropConsumedInputs,
    7: first.requireTest,
    10: first.maskToBool,
    12: inputs.ratioToInput,
  },
  Gemm: { 6: dropConsumedInputs, 7: first.dropBroadcast },
  GlobalLpPool: { 2: first.integerP },
  GridSample: { 20: resample.renameModes },
  GroupNormalization: { 21: normalization.scaleChannels },
  LpPool: { 2: first.integerP },
  MeanVarianceNormalization: { 9: normalization.listAxes },
  PRelu: { 6: dropConsumedInputs, 7: first.broadcastSlope },
  Pad: { 2: first.renamePaddings, 11: inputs.padsToInputs },
  ReduceSum: { 13: inputs.axesToInput },
  Reshape: { 5: inputs.shapeToInput },
  Resize: { 11: resample.asymmetricResize, 13: resample.sizesOrScales },
  RoiAlign: { 16: resample.unmovedRegions },
  Scan: { 9: scanOverBatch },
  Scatter: {
    11: (lift) => {
      lift.node.opType = "ScatterElements";
    },
  },
  Slice: { 10: inputs.sliceToInputs },
  Split: { 2: inputs.splitToAttribute, 13: inputs.splitToInput, 18: inputs.countEqualParts },
  Squeeze: { 13: inputs.axesToInput },
  Tile: { 6: both(dropConsumedInputs, first.repeatsPerAxis) },
  TopK: { 10: inputs.countToInput },
  Unsqueeze: { 13: inputs.requiredAxesToInput },
  Upsample: { 7: first.listScales, 9: resample.scalesToInput, 10: resample.upsampleToResize },
  // Experimental, so that they are in no version of the standard.
  Affine: { 10: experimental.affine },
  ConstantFill: { 10: experimental.constantFill },
  Crop: { 10: experimental.crop },
  DynamicSlice: { 10: experimental.dynamicSlice },
  GivenTensorFill: { 10: experimental.givenTensorFill },
  ImageScaler: { 10: experimental.imageScaler },
  ParametricSoftplus: { 10: experimental.parametricSoftplus },
  Scale: { 10: experimental.scale },
  ScaledTanh: { 10: experimental.scaledTanh },
};

/** The newest opset whose steps are all classified: in `ADAPTERS` or in `COMPATIBLE`. */
export const LAST_CLASSIFIED_OPSET = 21;

/**
 * Versions that leave every node of the version before as it is: they add types, optional inputs,
 * attributes whose default is the old behaviour, or words. By the version, with what it added.
 */
export const COMPATIBLE: Readonly<Record<number, string>> = {
  // linear_before_reset
  3: "GRU",
  // count_include_pad
  7: "AveragePool",
  // Broadcasting; the Indices output, storage_order
  8: "Max MaxPool Mean Min Sum",
  // Integer types, strings in Cast, one slope shape in PRelu
  9: "Cast Constant Flatten Gemm Greater Less MatMul PRelu",
  // ceil_mode, dilations
  10: "AveragePool MaxPool",
  // Negative axes and indices, optional C of Gemm, mode of DepthToSpace, largest and sorted of TopK, sparse constants
  11:
    "ArgMax ArgMin AveragePool Compress Concat Constant Conv ConvTranspose DepthToSpace Equal Flatten " +
    "Gather Gemm Hardmax If LogSoftmax Loop LpPool MaxPool MaxUnpool NonMaxSuppression OneHot ReduceL1 " +
    "ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum " +
    "ReduceSumSquare Scan Slice Softmax Split Squeeze TopK Unsqueeze",
  // select_last_index, batch_dims, integer types, constants as numbers
  12: "ArgMax ArgMin Clip Constant GatherND Max MaxPool Min Pow ReduceMax ReduceMin",
  // bfloat16, the axis of quantization for scales that are vectors
  13:
    "Abs Add ArgMax ArgMin Cast Ceil Clip Concat Constant DepthToSpace DequantizeLinear Div Dropout " +
    "Equal Erf Exp Expand Flatten Floor Gather GatherElements GatherND Gemm Greater Identity If IsNaN " +
    "LRN Less Log Loop MatMul Max Mean MeanVarianceNormalization Min Mod Mul Neg " +
    "NegativeLogLikelihoodLoss NonZero Pad Pow QuantizeLinear Reciprocal ReduceL1 ReduceL2 ReduceLogSum " +
    "ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSumSquare Relu Reshape " +
    "ScatterElements ScatterND Shape Sigmoid Sign Size Slice SoftmaxCrossEntropyLoss SpaceToDepth Sqrt " +
    "Sub Sum Tanh Tile Transpose",
  // Integer types, layout 0, allowzero 0, sequences in Identity
  14: "Add CumSum Div GRU Identity LSTM Mul RNN Relu Reshape Sub",
  // start and end of Shape, types of the statistics
  15: "BatchNormalization Pow Shape",
  // bfloat16, optionals, reduction of scatters
  16: "GreaterOrEqual Identity If LeakyRelu LessOrEqual Loop PRelu Scan ScatterElements ScatterND Where",
  // ceil_mode and dilations of LpPool, axes of Pad, antialias of Resize, max and min of scatters
  18: "LpPool OptionalGetElement OptionalHasElement Pad Resize ScatterElements ScatterND",
  // float8 with saturate 1, wrap of Pad, dilations of AveragePool, strings in Equal
  19:
    "AveragePool Cast CastLike Constant DequantizeLinear Equal Identity If Loop Pad QuantizeLinear " +
    "Reshape Resize Scan Shape Size",
  // Types; bool in reductions
  20: "ConstantOfShape IsInf IsNaN ReduceMax ReduceMin",
  // int4 and blocks
  21:
    "Cast CastLike Constant ConstantOfShape DequantizeLinear Flatten Identity If Loop Pad QLinearMatMul " +
    "QuantizeLinear Reshape Scan Shape Size Squeeze Transpose Unsqueeze",
};
