/** @file Which operands of a node are float16 afterwards, and which have to stay float32. */
import { stringAttribute } from "../../graph/attributes.ts";
import { DataType } from "../../onnx/data-type.ts";
import type { Node } from "../../onnx/model.ts";
import type { Scope } from "../../graph/scope.ts";
import type { ElementTypes } from "./element-types.ts";
import { type Formal, formalAt, type Signature } from "./signatures.ts";

export type Precision = "half" | "float";

/** How the float32 operands of a node are read and made; entries of other operands mean nothing. */
export interface NodePrecision {
  /** `any`: the operand may have either type, whatever the others have. */
  inputs: (Precision | "any")[];
  outputs: Precision[];
  /** Why the node as a whole stays float32. */
  reason?: string;
}

/** What the caller wants to stay float32. */
export interface BlockList {
  opTypes: ReadonlySet<string>;
  nodeNames: ReadonlySet<string>;
}

/**
 * Operators that convert their output's type by an attribute and whose CPU kernels make float16. The
 * others with such an attribute (RandomNormal, EyeLike, HannWindow, …) do not, and
 * ONNX Runtime inserts its own Casts only around nodes that read float16.
 */
const MAKE_HALF_BY_ATTRIBUTE: ReadonlySet<string> = new Set([
  "Cast",
  "Constant",
  "ConstantOfShape",
  "DequantizeLinear",
]);

/** Operands that may be float16 by schema but lose too much: gamma and beta, as in onnxruntime's converter. */
const STAY_FLOAT: Readonly<Record<string, readonly number[]>> = {
  GroupNorm: [1, 2],
  SkipGroupNorm: [1, 2],
};

/**
 * Functions without a float16 kernel on the CPU. ONNX Runtime 1.30 expands them into simpler nodes, some of
 * which have Casts to float32 between them, and then refuses the types of what its own Casts made of it.
 */
const EXPANDED_WRONGLY: ReadonlySet<string> = new Set([
  "Attention",
  "MeanVarianceNormalization",
  "RMSNormalization",
]);

/** Their float16 kernels copy only: with a reduction they fail when the model runs. */
const SCATTER: ReadonlySet<string> = new Set(["ScatterElements", "ScatterND"]);

const NO_SCHEMA = "no schema of the operator is known";

const CONTROL_FLOW: ReadonlySet<string> = new Set(["If", "Loop", "Scan"]);

/** The precision of a node's operands, by its schema and the block list. */
export function nodePrecision(
  node: Node,
  scope: Scope,
  bodies: readonly Scope[],
  types: ElementTypes,
  blocked: BlockList,
): NodePrecision {
  const reason =
    blockReason(node, blocked) ??
    (bodies.length > 0
      ? controlFlowReason(node, scope, bodies, types)
      : signatureReason(node, scope, types));
  if (reason !== undefined) return stayFloat(node, reason);
  if (bodies.length > 0) {
    return { inputs: node.inputs.map(() => "half"), outputs: node.outputs.map(() => "half") };
  }
  const signature = types.signature(node);
  if (!signature) return stayFloat(node, NO_SCHEMA);
  const counts = variableCounts(node, signature);
  const mayStay = node.domain === "com.microsoft" && Object.hasOwn(STAY_FLOAT, node.opType);
  const stay = mayStay ? STAY_FLOAT[node.opType] : undefined;
  const precisionOf = (formal: Formal | undefined): Precision =>
    formal?.variable !== undefined && signature.half.has(formal.variable) ? "half" : "float";
  return {
    inputs: node.inputs.map((_, index) => {
      const formal = formalAt(signature.inputs, index);
      const precision = stay?.includes(index) ? "float" : precisionOf(formal);
      const alone = formal?.variable !== undefined && counts.get(formal.variable) === 1;
      return precision === "half" && alone ? "any" : precision;
    }),
    outputs: node.outputs.map((_, index) => precisionOf(formalAt(signature.outputs, index))),
  };
}

/** A node that reads and makes float32 as before. */
export function stayFloat(node: Node, reason: string): NodePrecision {
  return {
    inputs: node.inputs.map(() => "float"),
    outputs: node.outputs.map(() => "float"),
    reason,
  };
}

