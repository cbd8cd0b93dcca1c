/** @file Which values quantization-aware training rounds: the weights and activations that products read. */
import { intAttribute } from "../../graph/attributes.ts";
import { resolveConstant } from "../../graph/constants.ts";
import { Scope } from "../../graph/scope.ts";
import { requireKnown } from "../../graph/selection.ts";
import { DataType } from "../../onnx/data-type.ts";
import type { Node } from "../../onnx/model.ts";
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

/** Input `input` of the node that makes `output` reads the operand: a product, or the Transpose before it. */
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
  const scope = Scope.of(forward.model.graph);
  const uses = nodes
    .filter((node) => node.domain === "" && settings.opTypes.includes(node.opType))
    .filter((node) => !excluded.has(node.name))
    .flatMap((node) => usesOf(forward, scope, node, settings));
  if (!uses.some(({ operand }) => operand.kind === "weight")) {
    throw new RangeError(
      `train: qat: the model has no ${settings.opTypes.join(", ")} with a stored float weight`,
    );
  }
  return uses;
}

function usesOf(
  { model, emitter }: ForwardGraph,
  scope: Scope,
  node: Node,
  settings: QatSettings,
): OperandUse[] {
  return [0, 1].flatMap((input): OperandUse[] => {
    const name = node.inputs[input] ?? "";
    const constant = resolveConstant(scope, name);
    if (!constant) {
      const isFloat = emitter.elementType(name) === DataType.float32;
      if (settings.activations === "none" || !isFloat) return [];
      return [use(node, input, { kind: "activation", name })];
    }
    const { tensor, permutation, path, storedName } = constant;
    const isStored = model.graph.initializers.has(storedName);
    if (!isStored || input !== 1 || tensor.dataType !== DataType.float32) return [];
    if (tensor.dims.length < 2) return [];
    const axis = settings.perChannel ? channelAxis(node, tensor.dims.length) : undefined;
    const stored = axis === undefined ? undefined : (permutation?.[axis] ?? axis);
    const operand: Operand = { kind: "weight", name: storedName, axis: stored };
    // Behind Transposes, the weight is rounded where it is stored.
    const reader = path.at(-1);
    return [reader ? use(reader, 0, operand) : use(node, input, operand)];
  });
}

const use = (node: Node, input: number, operand: Operand): OperandUse => ({
  node,
  output: node.outputs[0] ?? "",
  input,
  operand,
});

/** The axis of the op's output channels, as ONNX Runtime's quantizer has it. */
function channelAxis(node: Node, rank: number): number {
  switch (node.opType) {
    case "Conv":
      return 0;
    case "ConvTranspose":
      return 1;
    case "Gemm":
      return intAttribute(node, "transB", 0) === 0 ? 1 : 0;
    default:
      return rank - 1;
  }
}
