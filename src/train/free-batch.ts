/** @file Freeing a model that was exported for one batch size: Reshape targets that begin with that size. */
import { intAttribute } from "../graph/attributes.ts";
import { makeInt64 } from "../graph/build.ts";
import { constantNumbers } from "../graph/constants.ts";
import { Names, Scope } from "../graph/scope.ts";
import type { Model } from "../onnx/model.ts";

/**
 * Lets each Reshape to a constant [batch, …sizes] give as many rows as there are. The model is changed.
 * @param batch the size that the model's inputs declare
 */
export async function freeBatch(model: Model, batch: number): Promise<void> {
  const { graph } = model;
  const scope = Scope.of(graph);
  const names = new Names(model);
  for (const node of graph.nodes) {
    if (node.opType !== "Reshape" || node.domain !== "") continue;
    const [data = "", shape = ""] = node.inputs;
    const target = await constantNumbers(scope, shape);
    if (target?.[0] !== batch || intAttribute(node, "allowzero", 0) !== 0) continue;
    const [, ...rest] = target;
    // Where another size is open already, the rows are copied from the data: 0.
    const rows = rest.includes(-1) ? 0 : -1;
    const free = names.fresh(`${shape}.free`);
    graph.initializers.set(free, makeInt64(free, [rows, ...rest]));
    node.inputs = [data, free];
  }
}
