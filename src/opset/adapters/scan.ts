/** @file Scan 9: no batch dimension and no sequence lengths of its own. */
import { findAttribute, makeInt, makeInts } from "../../graph/attributes.ts";
import { makeNode } from "../../graph/build.ts";
import type { Graph, ValueInfo } from "../../onnx/model.ts";
import type { Adapter, NodeLift } from "../node-lift.ts";

/**
 * Scan 8 ran its body over axis 1 of [batch, sequence, …] for each element of the batch. The same is a
 * Scan over the batch whose body is a Scan over the sequence: the outer one slices states and
 * inputs alike, and stacks final states and outputs again.
 */
export const scanOverBatch: Adapter = (lift) => {
  const { node } = lift;
  const [lengths, ...inputs] = node.inputs;
  if (lengths) lift.refuse("its sequences have lengths of their own");
  const body = findAttribute(node, "body") ?? lift.refuse("it has no body");
  const scanned = lift.take("num_scan_inputs", "int") ?? lift.refuse("it has no num_scan_inputs");
  const directions = lift.take("directions", "ints");

  const slices = inputs.map((_, i) => lift.fresh(`batch_input_${i}`));
  const results = node.outputs.map((_, i) => lift.fresh(`batch_output_${i}`));
  const inner = makeNode("Scan", slices, results, {
    name: lift.fresh("sequence"),
    attributes: [body, makeInt("num_scan_inputs", scanned)],
  });
  if (directions) inner.attributes.push(makeInts("scan_input_directions", directions));
  const types = bodyTypes(lift, body.type === "graph" ? body.value : undefined, inputs);
  node.inputs = inputs;
  node.attributes = [
    { name: "body", type: "graph", value: batchBody(lift, inner, types) },
    makeInt("num_scan_inputs", inputs.length),
  ];
};

/** The element types of the batch body's inputs and outputs: those that the sequence body declares. */
function bodyTypes(lift: NodeLift, body: Graph | undefined, inputs: readonly string[]): number[][] {
  const declared = (info: ValueInfo): number =>
    info.type?.kind === "tensor"
      ? info.type.elementType
      : lift.refuse(`"${info.name}" has no type`);
  return [inputs.map((input) => lift.elementType(input)), (body?.outputs ?? []).map(declared)];
}

function batchBody(lift: NodeLift, inner: ReturnType<typeof makeNode>, types: number[][]): Graph {
  const infos = (names: readonly string[], elementTypes: readonly number[] = []): ValueInfo[] =>
    names.map((name, i) => ({
      name,
      type: { kind: "tensor", elementType: elementTypes[i] ?? 0, shape: undefined },
    }));
  return {
    name: lift.fresh("batch"),
    docString: "",
    nodes: [inner],
    initializers: new Map(),
    sparseInitializers: [],
    inputs: infos(inner.inputs, types[0]),
    outputs: infos(inner.outputs, types[1]),
    valueInfos: [],
    metadata: [],
  };
}
