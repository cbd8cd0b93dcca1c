/** @file Rules of operators that move elements: shapes change, values do not. */
import { DataType } from "../onnx/data-type.ts";
import type { Dimension } from "../onnx/model.ts";
import { sameAsFirst } from "./infer-elementwise.ts";
import type { InferRule, RuleTable, ValueType } from "./infer-rule.ts";
import { MAX_FOLLOWED } from "./infer-rule.ts";
import {
  add,
  asDimension,
  divided,
  frontAxis,
  product,
  quotient,
  scaled,
  unknownDims,
} from "./infer-shape.ts";

const reshape: InferRule = (n) => {
  const elementType = n.type(0);
  const source = n.shape(0);
  const wanted = n.ints("shape") ?? n.value(1);
  if (!wanted) {
    const length = n.shape(1)?.[0];
    return [{ elementType, shape: typeof length === "number" ? unknownDims(length) : undefined }];
  }
  const copiesZero = n.int("allowzero", 0) === 0;
  const isCopied = (axis: number): boolean => copiesZero && wanted[axis] === 0;
  const shape = wanted.map((dim, axis) => (isCopied(axis) ? source?.[axis] : asDimension(dim)));
  const open = wanted.indexOf(-1);
  if (source && open >= 0) {
    // Copied dimensions cancel whatever they are, so they need not be known.
    const rest = source.filter((_, axis) => !isCopied(axis));
    shape[open] = quotient(
      rest,
      shape.filter((_, axis) => axis !== open && !isCopied(axis)),
    );
  }
  return [{ elementType, shape, value: shape.length <= 1 ? n.value(0) : undefined }];
};

const flatten: InferRule = (n) => {
  const shape = n.shape(0);
  if (!shape) return [{ elementType: n.type(0), shape: unknownDims(2) }];
  const given = n.int("axis", 1);
  const axis = given < 0 ? given + shape.length : given;
  return [
    { elementType: n.type(0), shape: [product(shape.slice(0, axis)), product(shape.slice(axis))] },
  ];
};

const transpose: InferRule = (n) => {
  const shape = n.shape(0);
  const perm = n.ints("perm") ?? shape?.map((_, axis) => shape.length - 1 - axis);
  return [{ elementType: n.type(0), shape: perm?.map((axis) => shape?.[axis]) }];
};

const squeeze: InferRule = (n) => {
  const shape = n.shape(0);
  const axes = n.list("axes", 1);
  const elementType = n.type(0);
  if (!shape || axes === undefined) return [{ elementType }];
  // Without axes every 1 goes, so each size must be known.
  if (!axes && shape.some((dim) => typeof dim !== "number")) return [{ elementType }];
  const gone = axes && new Set(axes.map((axis) => frontAxis(axis, shape.length)));
  const left = shape.filter((dim, axis) => (gone ? !gone.has(axis) : dim !== 1));
  return [{ elementType, shape: left, value: left.length <= 1 ? n.value(0) : undefined }];
};

const unsqueeze: InferRule = (n) => {
  const shape = n.shape(0);
  const axes = n.list("axes", 1);
  if (!shape || !axes) return [{ elementType: n.type(0) }];
  const rank = shape.length + axes.length;
  const added = new Set(axes.map((axis) => frontAxis(axis, rank)));
  const rest = [...shape];
  const result = Array.from({ length: rank }, (_, axis) => (added.has(axis) ? 1 : rest.shift()));
  return [{ elementType: n.type(0), shape: result, value: rank <= 1 ? n.value(0) : undefined }];
};

const concat: InferRule = (n) => {
  const inputs = n.inputs();
  const elementType = inputs.find((input) => input.elementType !== undefined)?.elementType;
  const known = inputs.find((input) => input.shape)?.shape;
  if (!known) return [{ elementType }];
  const axis = frontAxis(n.int("axis", 1), known.length);
  const shape = known.map((dim, position) => {
    if (position === axis) {
      return inputs.map((input) => (input.shape ? input.shape[axis] : undefined)).reduce(add, 0);
    }
    const sizes = inputs.map((input) => input.shape?.[position]);
    return sizes.find((size) => typeof size === "number") ?? dim;
  });
  let value: Dimension[] | undefined;
  if (known.length === 1 && inputs.some((input) => input.value)) {
    // Unknown parts of known length keep the place of what is known.
    const parts = inputs.map((input) => input.value ?? knownLength(input));
    if (parts.every((part) => part !== undefined)) value = parts.flat();
  }
  return [{ elementType, shape, value }];
};

function knownLength(input: ValueType): Dimension[] | undefined {
  const length = input.shape?.[0];
  return typeof length === "number" && length <= MAX_FOLLOWED ? unknownDims(length) : undefined;
}

