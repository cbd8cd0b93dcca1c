/**
 * @file The model as static quantization sees it: floats of Constant nodes become initializers, which are weights, and
 * copies of initializers by Identity go.
 */
import { constantTensor } from "../../graph/constants.ts";
import { DataType } from "../../onnx/data-type.ts";
import type { Model, Node } from "../../onnx/model.ts";
import { QdqGraph } from "./qdq-graph.ts";

/** Initializers need not be graph inputs from this IR version on. */
const MIN_IR_VERSION = 4;

/** Changes the model in place; values keep their names. */
export function prepareStatic(model: Model): void {
  const { graph } = model;
  const edited = new QdqGraph(model);
  let changed = false;
  for (const node of graph.nodes) {
    const name = node.outputs[0] ?? "";
    if (edited.isOutput(name) || node.domain !== "") continue;
    if (node.opType === "Constant") {
      const tensor = constantTensor(node);
      if (tensor?.dataType !== DataType.float32) continue;
      graph.initializers.set(name, { ...tensor, name });
    } else if (
      isCopy(node) &&
      graph.initializers.has(node.inputs[0] ?? "") &&
      !edited.isNested(name)
    ) {
      edited.redirect(name, node.inputs[0] ?? "");
    } else continue;
    edited.remove(node);
    changed = true;
  }
  if (!changed) return;
  edited.finish();
  model.irVersion = Math.max(model.irVersion, MIN_IR_VERSION);
}

const isCopy = ({ opType }: Node): boolean => opType === "Identity";
