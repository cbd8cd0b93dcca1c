/** @file Rules of convolutions, pools and resampling: [N, C, D1, …, Dn] and its spatial dimensions. */
import { DataType } from "../onnx/data-type.ts";
import type { Dimension } from "../onnx/model.ts";
import { sameAsFirst } from "./infer-elementwise.ts";
import type { InferRule, NodeTypes, RuleTable } from "./infer-rule.ts";
import { add, asDimension, frontAxis, scaled, type Shape, unknownDims } from "./infer-shape.ts";

/** The spatial output of a sliding window; `kernel` gives its extent, dims of the input after N and C. */
function slide(n: NodeTypes, spatial: Shape, kernel: Shape): Shape {
  const strides = n.ints("strides");
  const dilations = n.ints("dilations");
  const pads = n.ints("pads");
  const autoPad = n.string("auto_pad", "NOTSET");
  return spatial.map((size, axis) => {
    const window = kernel[axis];
    const stride = strides?.[axis] ?? 1;
    if (autoPad.startsWith("SAME")) {
      if (stride === 1) return size;
      return typeof size === "number" ? Math.ceil(size / stride) : undefined;
    }
    if (typeof window !== "number") return undefined;
    const extent = (dilations?.[axis] ?? 1) * (window - 1) + 1;
    const before = autoPad === "VALID" ? 0 : (pads?.[axis] ?? 0);
    const after = autoPad === "VALID" ? 0 : (pads?.[axis + spatial.length] ?? 0);
    if (stride === 1 && before + after === extent - 1) return size;
    if (typeof size !== "number") return undefined;
    const room = size + before + after - extent;
    if (!n.int("ceil_mode", 0)) return Math.floor(room / stride) + 1;
    const windows = Math.ceil(room / stride) + 1;
    // A last window that would start in the padding after the input is left out.
    return (windows - 1) * stride >= size + before ? windows - 1 : windows;
  });
}

/** Convolution of input 0 with the weights [M, C/group, …kernel] of input `weights`. */
export const convolution =
  (weights: number, elementType?: (n: NodeTypes) => number | undefined): InferRule =>
  (n) => {
    const type = elementType ? elementType(n) : n.type(0);
    const [data, weight] = [n.shape(0), n.shape(weights)];
    const rank = data?.length ?? weight?.length;
    if (rank === undefined) return [{ elementType: type }];
    const kernel = weight?.slice(2) ?? n.ints("kernel_shape") ?? unknownDims(rank - 2);
    const spatial = slide(n, data?.slice(2) ?? unknownDims(rank - 2), kernel);
    return [{ elementType: type, shape: [data?.[0], weight?.[0], ...spatial] }];
  };

/** y = stride·(x − 1) + output_padding + dilation·(k − 1) + 1 − pads. */
const convTranspose: InferRule = (n) => {
  const [data, weight] = [n.shape(0), n.shape(1)];
  const rank = data?.length ?? weight?.length;
  if (rank === undefined) return [{ elementType: n.type(0) }];
  const channels = scaled(weight?.[1], n.int("group", 1));
  const given = n.ints("output_shape")?.slice(2 - rank);
  const same = n.string("auto_pad", "NOTSET").startsWith("SAME");
  const kernel = weight?.slice(2) ?? n.ints("kernel_shape");
  const spatial = unknownDims(rank - 2).map((_, axis): Dimension => {
    if (given) return given[axis];
    const stride = n.ints("strides")?.[axis] ?? 1;
    const size = data?.[axis + 2];
    if (same) return scaled(size, stride);
    const window = kernel?.[axis];
    if (typeof window !== "number") return undefined;
    const pads = n.ints("pads");
    const padding = (pads?.[axis] ?? 0) + (pads?.[axis + rank - 2] ?? 0);
    const extent = (n.ints("dilations")?.[axis] ?? 1) * (window - 1) + 1;
    const extra = extent + (n.ints("output_padding")?.[axis] ?? 0) - padding - stride;
    return add(scaled(size, stride), extra);
  });
  return [{ elementType: n.type(0), shape: [data?.[0], channels, ...spatial] }];
};

const pool: InferRule = (n) => {
  const shape = n.shape(0);
  const kernel = n.ints("kernel_shape") ?? [];
  const rank = shape?.length ?? kernel.length + 2;
  const spatial = slide(n, shape?.slice(2) ?? unknownDims(rank - 2), kernel);
  const pooled = [shape?.[0], shape?.[1], ...spatial];
  return [
    { elementType: n.type(0), shape: pooled },
    { elementType: DataType.int64, shape: pooled },
  ];
};