const split: InferRule = (n) => {
  const shape = n.shape(0);
  const elementType = n.type(0);
  if (!shape) return n.node.outputs.map(() => ({ elementType }));
  const axis = frontAxis(n.int("axis", 0), shape.length);
  const parts = n.list("split", 1);
  const whole = shape[axis];
  // Equal parts, a smaller last one from opset 18 on.
  const each = typeof whole === "number" ? Math.ceil(whole / n.outputCount) : undefined;
  let start = 0;
  return n.node.outputs.map((_, index) => {
    let size = parts === null ? each : parts?.[index];
    if (parts === null && each !== undefined && typeof whole === "number") {
      size = Math.max(0, Math.min(each, whole - each * index));
    }
    const value = size === undefined ? undefined : n.value(0)?.slice(start, start + size);
    start += size ?? 0;
    const part = shape.map((dim, position) => (position === axis ? size : dim));
    return { elementType, shape: part, value };
  });
};

/** Start, end and step resolved against a size, as NumPy's slices. */
function sliceSize(size: number, start: number, end: number, step: number): [number, number] {
  const [low, high] = step > 0 ? [0, size] : [-1, size - 1];
  const clamp = (index: number): number =>
    Math.min(Math.max(index < 0 ? index + size : index, low), high);
  const from =
    step > 0 ? Math.min(clamp(start), size) : Math.min(Math.max(clamp(start), 0), size - 1);
  const to = end < -size && step < 0 ? -1 : clamp(end);
  return [from, Math.max(0, Math.ceil((to - from) / step))];
}

const slice: InferRule = (n) => {
  const shape = n.shape(0);
  const elementType = n.type(0);
  if (!shape) return [{ elementType }];
  const starts = n.list("starts", 1);
  const ends = n.list("ends", 2);
  const axes = n.list("axes", 3);
  const steps = n.list("steps", 4);
  if (axes === undefined) return [{ elementType, shape: unknownDims(shape.length) }];
  const count = starts?.length ?? ends?.length ?? axes?.length ?? n.shape(1)?.[0];
  if (typeof count !== "number") return [{ elementType, shape: unknownDims(shape.length) }];
  const result = [...shape];
  let value = n.value(0);
  for (let i = 0; i < count; i++) {
    const axis = frontAxis(axes ? (axes[i] ?? 0) : i, shape.length);
    const size = shape[axis];
    const start = starts?.[i];
    const end = ends?.[i];
    const step = steps === null ? 1 : steps?.[i];
    if (start === 0 && step === 1 && end !== undefined && end >= 2 ** 31 - 1) continue;
    if (typeof size === "number" && start !== undefined && end !== undefined && step) {
      const [from, length] = sliceSize(size, start, end, step);
      result[axis] = length;
      value = value && Array.from({ length }, (_, k) => value?.[from + k * step]);
    } else {
      result[axis] = undefined;
      value = undefined;
    }
  }
  return [{ elementType, shape: result, value: shape.length === 1 ? value : undefined }];
};

const pad: InferRule = (n) => {
  const shape = n.shape(0);
  const pads = n.ints("paddings") ?? n.list("pads", 1);
  const axes = n.list("axes", 3);
  if (!shape) return [{ elementType: n.type(0) }];
  if (!pads || axes === undefined)
    return [{ elementType: n.type(0), shape: unknownDims(shape.length) }];
  const padded = axes?.map((axis) => frontAxis(axis, shape.length)) ?? shape.map((_, axis) => axis);
  const result = [...shape];
  padded.forEach((axis, i) => {
    result[axis] = add(shape[axis], (pads[i] ?? 0) + (pads[i + padded.length] ?? 0));
  });
  return [{ elementType: n.type(0), shape: result }];
};

const expand: InferRule = (n) => {
  const wanted = n.value(1);
  const shape = n.shape(0);
  const elementType = n.type(0);
  const length = wanted?.length ?? n.shape(1)?.[0];
  if (!shape || typeof length !== "number") return [{ elementType }];
  const rank = Math.max(shape.length, length);
  const result = Array.from({ length: rank }, (_, axis): Dimension => {
    const i = axis - rank + shape.length;
    const j = axis - rank + length;
    const own = i < 0 ? 1 : shape[i];
    const asked = j < 0 ? 1 : wanted?.[j];
    if (asked === 1 || asked === own) return own;
    if (typeof own === "number" && own !== 1) return own;
    return own === 1 || typeof asked === "number" ? asDimension(asked) : undefined;
  });
  return [{ elementType, shape: result }];
};

const tile: InferRule = (n) => {
  const shape = n.shape(0);
  const repeats = n.version < 6 ? undefined : n.value(1);
  const result = shape?.map((dim, axis): Dimension => {
    const times = repeats?.[axis];
    if (dim === 1) return times;
    return scaled(dim, typeof times === "number" ? times : undefined);
  });
  return [{ elementType: n.type(0), shape: result }];
};

const gather: InferRule = (n) => {
  const elementType = n.type(0);
  const [data, indices] = [n.shape(0), n.shape(1)];
  if (!data || !indices) return [{ elementType }];
  const axis = frontAxis(n.int("axis", 0), data.length);
  const shape = [...data.slice(0, axis), ...indices, ...data.slice(axis + 1)];
  const source = n.value(0);
  const picked = source && n.numbers(1)?.map((i) => source[i < 0 ? i + source.length : i]);
  return [
    { elementType, shape, value: data.length === 1 && shape.length <= 1 ? picked : undefined },
  ];
};

