/** @file BatchNormalization, GroupNormalization, MeanVarianceNormalization. */
import { floatAttribute, intAttribute, makeInt, makeInts } from "../../graph/attributes.ts";
import type { Adapter, NodeLift } from "../node-lift.ts";

/** BatchNormalization 7: `is_test` went; from now on one output is inference, more are training. */
export const requireTestStatistics: Adapter = (lift) => {
  if (!lift.take("is_test", "int")) lift.refuse("it uses the batch's statistics (is_test is 0)");
  const { outputs } = lift.node;
  if (outputs.slice(1).some((output) => lift.isUsed(output))) {
    lift.refuse("its statistics are read, but it does not compute them (is_test is 1)");
  }
  outputs.length = 1;
};

/** BatchNormalization 9: `spatial` went, so statistics of single elements are written out. */
export const perChannelOnly: Adapter = (lift) => {
  const spatial = lift.take("spatial", "int") ?? 1n;
  if (spatial !== 0n) return;
  const { node } = lift;
  const [x = "", scale = "", bias = "", mean = "", variance = ""] = node.inputs;
  if (node.outputs.slice(1).some((output) => lift.isUsed(output))) {
    lift.refuse("it gives running statistics of single elements");
  }
  const type = lift.elementType(x);
  const epsilon = lift.scalar("epsilon", type, floatAttribute(node, "epsilon", 1e-5));
  const deviation = lift.before(
    "Sqrt",
    [lift.before("Add", [variance, epsilon], "sum")],
    "deviation",
  );
  const centered = lift.before("Sub", [x, mean], "centered");
  const normalized = lift.before("Div", [centered, deviation], "normalized");
  const scaled = lift.before("Mul", [normalized, scale], "scaled");
  lift.remove();
  lift.after("Add", [scaled, bias], node.outputs[0] ?? "");
};

/**
 * BatchNormalization 14: training is a flag; before, more outputs than one meant it, read or not.
 * The running statistics stay, those of the batch are no longer given.
 */
export const flagTraining: Adapter = (lift) => {
  const { outputs } = lift.node;
  if (!outputs.slice(1).some((output) => output !== "")) {
    outputs.length = 1;
    return;
  }
  if (outputs.slice(3).some((output) => lift.isUsed(output))) {
    lift.refuse("the batch's statistics that it gives have no counterpart");
  }
  outputs.length = Math.min(outputs.length, 3);
  lift.set(makeInt("training_mode", 1));
};

/** GroupNormalization 21: scale and bias for each channel, no longer for each group. */
export const scaleChannels: Adapter = (lift) => {
  const { node } = lift;
  const [x = "", scale = "", bias = ""] = node.inputs;
  const groups = intAttribute(node, "num_groups", 1);
  const repeats = lift.before(
    "Concat",
    [lift.int64("groups", [groups]), channelsPerGroup(lift, x, groups)],
    "repeats",
    [{ name: "axis", type: "int", value: 0n }],
  );
  const flat = lift.int64("flat", [-1]);
  const spread = (input: string, role: string): string => {
    const column = lift.unsqueeze(input, [1], `${role}_column`);
    const table = lift.before("Expand", [column, repeats], `${role}_table`);
    return lift.before("Reshape", [table, flat], role);
  };
  node.inputs = [x, spread(scale, "scale"), spread(bias, "bias")];
};

function channelsPerGroup(lift: NodeLift, x: string, groups: number): string {
  const channels = lift.shape(x)?.[1];
  if (typeof channels === "number")
    return lift.int64("channels_per_group", [Math.floor(channels / groups)]);
  const size = lift.before("Shape", [x], "channels", [
    { name: "start", type: "int", value: 1n },
    { name: "end", type: "int", value: 2n },
  ]);
  return lift.before("Div", [size, lift.int64("divisor", [groups])], "channels_per_group");
}

/**
 * MeanVarianceNormalization 9: axes instead of a flag; the batch is always among them, as in ONNX Runtime.
 * Where the variance was left as it is only the mean is taken off.
 */
export const listAxes: Adapter = (lift) => {
  const { node } = lift;
  const [x = ""] = node.inputs;
  const acrossChannels = lift.take("across_channels", "int") ?? 0n;
  const normalizesVariance = lift.take("normalize_variance", "int") ?? 1n;
  const axes = makeInts("axes", acrossChannels === 0n ? [0, 2, 3] : [0, 1, 2, 3]);
  if (normalizesVariance !== 0n) {
    lift.set(axes);
    return;
  }
  const mean = lift.before("ReduceMean", [x], "mean", [axes]);
  lift.remove();
  lift.after("Sub", [x, mean], node.outputs[0] ?? "");
};
