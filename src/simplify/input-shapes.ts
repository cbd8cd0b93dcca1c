/** @file Fixing the sizes of a model's inputs. */
import { subgraphs } from "../graph/attributes.ts";
import { requireKnown } from "../graph/selection.ts";
import type { Graph, Model } from "../onnx/model.ts";

/** Inputs that callers feed, with the sizes asked for. What the model declares of other values may contradict them and goes. */
export function fixInputShapes(
  model: Model,
  shapes: Readonly<Record<string, readonly number[]>> | undefined,
): void {
  const names = Object.keys(shapes ?? {});
  if (!shapes || names.length === 0) return;
  const { graph } = model;
  const fed = graph.inputs.filter(({ name }) => !graph.initializers.has(name));
  requireKnown("input", names, new Set(fed.map(({ name }) => name)));
  for (const { name, type } of fed) {
    const shape = Object.hasOwn(shapes, name) ? shapes[name] : undefined;
    if (!shape) continue;
    if (type?.kind !== "tensor") throw new RangeError(`simplify: input "${name}" is no tensor`);
    const declared = type.shape;
    if (declared && declared.length !== shape.length) {
      throw new RangeError(
        `simplify: input_shapes gives "${name}" ${shape.length} dimensions, it has ${declared.length}`,
      );
    }
    if (!shape.every((size) => Number.isSafeInteger(size) && size > 0)) {
      throw new RangeError(
        `simplify: input_shapes of "${name}" is [${shape.join(", ")}], not sizes from 1 on`,
      );
    }
    type.shape = [...shape];
    delete type.original;
  }
  dropValueInfos(graph);
  for (const { type } of graph.outputs) {
    if (type?.kind !== "tensor") continue;
    type.shape = undefined;
    delete type.original;
  }
}

function dropValueInfos(graph: Graph): void {
  graph.valueInfos = [];
  for (const node of graph.nodes) for (const body of subgraphs(node)) dropValueInfos(body);
}
