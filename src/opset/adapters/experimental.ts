/** @file Experimental operators of the first opsets, which left with opset 10, in standard operators. */
import { floatAttribute, intsAttribute, makeTensorAttribute } from "../../graph/attributes.ts";
import { makeFloat32 } from "../../graph/build.ts";
import { DataType } from "../../onnx/data-type.ts";
import type { Adapter, NodeLift } from "../node-lift.ts";

/** Adds `opType(x, value)` before the node. */
function withScalar(
  lift: NodeLift,
  opType: string,
  x: string,
  role: string,
  value: number,
): string {
  return lift.before(
    opType,
    [x, lift.scalar(role, lift.elementType(lift.node.inputs[0]), value)],
    `${role}_out`,
  );
}

/** Puts Identity in the node's place, so that its output's name stays. */
function finish(lift: NodeLift, value: string): void {
  lift.remove();
  lift.after("Identity", [value], lift.node.outputs[0] ?? "");
}

/** alpha·x + beta */
export const affine: Adapter = (lift) => {
  const [x = ""] = lift.node.inputs;
  const scaled = withScalar(lift, "Mul", x, "alpha", floatAttribute(lift.node, "alpha", 1));
  finish(lift, withScalar(lift, "Add", scaled, "beta", floatAttribute(lift.node, "beta", 0)));
};

/** scale·x */
export const scale: Adapter = (lift) => {
  const [x = ""] = lift.node.inputs;
  finish(lift, withScalar(lift, "Mul", x, "scale", floatAttribute(lift.node, "scale", 1)));
};

/** scale·x + bias of the channel, x [N, C, H, W] */
export const imageScaler: Adapter = (lift) => {
  const [x = ""] = lift.node.inputs;
  if (lift.elementType(x) !== DataType.float32) lift.refuse("its data is not float32");
  const bias = lift.take("bias", "floats") ?? [];
  const scaled = withScalar(lift, "Mul", x, "scale", floatAttribute(lift.node, "scale", 1));
  finish(
    lift,
    lift.before("Add", [scaled, lift.float32("bias", bias, [bias.length, 1, 1])], "shifted"),
  );
};

/** alpha·ln(exp(beta·x) + 1) */
export const parametricSoftplus: Adapter = (lift) => {
  const [x = ""] = lift.node.inputs;
  const alpha = floatAttribute(lift.node, "alpha", 1);
  const inner = withScalar(lift, "Mul", x, "beta", floatAttribute(lift.node, "beta", 1));
  finish(
    lift,
    withScalar(lift, "Mul", lift.before("Softplus", [inner], "softplus"), "alpha", alpha),
  );
};

/** alpha·tanh(beta·x) */
export const scaledTanh: Adapter = (lift) => {
  const [x = ""] = lift.node.inputs;
  const alpha = floatAttribute(lift.node, "alpha", 1);
  const inner = withScalar(lift, "Mul", x, "beta", floatAttribute(lift.node, "beta", 1));
  finish(lift, withScalar(lift, "Mul", lift.before("Tanh", [inner], "tanh"), "alpha", alpha));
};

/** Cuts left, top, right, bottom borders off [N, C, H, W], or a window of `scale` after left and top. */
export const crop: Adapter = (lift) => {
  const [left = 0, top = 0, right = 0, bottom = 0] = intsAttribute(lift.node, "border") ?? [];
  const size = intsAttribute(lift.node, "scale");
  const whole = 2n ** 63n - 1n;
  const ends = size
    ? [top + (size[0] ?? 0), left + (size[1] ?? 0)]
    : [bottom ? -bottom : whole, right ? -right : whole];
  lift.node.opType = "Slice";
  lift.drop("border", "scale");
  lift.setInput(1, lift.int64("starts", [top, left]));
  lift.setInput(2, lift.int64("ends", ends));
  lift.setInput(3, lift.int64("axes", [2, 3]));
};

/** DynamicSlice's inputs are those of Slice 10. */
export const dynamicSlice: Adapter = (lift) => {
  lift.node.opType = "Slice";
};

/** A constant of listed values. */
export const givenTensorFill: Adapter = (lift) => {
  const { node } = lift;
  const shape = intsAttribute(node, "shape");
  const values = lift.take("values", "floats") ?? [];
  if (!shape || node.inputs[0]) lift.refuse("its shape is computed at run time");
  node.opType = "Constant";
  node.inputs = [];
  node.attributes = [
    makeTensorAttribute("value", makeFloat32(node.outputs[0] ?? "", values, shape)),
  ];
};

/** ConstantOfShape of a shape that is listed, or that of the input, or the input itself. */
export const constantFill: Adapter = (lift) => {
  const { node } = lift;
  const [input] = node.inputs;
  if ((lift.take("dtype", "int") ?? 1n) !== 1n) lift.refuse("its dtype is not float32");
  if (lift.take("extra_shape", "ints")?.length) lift.refuse("it extends the shape");
  const value = lift.take("value", "float") ?? 0;
  const listed = lift.take("shape", "ints");
  const asShape = lift.take("input_as_shape", "int");
  const ofInput = (): string =>
    asShape ? (input ?? "") : lift.before("Shape", [input ?? ""], "shape");
  node.opType = "ConstantOfShape";
  node.inputs = [input ? ofInput() : lift.int64("shape", listed ?? [])];
  node.attributes = [makeTensorAttribute("value", makeFloat32("", [value], [1]))];
};