const gatherND: InferRule = (n) => {
  const [data, indices] = [n.shape(0), n.shape(1)];
  const depth = indices?.at(-1);
  if (!data || !indices || typeof depth !== "number") return [{ elementType: n.type(0) }];
  const shape = [...indices.slice(0, -1), ...data.slice(n.int("batch_dims", 0) + depth)];
  return [{ elementType: n.type(0), shape }];
};

const depthToSpace: InferRule = (n) => {
  const size = n.int("blocksize", 1);
  const [batch, depth, height, width] = n.shape(0) ?? [];
  const shape = [batch, divided(depth, size * size), scaled(height, size), scaled(width, size)];
  return [{ elementType: n.type(0), shape: n.shape(0) && shape }];
};

const spaceToDepth: InferRule = (n) => {
  const size = n.int("blocksize", 1);
  const [batch, depth, height, width] = n.shape(0) ?? [];
  const shape = [batch, scaled(depth, size * size), divided(height, size), divided(width, size)];
  return [{ elementType: n.type(0), shape: n.shape(0) && shape }];
};

const crop: InferRule = (n) => {
  const [left = 0, top = 0, right = 0, bottom = 0] = n.ints("border") ?? [];
  const scale = n.ints("scale");
  const shape = n.shape(0);
  if (shape?.length !== 4) return [{ elementType: n.type(0), shape: undefined }];
  const height = scale ? scale[0] : add(shape[2], -top - bottom);
  const width = scale ? scale[1] : add(shape[3], -left - right);
  return [{ elementType: n.type(0), shape: [shape[0], shape[1], height, width] }];
};

const oneHot: InferRule = (n) => {
  const shape = n.shape(0);
  const depth = n.value(1)?.[0];
  if (!shape) return [{ elementType: n.type(2) }];
  const axis = frontAxis(n.int("axis", -1), shape.length + 1);
  return [{ elementType: n.type(2), shape: shape.toSpliced(axis, 0, asDimension(depth)) }];
};

const unique: InferRule = (n) => {
  const shape = n.shape(0);
  const counts = { elementType: DataType.int64, shape: [undefined] };
  const axis = n.has("axis") && shape ? frontAxis(n.int("axis", 0), shape.length) : undefined;
  const values = n.has("axis")
    ? shape?.map((dim, i) => (i === axis ? undefined : dim))
    : [undefined];
  return [{ elementType: n.type(0), shape: values }, counts, counts, counts];
};

/** Col2Im: [N, C, …image_shape] from [N, C·Πblock, L]. */
const col2im: InferRule = (n) => {
  const image = n.value(1);
  const block = n.numbers(2);
  const channels =
    block &&
    divided(
      n.shape(0)?.[1],
      block.reduce((a, b) => a * b, 1),
    );
  return [
    {
      elementType: n.type(0),
      shape: image && [n.shape(0)?.[0], channels, ...image.map(asDimension)],
    },
  ];
};

const centerCropPad: InferRule = (n) => {
  const shape = n.shape(0);
  const wanted = n.value(1);
  if (!shape) return [{ elementType: n.type(0) }];
  const axes =
    n.ints("axes")?.map((axis) => frontAxis(axis, shape.length)) ?? shape.map((_, i) => i);
  return [
    {
      elementType: n.type(0),
      shape: shape.map((dim, i) =>
        axes.includes(i) ? asDimension(wanted?.[axes.indexOf(i)]) : dim,
      ),
    },
  ];
};

export const MOVEMENT: RuleTable = {
  Reshape: reshape,
  Flatten: flatten,
  Transpose: transpose,
  Squeeze: squeeze,
  Unsqueeze: unsqueeze,
  Concat: concat,
  Split: split,
  Slice: slice,
  DynamicSlice: slice,
  Crop: crop,
  Pad: pad,
  Expand: expand,
  Tile: tile,
  Gather: gather,
  GatherElements: (n) => [{ elementType: n.type(0), shape: n.shape(1) }],
  GatherND: gatherND,
  Scatter: sameAsFirst,
  ScatterElements: sameAsFirst,
  ScatterND: sameAsFirst,
  TensorScatter: sameAsFirst,
  ReverseSequence: sameAsFirst,
  Trilu: sameAsFirst,
  CumSum: sameAsFirst,
  CumProd: sameAsFirst,
  DepthToSpace: depthToSpace,
  SpaceToDepth: spaceToDepth,
  OneHot: oneHot,
  Unique: unique,
  Compress: (n) => [
    {
      elementType: n.type(0),
      shape: n.has("axis")
        ? n
            .shape(0)
            ?.map((dim, i, all) =>
              i === frontAxis(n.int("axis", 0), all.length) ? undefined : dim,
            )
        : [undefined],
    },
  ],
  NonZero: (n) => [{ elementType: DataType.int64, shape: [n.rank(0), undefined] }],
  Col2Im: col2im,
  CenterCropPad: centerCropPad,
};
