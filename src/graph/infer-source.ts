/** @file Rules of operators that make values: constants, shapes, ranges, random numbers, sequences, quantization. */
import { DataType } from "../onnx/data-type.ts";
import type { Dimension } from "../onnx/model.ts";
import type { InferRule, NodeTypes, RuleTable } from "./infer-rule.ts";
import { MAX_FOLLOWED } from "./infer-rule.ts";
import { asDimension, frontAxis, product, unknownDims } from "./infer-shape.ts";

/** The element type of a tensor attribute, or the default where there is none. */
function attributeType(n: NodeTypes, name: string, fallback: number): number {
  const attribute = n.node.attributes.find((candidate) => candidate.name === name);
  return attribute?.type === "tensor" ? attribute.value.dataType : fallback;
}

/** Tensor values are read before inference starts (infer.ts); this covers the other attributes. */
const constant: InferRule = (n) => {
  const attribute = n.node.attributes[0];
  switch (attribute?.type) {
    case "tensor":
      return [{ elementType: attribute.value.dataType, shape: attribute.value.dims }];
    case "sparse_tensor":
      return [{ elementType: attribute.value.values.dataType, shape: attribute.value.dims }];
    case "float":
      return [{ elementType: DataType.float32, shape: [], value: [attribute.value] }];
    case "floats":
      return [{ elementType: DataType.float32, shape: [attribute.value.length] }];
    case "int":
      return [{ elementType: DataType.int64, shape: [], value: [Number(attribute.value)] }];
    case "ints":
      return [
        {
          elementType: DataType.int64,
          shape: [attribute.value.length],
          value: attribute.value.length <= MAX_FOLLOWED ? attribute.value.map(Number) : undefined,
        },
      ];
    case "string":
      return [{ elementType: DataType.string, shape: [] }];
    case "strings":
      return [{ elementType: DataType.string, shape: [attribute.value.length] }];
    default:
      return [];
  }
};

const shapeOf: InferRule = (n) => {
  const shape = n.shape(0);
  const elementType = DataType.int64;
  const part = shape?.slice(n.int("start", 0), n.has("end") ? n.int("end", 0) : undefined);
  return [{ elementType, shape: [part?.length], value: part }];
};

/** A shape given as contents; at least its rank where only their count is known. */
function shapeFrom(n: NodeTypes, input: number): ReturnType<typeof unknownDims> | undefined {
  const length = n.shape(input)?.[0];
  return (
    n.value(input)?.map(asDimension) ??
    (typeof length === "number" ? unknownDims(length) : undefined)
  );
}

const constantOfShape: InferRule = (n) => {
  const shape = shapeFrom(n, 0);
  return [{ elementType: attributeType(n, "value", DataType.float32), shape }];
};

const range: InferRule = (n) => {
  const [start, limit, delta] = [n.value(0)?.[0], n.value(1)?.[0], n.value(2)?.[0]];
  const elementType = n.type(0) ?? n.type(1);
  if (start === 0 && delta === 1 && typeof limit === "string")
    return [{ elementType, shape: [limit] }];
  if (
    typeof start !== "number" ||
    typeof limit !== "number" ||
    typeof delta !== "number" ||
    !delta
  ) {
    return [{ elementType, shape: [undefined] }];
  }
  const length = Math.max(0, Math.ceil((limit - start) / delta));
  const value =
    length <= MAX_FOLLOWED ? Array.from({ length }, (_, i) => start + i * delta) : undefined;
  return [{ elementType, shape: [length], value }];
};

const given: InferRule = (n) => [{ elementType: n.int("dtype", 1), shape: n.ints("shape") }];

const like: InferRule = (n) => [{ elementType: n.int("dtype", 0) || n.type(0), shape: n.shape(0) }];

const window: InferRule = (n) => [
  { elementType: n.int("output_datatype", 1), shape: [asDimension(n.value(0)?.[0])] },
];

const constantFill: InferRule = (n) => {
  const asked = n.present(0) && n.int("input_as_shape", 0) ? shapeFrom(n, 0) : n.shape(0);
  return [{ elementType: n.int("dtype", 1), shape: n.ints("shape") ?? asked }];
};

/** Half the spectrum and its middle; the inverse makes a whole signal of it, of the length asked for. */
function halved(size: Dimension, isAsked: boolean, isInverse: boolean): Dimension {
  if (typeof size !== "number") return undefined;
  if (!isInverse) return Math.floor(size / 2) + 1;
  return isAsked ? size : 2 * (size - 1);
}

const dft: InferRule = (n) => {
  const shape = n.shape(0);
  if (!shape) return [{ elementType: n.type(0) }];
  const axis = n.version >= 20 ? (n.present(2) ? n.numbers(2)?.[0] : -2) : n.int("axis", 1);
  const length = n.present(1) ? n.value(1)?.[0] : undefined;
  const result = shape.with(-1, n.int("onesided", 0) && n.int("inverse", 0) ? 1 : 2);
  if (axis === undefined) return [{ elementType: n.type(0), shape: unknownDims(shape.length) }];
  const at = frontAxis(axis, shape.length);
  const size = n.present(1) ? length : shape[at];
  result[at] = n.int("onesided", 0) ? halved(size, n.present(1), n.int("inverse", 0) !== 0) : size;
  return [{ elementType: n.type(0), shape: result }];
};

