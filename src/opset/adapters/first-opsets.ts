/** @file Opsets 1 to 7: attributes that went, and the old way to broadcast. */
import { makeFloats, makeInt, makeInts } from "../../graph/attributes.ts";
import { DataType } from "../../onnx/data-type.ts";
import type { Adapter, NodeLift } from "../node-lift.ts";

/** Opset 6: the hint which inputs may be overwritten went. */
export const dropConsumedInputs: Adapter = (lift) => lift.drop("consumed_inputs");

/**
 * Opset 7: B was lined up with A from `axis` on; now the last dimensions line up, so B gets trailing ones.
 * Without `axis` the last dimensions lined up already.
 */
export const explicitBroadcast: Adapter = (lift) => {
  const isBroadcast = lift.take("broadcast", "int");
  const axis = lift.take("axis", "int");
  const [a = "", b = ""] = lift.node.inputs;
  if (!isBroadcast || axis === undefined) return;
  const [rankA, rankB] = [lift.rank(a), lift.rank(b)];
  const front = axis < 0n ? Number(axis) + rankA : Number(axis);
  const trailing = rankA - front - rankB;
  if (trailing < 0) lift.refuse(`axis ${axis} leaves no room for rank ${rankB} in rank ${rankA}`);
  if (trailing > 0) lift.setInput(1, lift.unsqueeze(b, range(rankB, trailing), "broadcast"));
};

/** PRelu 7: one slope a channel was given as [C]; now it broadcasts, so it becomes [C, 1, …]. */
export const broadcastSlope: Adapter = (lift) => {
  const [x = "", slope = ""] = lift.node.inputs;
  const dims = lift.shape(slope) ?? lift.refuse(`the shape of "${slope}" is not known`);
  if (dims.length !== 1 || dims[0] === 1) return;
  const rank = lift.rank(x);
  if (rank > 2) lift.setInput(1, lift.unsqueeze(slope, range(1, rank - 2), "slope"));
};

/** Gemm 7: C broadcasts without being told to. */
export const dropBroadcast: Adapter = (lift) => lift.drop("broadcast");

/** Dropout 7: `is_test` went; what was left is inference. */
export const requireTest: Adapter = (lift) => {
  if (!lift.take("is_test", "int")) lift.refuse("it is in training mode (is_test is 0)");
};

/** Dropout 10: the mask became bool. */
export const maskToBool: Adapter = (lift) => {
  const [data = "", mask = ""] = lift.node.outputs;
  if (!mask || !lift.isUsed(mask)) {
    lift.node.outputs = [data];
    return;
  }
  const bool = lift.fresh("mask");
  lift.node.outputs[1] = bool;
  lift.castAfter(bool, mask, lift.elementType(lift.node.inputs[0]));
};

/** Concat 4: the axis must be given; it was 1. */
export const requiredAxis: Adapter = (lift) => {
  if (!lift.node.attributes.some((attribute) => attribute.name === "axis")) {
    lift.set(makeInt("axis", 1));
  }
};

const TYPE_NAMES: Readonly<Record<string, number>> = { ...DataType, float: 1, double: 11 };

/** Cast 6: the type is a code, no longer its name. */
export const typeNameToCode: Adapter = (lift) => {
  const name = (lift.takeText("to") ?? "").toLowerCase();
  const code = Object.hasOwn(TYPE_NAMES, name) ? TYPE_NAMES[name] : undefined;
  lift.set(makeInt("to", code || lift.refuse(`"${name}" is no element type`)));
};

/** LpPool 2, GlobalLpPool 2: p became an integer; it was 2 by default, as now. */
export const integerP: Adapter = (lift) => {
  const p = lift.take("p", "float");
  if (p === undefined) return;
  if (!Number.isInteger(p)) lift.refuse(`p is ${p}, not an integer`);
  lift.set(makeInt("p", p));
};

/** Pad 2. */
export const renamePaddings: Adapter = (lift) => {
  const pads = lift.take("paddings", "ints");
  if (pads) lift.set(makeInts("pads", pads));
};

/** RNN, GRU, LSTM 7: outputs that are wanted are named; the flag went. */
export const dropOutputSequence: Adapter = (lift) => lift.drop("output_sequence");

/** Tile 6: repeats of one axis became one number an axis. */
export async function repeatsPerAxis(lift: NodeLift): Promise<void> {
  const [input = "", tiles = "", axis = ""] = lift.node.inputs;
  const [times] = (await lift.constant(tiles)) ?? lift.refuse("its tiles are computed at run time");
  const [at] = (await lift.constant(axis)) ?? lift.refuse("its axis is computed at run time");
  const repeats = Array.from({ length: lift.rank(input) }, (_, i) => (i === at ? (times ?? 1) : 1));
  lift.node.inputs = [input, lift.int64("repeats", repeats)];
}

/** Upsample 7: height and width scales became one scale a dimension. */
export const listScales: Adapter = (lift) => {
  const height = lift.take("height_scale", "float") ?? 1;
  const width = lift.take("width_scale", "float") ?? 1;
  if (lift.takeText("mode") === "bilinear") {
    lift.set({ name: "mode", type: "string", value: new TextEncoder().encode("linear") });
  }
  lift.set(makeFloats("scales", [1, 1, height, width]));
};

function range(start: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => start + i);
}