function blockReason(node: Node, blocked: BlockList): string | undefined {
  if (blocked.nodeNames.has(node.name) && node.name !== "") return "node_block_list";
  if (blocked.opTypes.has(node.opType)) return "op_block_list";
  return undefined;
}

function signatureReason(node: Node, scope: Scope, types: ElementTypes): string | undefined {
  const signature = types.signature(node);
  if (!signature) return NO_SCHEMA;
  if (node.domain === "ai.onnx.ml") return "its attributes are float32";
  if (node.domain === "") {
    if (node.opType === "BitCast") return "its output's bits are those of its input";
    if (EXPANDED_WRONGLY.has(node.opType)) return "ONNX Runtime's CPU has no float16 form of it";
    if (SCATTER.has(node.opType) && stringAttribute(node, "reduction", "none") !== "none") {
      return "ONNX Runtime's CPU kernel reduces float32 only";
    }
  }
  const inputs = node.inputs.map((name, index) => ({
    name,
    formal: formalAt(signature.inputs, index),
  }));
  const outputs = node.outputs.map((name, index) => ({
    name,
    formal: formalAt(signature.outputs, index),
  }));
  for (const { name, formal } of [...inputs, ...outputs]) {
    if (name === "" || formal?.elementType !== undefined) continue;
    if (!formal || formal.variadic === "each") return "no schema of its operands is known";
    const type = types.of(scope, name);
    if (type < 0 || formal.variable === undefined) return "it works on sequences";
    if (type === 0 && signature.float.has(formal.variable)) {
      return `the element type of "${name}" is not known`;
    }
  }
  if (MAKE_HALF_BY_ATTRIBUTE.has(node.opType)) return undefined;
  const read = new Set(
    inputs.map(({ name, formal }) => (name === "" ? undefined : formal?.variable)),
  );
  for (const { name, formal } of outputs) {
    const variable = formal?.variable;
    if (name === "" || variable === undefined || read.has(variable)) continue;
    if (signature.half.has(variable) && types.of(scope, name) === DataType.float32) {
      return "ONNX Runtime's CPU kernel makes float32 only";
    }
  }
  return undefined;
}

/** The two sides of each value that passes into or out of a body must agree in type. */
function controlFlowReason(
  node: Node,
  scope: Scope,
  bodies: readonly Scope[],
  types: ElementTypes,
): string | undefined {
  if (node.domain !== "" || !CONTROL_FLOW.has(node.opType))
    return "it holds a graph of its own kind";
  const isFloat = (place: Scope, name: string) => types.of(place, name) === DataType.float32;
  const skipped = node.opType === "Loop" ? 1 : 0;
  for (const body of bodies) {
    const { inputs, outputs } = body.graph;
    const agreeOut = node.outputs.every((name, index) => {
      const output = outputs[index + skipped];
      return name === "" || !output || isFloat(scope, name) === isFloat(body, output.name);
    });
    // A Scan of opset 8 has the sequence lengths before the values that its body sees.
    const offset = node.opType === "Scan" ? node.inputs.length - inputs.length : 0;
    const agreeIn =
      node.opType === "If" ||
      inputs.every((input, index) => {
        const name = node.inputs[index + offset] ?? "";
        return name === "" || isFloat(scope, name) === isFloat(body, input.name);
      });
    if (!agreeOut || !agreeIn) return "the element types of its bodies are not known";
  }
  return undefined;
}

/** How often each type variable stands for an operand that the node has. */
function variableCounts(node: Node, signature: Signature): Map<string, number> {
  const counts = new Map<string, number>();
  const count = (names: readonly string[], formals: readonly Formal[]): void => {
    names.forEach((name, index) => {
      const variable = name === "" ? undefined : formalAt(formals, index)?.variable;
      if (variable !== undefined) counts.set(variable, (counts.get(variable) ?? 0) + 1);
    });
  };
  count(node.inputs, signature.inputs);
  count(node.outputs, signature.outputs);
  return counts;
}