/** [batch, frames, bins, 2] */
const stft: InferRule = (n) => {
  const length = n.value(3)?.[0] ?? n.shape(2)?.[0];
  const step = n.value(1)?.[0];
  const signal = n.shape(0)?.[1];
  const isNumber = typeof length === "number";
  const frames =
    typeof signal === "number" && isNumber && typeof step === "number"
      ? Math.floor((signal - length) / step) + 1
      : undefined;
  const bins = n.int("onesided", 1) && isNumber ? Math.floor(length / 2) + 1 : length;
  return [{ elementType: n.type(0), shape: [n.shape(0)?.[0], frames, asDimension(bins), 2] }];
};

const sequenceItem: InferRule = (n) => [n.input(0).sequenceOf ?? {}];

/** The element type of a sequence, with only what all its elements share unknown but the type. */
const sequenceOfInput =
  (index: number): InferRule =>
  (n) => [{ sequenceOf: { elementType: n.input(index).sequenceOf?.elementType ?? n.type(index) } }];

const concatFromSequence: InferRule = (n) => [{ elementType: n.input(0).sequenceOf?.elementType }];

const quantize: InferRule = (n) => [
  {
    elementType: (n.present(2) ? n.type(2) : n.int("output_dtype", 0)) || DataType.uint8,
    shape: n.shape(0),
  },
];

const dequantize: InferRule = (n) => [
  { elementType: n.int("output_dtype", 0) || (n.type(1) ?? DataType.float32), shape: n.shape(0) },
];

export const SOURCE: RuleTable = {
  Constant: constant,
  ConstantOfShape: constantOfShape,
  ConstantFill: constantFill,
  GivenTensorFill: (n) => [{ elementType: DataType.float32, shape: n.ints("shape") }],
  EyeLike: like,
  Shape: shapeOf,
  Size: (n) => {
    const size = n.shape(0) && product(n.shape(0) ?? []);
    return [
      { elementType: DataType.int64, shape: [], value: size === undefined ? undefined : [size] },
    ];
  },
  Range: range,
  RandomNormal: given,
  RandomUniform: given,
  RandomNormalLike: like,
  RandomUniformLike: like,
  Multinomial: (n) => [
    {
      elementType: n.int("dtype", DataType.int32),
      shape: [n.shape(0)?.[0], n.int("sample_size", 1)],
    },
  ],
  BlackmanWindow: window,
  HammingWindow: window,
  HannWindow: window,
  MelWeightMatrix: (n) => {
    const length = n.value(1)?.[0];
    const bins = typeof length === "number" ? Math.floor(length / 2) + 1 : undefined;
    return [
      { elementType: n.int("output_datatype", 1), shape: [bins, asDimension(n.value(0)?.[0])] },
    ];
  },
  DFT: dft,
  STFT: stft,
  NonMaxSuppression: () => [{ elementType: DataType.int64, shape: [undefined, 3] }],
  QuantizeLinear: quantize,
  DequantizeLinear: dequantize,
  DynamicQuantizeLinear: (n) => [
    { elementType: DataType.uint8, shape: n.shape(0) },
    { elementType: DataType.float32, shape: [] },
    { elementType: DataType.uint8, shape: [] },
  ],
  SequenceConstruct: (n) => [{ sequenceOf: { elementType: n.type(0) } }],
  SequenceEmpty: (n) => [{ sequenceOf: { elementType: n.int("dtype", 1) } }],
  SequenceInsert: (n) => [
    { sequenceOf: { elementType: n.type(1) ?? n.input(0).sequenceOf?.elementType } },
  ],
  SequenceErase: sequenceOfInput(0),
  SplitToSequence: sequenceOfInput(0),
  SequenceAt: sequenceItem,
  SequenceLength: () => [{ elementType: DataType.int64, shape: [] }],
  ConcatFromSequence: concatFromSequence,
  Optional: (n) => [{ sequenceOf: n.input(0) }],
  OptionalGetElement: (n) => [n.input(0).sequenceOf ?? n.input(0)],
  OptionalHasElement: () => [{ elementType: DataType.bool, shape: [] }],
  RegexFullMatch: (n) => [{ elementType: DataType.bool, shape: n.shape(0) }],
  StringConcat: (n) => [{ elementType: DataType.string, shape: n.shape(0) ?? n.shape(1) }],
  StringNormalizer: (n) => [
    { elementType: DataType.string, shape: n.shape(0) && unknownDims(n.shape(0)?.length ?? 0) },
  ],
  StringSplit: (n) => [
    { elementType: DataType.string, shape: n.shape(0) && [...(n.shape(0) ?? []), undefined] },
    { elementType: DataType.int64, shape: n.shape(0) },
  ],
  TfIdfVectorizer: (n) => {
    const columns = Math.max(-1, ...(n.ints("ngram_indexes") ?? [])) + 1;
    return [
      {
        elementType: DataType.float32,
        shape: n.shape(0) && [...(n.shape(0)?.slice(0, -1) ?? []), columns],
      },
    ];
  },
  ImageDecoder: () => [{ elementType: DataType.uint8, shape: [undefined, undefined, undefined] }],
};
