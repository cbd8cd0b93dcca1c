/** @file Softmax, LogSoftmax, Hardmax 13: over one axis, no longer over all dimensions from the axis on. */
import { intAttribute, makeInt } from "../../graph/attributes.ts";
import type { Adapter } from "../node-lift.ts";

/**
 * Where the dimensions after the axis are 1 (or there are none), both meanings are the same.
 * Elsewhere the data is flattened to two dimensions around the operator, as it was inside it.
 */
export const overOneAxis: Adapter = (lift) => {
  const { node } = lift;
  const [x = ""] = node.inputs;
  const [y = ""] = node.outputs;
  const axis = intAttribute(node, "axis", 1);
  const shape = lift.shape(x);
  const front = shape && axis < 0 ? axis + shape.length : axis;
  if (shape && shape.slice(front + 1).every((dim) => dim === 1)) {
    lift.set(makeInt("axis", front));
    return;
  }
  const size = lift.before("Shape", [x], "shape");
  node.inputs[0] = lift.before("Flatten", [x], "flat", [makeInt("axis", axis)]);
  node.outputs[0] = lift.fresh("2d");
  lift.set(makeInt("axis", -1));
  lift.after("Reshape", [node.outputs[0], size], y);
};
