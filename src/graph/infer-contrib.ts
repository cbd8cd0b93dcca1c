/** @file Rules of com.microsoft's common operators (ONNX Runtime's fusions and quantized forms) and of ai.onnx.ml. */
import { DataType } from "../onnx/data-type.ts";
import { sameAsFirst } from "./infer-elementwise.ts";
import { convolution, SPATIAL } from "./infer-spatial.ts";
import { gemm, layerNormalization, matMul, matMulShape } from "./infer-linear.ts";
import { INDEXING } from "./infer-indexing.ts";
import { SOURCE } from "./infer-source.ts";
import type { InferRule, NodeTypes, RuleTable } from "./infer-rule.ts";
import { broadcast, type Shape, unknownDims } from "./infer-shape.ts";

/** The shape with its last dimension replaced. */
const lastDim = (shape: Shape | undefined, size: Shape[number]): Shape | undefined =>
  shape?.length ? shape.with(-1, size) : undefined;

/** A[…, K] times packed weights of N columns. */
const packedMatMul: InferRule = (n) => [
  { elementType: n.type(0), shape: lastDim(n.shape(0), n.has("N") ? n.int("N", 0) : undefined) },
];

const fusedMatMul: InferRule = (n) => {
  const swapped = (shape: Shape | undefined, flag: string): Shape | undefined =>
    shape && shape.length > 1 && n.int(flag, 0)
      ? [...shape.slice(0, -2), shape.at(-1), shape.at(-2)]
      : shape;
  return [
    {
      elementType: n.type(0),
      shape: matMulShape(swapped(n.shape(0), "transA"), swapped(n.shape(1), "transB")),
    },
  ];
};

/** Data rows by index, unpacked: `bits` codes share a byte when they are stored in uint8. */
const gatherBlockQuantized: InferRule = (n) => {
  const [data, indices] = [n.shape(0), n.shape(1)];
  if (!data || !indices) return [{ elementType: n.type(2) }];
  const rest = data.slice(1);
  const last = rest.at(-1);
  const packing = n.type(0) === DataType.uint8 ? 8 / n.int("bits", 4) : 1;
  if (typeof last === "number") rest[rest.length - 1] = last * packing;
  const plain = n.int("gather_axis", 0) === 0;
  return [
    {
      elementType: n.type(2),
      shape: plain ? [...indices, ...rest] : unknownDims(indices.length + rest.length),
    },
  ];
};

/** QLinearAdd and kin: A, its scale and zero point, B, its scale and zero point, … */
const quantizedBinary: InferRule = (n) => [
  { elementType: n.type(0), shape: broadcast([n.shape(0), n.shape(3)]) },
];

const skipNormalization: InferRule = (n) => {
  const like = { elementType: n.type(0), shape: n.shape(0) };
  const [, statistic = {}] = layerNormalization(n);
  return [like, statistic, statistic, like];
};

/** Input ids [batch, sequence] and the word table's width. */
const embedding =
  (table: number, elementType: (n: NodeTypes) => number | undefined): InferRule =>
  (n) => {
    const ids = n.shape(0);
    const width = n.shape(table)?.[1];
    const out = { elementType: elementType(n), shape: ids && [...ids, width] };
    return [out, { elementType: DataType.int32, shape: ids?.slice(0, 1) }, out];
  };

/** Query [batch, sequence, hidden]; the present key and value have rank 4 (Attention: 5, joined). */
const attention: InferRule = (n) => {
  const elementType = n.type(0);
  const present = { elementType, shape: unknownDims(n.node.opType === "Attention" ? 5 : 4) };
  const shape = n.rank(0) === 3 ? [...(n.shape(0)?.slice(0, 2) ?? []), undefined] : undefined;
  return [{ elementType, shape }, present, present];
};

const FIRST = [
  "BiasAdd",
  "BiasGelu",
  "BiasSoftmax",
  "BitmaskDropout",
  "FastGelu",
  "Gelu",
  "GroupNorm",
  "NhwcMaxPool",
  "QLinearAveragePool",
  "QLinearLeakyRelu",
  "QLinearSigmoid",
  "QLinearSoftmax",
  "QuickGelu",
  "RotaryEmbedding",
  "SkipGroupNorm",
  "Trilu",
  "Inverse",
];

