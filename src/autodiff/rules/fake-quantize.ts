/**
 * @file The gradient of rounding to 8 bits and back (`hone::FakeQuantize`), straight through where the
 * value is in range (Bengio et al. 2013), as torch's `fake_quantize`.
 *
 * The op stands for QuantizeLinear and DequantizeLinear while a model is differentiated: codes are
 * integers, through which no gradient flows.
 */
import { intAttribute, makeInt } from "../../graph/attributes.ts";
import { and, greaterOrEqual, lessOrEqual, mul, sub, where } from "../arithmetic.ts";
import type { GradientRule, RuleTable } from "../rule.ts";

/**
 * Inputs: x, scale, zero point (int8 or uint8). `saturates` 0: the scale is x's own largest magnitude, so
 * that nothing is out of range. Else per tensor: x is in range from half a code below the lowest to half
 * a code above the highest.
 */
const fakeQuantize: GradientRule = (c, node, [g = ""]) => {
  const [x = "", scale = "", zeroPoint = ""] = node.inputs;
  if (intAttribute(node, "saturates", 1) === 0) return [g];
  const isUnsigned = c.elementType(zeroPoint) === 2;
  const zero = c.emit("Cast", [zeroPoint], [makeInt("to", c.elementType(x) ?? 1)]);
  const edge = (code: number): string => mul(c, sub(c, c.float(code), zero), scale);
  const inRange = and(
    c,
    greaterOrEqual(c, x, edge(isUnsigned ? -0.5 : -128.5)),
    lessOrEqual(c, x, edge(isUnsigned ? 255.5 : 127.5)),
  );
  return [where(c, inRange, g, 0)];
};

export const FAKE_QUANTIZE: RuleTable = { "hone::FakeQuantize": fakeQuantize };
