/** @file Which values quantization-aware training rounds: the weights and activations that products read. */
import { intAttribute } from "../../graph/attributes.ts";
import { requireKnown } from "../../graph/selection.ts";
import { DataType } from "../../onnx/data-type.ts";
import type { Node, Tensor } from "../../onnx/model.ts";
import type { ForwardGraph } from "../forward-graph.ts";
import type { QatSettings } from "../options.ts";

/** A stored weight that is rounded symmetrically to int8. */
export interface WeightOperand {
  kind: "weight";
  name: string;
  /** One scale per index of this axis; absent: one for the tensor. */
  axis: number | undefined;
}

/** A value that is rounded with the range that was seen of it. */
export interface ActivationOperand {
  kind: "activation";
  name: string;
}

export type Operand = WeightOperand | ActivationOperand;

/** Input `input` of the node that makes `output` reads the operand. */
export interface OperandUse {
  node: Node;
  output: string;
  input: number;
  operand: Operand;
}

/** @throws RangeError when nothing can be quantized, or an excluded node is not in the model */
export function findOperands(forward: ForwardGraph, settings: QatSettings): OperandUse[] {
  const { nodes } = forward.model.graph;
  requireKnown("node", settings.nodesToExclude, new Set(nodes.map(({ name }) => name)));
  const excluded = new Set(settings.nodesToExclude);
  const uses = nodes
    .filter((node) => node.domain === "" && settings.opTypes.includes(node.opType))
    .filter((node) => !excluded.has(node.name))
    .flatMap((node) => operandsOf(forward, node, settings));
  if (!uses.some(({ operand }) => operand.kind === "weight")) {
    throw new RangeError(
      `train: qat: the model has no ${settings.opTypes.join(", ")} with a stored float weight`,
    );
  }
  return uses;
}

function operandsOf(forward: ForwardGraph, node: Node, settings: QatSettings): OperandUse[] {
  const uses: OperandUse[] = [];
  for (const input of [0, 1]) {
    const operand = operandAt(forward, node, input, settings);
    if (operand) uses.push({ node, output: node.outputs[0] ?? "", input, operand });
  }
  return uses;
}

function operandAt(
  { model, emitter }: ForwardGraph,
  node: Node,
  input: number,
  settings: QatSettings,
): Operand | undefined {
  const name = node.inputs[input] ?? "";
  const tensor = model.graph.initializers.get(name);
  if (tensor) {
    if (input !== 1 || tensor.dataType !== DataType.float32 || tensor.dims.length < 2)
      return undefined;
    const axis = settings.perChannel ? channelAxis(node, tensor) : undefined;
    return { kind: "weight", name, axis };
  }
  if (settings.activations === "none" || emitter.elementType(name) !== DataType.float32)
    return undefined;
  return { kind: "activation", name };
}

/** The axis of the op's output channels, as ONNX Runtime's quantizer has it. */
function channelAxis(node: Node, { dims }: Tensor): number {
  switch (node.opType) {
    case "Conv":
      return 0;
    case "ConvTranspose":
      return 1;
    case "Gemm":
      return intAttribute(node, "transB", 0) === 0 ? 1 : 0;
    default:
      return dims.length - 1;
  }
}
