/** @file Freeing a model that was exported for one batch size: Reshape targets that begin with that size. */
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
    if (target?.[0] !== batch || target.slice(1).some((size) => size < 0)) continue;
    const free = names.fresh(`${shape}.free`);
    graph.initializers.set(free, makeInt64(free, [-1, ...target.slice(1)]));
    node.inputs = [data, free];
  }
}
