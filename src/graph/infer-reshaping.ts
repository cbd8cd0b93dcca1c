/** @file Rules of operators that give the same elements another shape, or repeat them. */
import type { Dimension } from "../onnx/model.ts";
import type { InferRule, RuleTable } from "./infer-rule.ts";
import {
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

export const RESHAPING: RuleTable = {
  Reshape: reshape,
  Flatten: flatten,
  Transpose: transpose,
  Squeeze: squeeze,
  Unsqueeze: unsqueeze,
  Expand: expand,
  Tile: tile,
  DepthToSpace: depthToSpace,
  SpaceToDepth: spaceToDepth,
  Col2Im: col2im,
};