const globalPool: InferRule = (n) => [
  { elementType: n.type(0), shape: n.shape(0)?.map((dim, axis) => (axis < 2 ? dim : 1)) },
];

/** The inverse of pool without the indices' help; exact with output_shape given as input 2. */
const maxUnpool: InferRule = (n) => {
  const shape = n.shape(0);
  const given = n.value(2);
  const pads = n.ints("pads");
  const spatial = (axis: number): Dimension => {
    const stride = n.ints("strides")?.[axis] ?? 1;
    const padding = (pads?.[axis] ?? 0) + (pads?.[axis + (shape?.length ?? 2) - 2] ?? 0);
    const extra = (n.ints("kernel_shape")?.[axis] ?? 1) - stride - padding;
    return add(scaled(shape?.[axis + 2], stride), extra);
  };
  const computed = shape?.map((dim, axis) => (axis < 2 ? dim : spatial(axis - 2)));
  const asked = n.present(2)
    ? (given?.map(asDimension) ?? (shape && unknownDims(shape.length)))
    : undefined;
  return [{ elementType: n.type(0), shape: asked ?? computed }];
};

/** Scales come as an attribute (Upsample 7), as input 1 (10) or 2 (11), or sizes as input 3. */
const resize: InferRule = (n) => {
  const shape = n.shape(0);
  const elementType = n.type(0);
  const roiFirst = n.node.opType === "Resize" && n.version >= 11;
  const scales = n.node.attributes.find((attribute) => attribute.name === "scales");
  const listed = scales?.type === "floats" ? scales.value : n.numbers(roiFirst ? 2 : 1);
  const sizes = roiFirst ? n.value(3) : undefined;
  const rank = shape?.length ?? (n.has("axes") ? undefined : (listed ?? sizes)?.length);
  if (rank === undefined) return [{ elementType }];
  const axes = n.ints("axes")?.map((axis) => frontAxis(axis, rank));
  const keepsRatio = n.string("keep_aspect_ratio_policy", "stretch") !== "stretch";
  return [
    {
      elementType,
      shape: unknownDims(rank).map((_, axis): Dimension => {
        const index = axes ? axes.indexOf(axis) : axis;
        if (index < 0) return shape?.[axis];
        if (listed?.length) return resized(shape?.[axis], Math.fround(listed[index] ?? 1));
        return keepsRatio ? undefined : asDimension(sizes?.[index]);
      }),
    },
  ];
};

/** The product is a float32, as ONNX Runtime's is. */
function resized(dim: Dimension, scale: number): Dimension {
  return typeof dim === "number" ? Math.floor(Math.fround(dim * scale)) : scaled(dim, scale);
}

const upsample: InferRule = (n) => {
  if (n.version >= 7) return resize(n);
  const [batch, channels, height, width] = n.shape(0) ?? unknownDims(4);
  const tall = scaled(height, n.float("height_scale", 1));
  return [
    {
      elementType: n.type(0),
      shape: [batch, channels, tall, scaled(width, n.float("width_scale", 1))],
    },
  ];
};

/** [N, C, …grid's spatial dimensions] from a grid [N, …, rank − 2]. */
const gridSample: InferRule = (n) => {
  const grid = n.shape(1);
  const shape = grid && [n.shape(0)?.[0], n.shape(0)?.[1], ...grid.slice(1, -1)];
  return [{ elementType: n.type(0), shape }];
};

const roiAlign: InferRule = (n) => {
  const regions = n.shape(1)?.[0];
  const [height, width] = n.ints("pooled_shape") ?? [
    n.int("output_height", 1),
    n.int("output_width", 1),
  ];
  return [{ elementType: n.type(0), shape: [regions, n.shape(0)?.[1], height, width] }];
};

export const SPATIAL: RuleTable = {
  Conv: convolution(1),
  ConvInteger: convolution(1, () => DataType.int32),
  QLinearConv: convolution(3, (n) => n.type(7)),
  DeformConv: convolution(1),
  CausalConvWithState: sameAsFirst,
  ConvTranspose: convTranspose,
  AveragePool: pool,
  MaxPool: pool,
  LpPool: pool,
  GlobalAveragePool: globalPool,
  GlobalLpPool: globalPool,
  GlobalMaxPool: globalPool,
  MaxUnpool: maxUnpool,
  Resize: resize,
  Upsample: upsample,
  GridSample: gridSample,
  RoiAlign: roiAlign,
  MaxRoiPool: roiAlign,
  AffineGrid: (n) => {
    const size = n.value(1);
    const shape = size && [size[0], ...size.slice(2), size.length - 2];
    return [{ elementType: n.type(0), shape }];
  },
};
