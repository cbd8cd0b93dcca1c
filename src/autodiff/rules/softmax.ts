/** @file Gradients of Softmax and LogSoftmax along one axis. */
import { intAttribute } from "../../graph/attributes.ts";
import { exp, mul, sub } from "../arithmetic.ts";
import type { GradientRule, RuleTable } from "../rule.ts";

/** dx = y·(g − Σ g·y) */
const softmax: GradientRule = (c, node, [g = ""]) => {
  const y = node.outputs[0] ?? "";
  const axis = intAttribute(node, "axis", -1);
  return [mul(c, y, sub(c, g, c.reduce("ReduceSum", mul(c, g, y), [axis], true)))];
};

/** dx = g − eʸ·Σ g */
const logSoftmax: GradientRule = (c, node, [g = ""]) => {
  const axis = intAttribute(node, "axis", -1);
  const sum = c.reduce("ReduceSum", g, [axis], true);
  return [sub(c, g, mul(c, exp(c, node.outputs[0] ?? ""), sum))];
};

export const SOFTMAX: RuleTable = { Softmax: softmax, LogSoftmax: logSoftmax };
