/** @file Attributes that a newer opset takes as inputs: axes, split, slices, pads, bounds, counts. */
import { makeInt } from "../../graph/attributes.ts";
import type { Adapter, NodeLift } from "../node-lift.ts";

/** Squeeze 13, ReduceSum 13, other reductions 18: no axes, and an empty list, mean all axes. */
export const axesToInput: Adapter = (lift) => {
  const axes = lift.take("axes", "ints");
  if (axes?.length) lift.setInput(1, lift.int64("axes", axes));
};

/** Unsqueeze 13: the axes are required. */
export const requiredAxesToInput: Adapter = (lift) => {
  lift.setInput(1, lift.int64("axes", lift.take("axes", "ints") ?? []));
};

/** Split 13. */
export const splitToInput: Adapter = (lift) => {
  const split = lift.take("split", "ints");
  if (split) lift.setInput(1, lift.int64("split", split));
};

/** Split 18: equal parts must be counted. */
export const countEqualParts: Adapter = (lift) => {
  if (!lift.node.inputs[1]) lift.set(makeInt("num_outputs", lift.node.outputs.length));
};

/** Slice 10. */
export const sliceToInputs: Adapter = (lift) => {
  lift.setInput(1, lift.int64("starts", lift.take("starts", "ints") ?? []));
  lift.setInput(2, lift.int64("ends", lift.take("ends", "ints") ?? []));
  const axes = lift.take("axes", "ints");
  if (axes) lift.setInput(3, lift.int64("axes", axes));
};

/** TopK 10. */
export const countToInput: Adapter = (lift) => {
  const k = lift.take("k", "int") ?? lift.refuse("it has no k");
  lift.setInput(1, lift.int64("k", [k]));
};

/** Reshape 5. */
export const shapeToInput: Adapter = (lift) => {
  lift.drop("consumed_inputs");
  lift.setInput(1, lift.int64("shape", lift.take("shape", "ints") ?? []));
};

/** Clip 11: a bound is a scalar of the data's type; without one the type's own range bounds, then as now. */
export const boundsToInputs: Adapter = (lift) => {
  for (const [index, bound] of ["min", "max"].entries()) {
    const value = lift.take(bound, "float");
    if (value === undefined) continue;
    lift.setInput(index + 1, lift.scalar(bound, lift.elementType(lift.node.inputs[0]), value));
  }
};

/** Pad 11: the value only matters to constant padding, where it is 0 when left out. */
export const padsToInputs: Adapter = (lift) => {
  lift.setInput(1, lift.int64("pads", lift.take("pads", "ints") ?? []));
  const value = lift.take("value", "float");
  if (value) lift.setInput(2, lift.scalar("value", lift.elementType(lift.node.inputs[0]), value));
};

/** Dropout 12: the ratio, 0.5 when left out, then as now. */
export const ratioToInput: Adapter = (lift) => {
  const ratio = lift.take("ratio", "float");
  if (ratio !== undefined) lift.setInput(1, lift.float32("ratio", [ratio], []));
};

/** DFT 20: the axis, 1 when left out; the new default is the last before the complex parts. */
export const dftAxisToInput: Adapter = (lift) => {
  const axis = lift.take("axis", "int") ?? 1n;
  lift.setInput(2, lift.int64("axis", [axis], true));
};

/** Split 2: the optional input of version 1 becomes an attribute. */
export async function splitToAttribute(lift: NodeLift): Promise<void> {
  const sizes = lift.node.inputs[1];
  if (!sizes) return;
  const split = await lift.constant(sizes);
  if (!split) lift.refuse("its split sizes are computed at run time");
  if (!split.every(Number.isSafeInteger)) lift.refuse("its split sizes are no whole numbers");
  lift.node.inputs.length = 1;
  lift.set({ name: "split", type: "ints", value: split.map(BigInt) });
}