export const MICROSOFT: RuleTable = {
  ...Object.fromEntries(FIRST.map((opType) => [opType, sameAsFirst])),
  Attention: attention,
  MultiHeadAttention: attention,
  GroupQueryAttention: attention,
  DecoderMaskedMultiHeadAttention: attention,
  QAttention: (n) => {
    const shape =
      n.shape(0)?.length === 3 ? [...(n.shape(0)?.slice(0, 2) ?? []), undefined] : undefined;
    const present = { elementType: n.type(3), shape: unknownDims(5) };
    return [{ elementType: n.type(3), shape }, present];
  },
  EmbedLayerNormalization: embedding(2, (n) => n.type(2)),
  QEmbedLayerNormalization: embedding(2, () => DataType.float32),
  LayerNormalization: layerNormalization,
  SimplifiedLayerNormalization: layerNormalization,
  SkipLayerNormalization: skipNormalization,
  SkipSimplifiedLayerNormalization: skipNormalization,
  FusedConv: convolution(1),
  FusedGemm: gemm,
  GemmFloat8: gemm,
  FusedMatMul: fusedMatMul,
  TransposeMatMul: fusedMatMul,
  MatMulNBits: packedMatMul,
  MatMulBnb4: packedMatMul,
  MatMulFpQ4: packedMatMul,
  MatMulIntegerToFloat: matMul(0, 1, (n) => n.type(2)),
  DynamicQuantizeMatMul: matMul(0, 1, (n) => n.type(0)),
  MatMulInteger16: matMul(0, 1, () => DataType.int32),
  QGemm: (n) => {
    const [rows, columns] = [
      n.shape(0)?.[n.int("transA", 0) ? 1 : 0],
      n.shape(3)?.[n.int("transB", 0) ? 0 : 1],
    ];
    const elementType = n.present(8) ? n.type(8) : n.type(1);
    return [{ elementType, shape: [rows, columns] }];
  },
  QLinearAdd: quantizedBinary,
  QLinearMul: quantizedBinary,
  QLinearGlobalAveragePool: (n) => [
    {
      elementType: n.type(0),
      shape: n.shape(0)?.map((dim, axis, all) => {
        const channel = n.int("channels_last", 0) ? all.length - 1 : 1;
        return axis === 0 || axis === channel ? dim : 1;
      }),
    },
  ],
  DynamicQuantizeLSTM: (n) => {
    const directions = n.string("direction", "forward") === "bidirectional" ? 2 : 1;
    const [sequence, batch] = n.shape(0) ?? [];
    const hidden = n.int("hidden_size", 0) || undefined;
    const state = { elementType: n.type(0), shape: [directions, batch, hidden] };
    return [{ elementType: n.type(0), shape: [sequence, directions, batch, hidden] }, state, state];
  },
  GatherBlockQuantized: gatherBlockQuantized,
  QuantizeLinear: SOURCE["QuantizeLinear"] ?? sameAsFirst,
  DequantizeLinear: SOURCE["DequantizeLinear"] ?? sameAsFirst,
  Pad: INDEXING["Pad"] ?? sameAsFirst,
  GridSample: SPATIAL["GridSample"] ?? sameAsFirst,
  Range: SOURCE["Range"] ?? sameAsFirst,
};

const FLOAT_LIKE_FIRST: InferRule = (n) => [{ elementType: DataType.float32, shape: n.shape(0) }];

/** Labels [N] (int64, or strings where the classifier lists strings) and scores [N, classes]. */
const classifier: InferRule = (n) => {
  const strings = n.node.attributes.find(
    (attribute) =>
      attribute.name === "classlabels_strings" &&
      attribute.type === "strings" &&
      attribute.value.length > 0,
  );
  const labels = strings ? DataType.string : DataType.int64;
  return [
    { elementType: labels, shape: [n.shape(0)?.[0]] },
    { elementType: DataType.float32, shape: [n.shape(0)?.[0], undefined] },
  ];
};

const regressor: InferRule = (n) => [
  {
    elementType: DataType.float32,
    shape: [n.shape(0)?.[0], n.int("n_targets", n.int("targets", 1))],
  },
];

export const MACHINE_LEARNING: RuleTable = {
  Binarizer: sameAsFirst,
  Imputer: sameAsFirst,
  Normalizer: FLOAT_LIKE_FIRST,
  Scaler: FLOAT_LIKE_FIRST,
  ArrayFeatureExtractor: (n) => [{ elementType: n.type(0) }],
  FeatureVectorizer: (n) => [
    { elementType: DataType.float32, shape: [n.shape(0)?.[0], undefined] },
  ],
  LinearClassifier: classifier,
  SVMClassifier: classifier,
  TreeEnsembleClassifier: classifier,
  LinearRegressor: regressor,
  SVMRegressor: regressor,
  TreeEnsembleRegressor: regressor,
  TreeEnsemble: (n) => [
    { elementType: n.type(0), shape: [n.shape(0)?.[0], n.int("n_targets", 1)] },
  ],
  OneHotEncoder: (n) => [
    { elementType: DataType.float32, shape: n.shape(0) && [...(n.shape(0) ?? []), undefined] },
  ],
};
