/** @file Rules of operators that pick, join, pad and scatter elements along axes. */
import { DataType } from "../onnx/data-type.ts";
import type { Dimension } from "../onnx/model.ts";
import { sameAsFirst } from "./infer-elementwise.ts";
import { MAX_FOLLOWED, type InferRule, type RuleTable, type ValueType } from "./infer-rule.ts";
import { add, asDimension, frontAxis, unknownDims } from "./infer-shape.ts";

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

export const INDEXING: RuleTable = {
  Concat: concat,
  Split: split,
  Slice: slice,
  DynamicSlice: slice,
  Crop: crop,
  Pad: pad,
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
  CenterCropPad: centerCropPad,
};
