/**
 * @file A BatchNormalization whose statistics pass float16's range stays float32.
 *
 * Clamping a running variance of 10^8 to 65504 scales the node's output by 40; its input and output, near
 * 10^4 and near 1, fit float16. Elsewhere a constant that large is a mask or a factor whose product
 * would overflow as well, and clamping does least harm.
 */
import { tensorNumbers } from "../../graph/constants.ts";
import type { Scope } from "../../graph/scope.ts";
import { elementCount } from "../../onnx/data-type.ts";
import type { Node } from "../../onnx/model.ts";
import { type NodePrecision, stayFloat } from "./node-precision.ts";
import type { Values } from "./values.ts";

/** More channels than any network has; a longer vector is not read. */
const MAX_CHANNELS = 65536;

/** Moves the nodes with such statistics to float32. */
export async function keepLargeStatistics(
  root: Scope,
  values: Values,
  maxFinite: number,
  precisions: Map<Node, NodePrecision>,
): Promise<void> {
  for (const scope of root.walk()) {
    for (const node of scope.graph.nodes) {
      if (node.opType !== "BatchNormalization" || node.domain !== "") continue;
      if (precisions.get(node)?.reason !== undefined) continue;
      const largest = await largestParameter(scope, node, values);
      if (largest <= maxFinite) continue;
      precisions.set(
        node,
        stayFloat(
          node,
          `its statistics reach ${largest.toPrecision(3)}, float16 ends at ${maxFinite}`,
        ),
      );
    }
  }
}

/** The largest finite magnitude among scale, bias, mean and variance. */
async function largestParameter(scope: Scope, node: Node, values: Values): Promise<number> {
  let largest = 0;
  for (const name of node.inputs.slice(1)) {
    const tensor = values.find(scope, name)?.tensor;
    if (!tensor || elementCount(tensor.dims) > MAX_CHANNELS) continue;
    for (const number of (await tensorNumbers(tensor)) ?? []) {
      if (Number.isFinite(number)) largest = Math.max(largest, Math.abs(number));
    }
  }
  return largest;
}
